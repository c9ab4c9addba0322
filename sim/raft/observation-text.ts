import type { RaftConfig, RaftMessage } from '../../src/core/protocol/raft/types.ts';
import { nameOf } from './names.ts';
import type { Observation } from './observation.ts';

/** What a swarm counts, to see that it meets everything often enough. */
export function noteworthy(seen: Observation): string[] {
  switch (seen.kind) {
    case 'persisted': {
      const { append, truncateFrom } = seen.write;
      const changes = append?.some(({ kind }) => kind === 'config') === true;
      return [
        ...(changes ? ['a configuration in a log'] : []),
        ...(truncateFrom === undefined ? [] : ['entries cut off']),
      ];
    }
    case 'installed':
      return ['a snapshot installed'];
    case 'read-answered':
      return ['a read answered'];
    case 'role':
      if (seen.status.role !== 'leader') return [];
      return seen.status.config.voters.includes(seen.member)
        ? ['a leader']
        : ['a leader that is no voter'];
    case 'sent': {
      const { body } = seen.message;
      if (body.kind === 'timeout-now') return ['a leader handing over'];
      if (body.kind !== 'vote-response' || body.isPreVote || seen.disk.lost === undefined)
        return [];
      return [
        body.isGranted ? 'a vote with a damaged journal' : 'a vote refused for a damaged journal',
      ];
    }
    default:
      return [];
  }
}

/** For somebody who reads a trace. */
export function textOf(seen: Observation): string {
  switch (seen.kind) {
    case 'persisted': {
      const { hard, snapshot, truncateFrom, append } = seen.write;
      const parts = [
        hard && `term ${hard.term} vote ${hard.votedFor && nameOf(hard.votedFor)}`,
        snapshot && `snapshot ${snapshot.index}/${snapshot.term}`,
        truncateFrom && `cut from ${truncateFrom}`,
        append?.map((one) => `${one.index}/${one.term} ${one.kind}`).join(', '),
      ];
      return `persists ${parts.filter((part) => part !== undefined).join('; ')}`;
    }
    case 'sent':
      return `sends ${messageText(seen.message)}`;
    case 'applied':
      return `applies ${seen.entry.index}/${seen.entry.term} ${seen.entry.kind}`;
    case 'role':
      return `is ${seen.status.role} in term ${seen.status.term}, ${configText(seen.status.config)}`;
    case 'installed':
      return `installs the snapshot ${seen.index}`;
    case 'read-answered':
      return `answers read ${seen.id} at ${seen.index}`;
    case 'read-asked':
      return `is asked to read ${seen.id}`;
    default:
      return seen.kind;
  }
}

function messageText({ to, term, body }: RaftMessage): string {
  const { kind, ...rest } = body;
  const fields = Object.entries(rest).map(([name, value]) => {
    if (value instanceof Uint8Array) return `${name} ${value.length} B`;
    if (Array.isArray(value)) return `${name} ${value.map((one) => one.index).join()}`;
    return typeof value === 'object' ? '' : `${name} ${value}`;
  });
  return `${kind} to ${nameOf(to)} in term ${term}: ${fields.join(', ')}`;
}

function configText({ voters, learners }: RaftConfig): string {
  return `voters ${voters.map(nameOf).join('')} learners ${learners.map(nameOf).join('')}`;
}
