import type { AgentKey } from '../../../src/core/ids.ts';
import type { RaftMessage } from '../../../src/core/protocol/raft/types.ts';
import type { RaftDisk } from '../disk.ts';
import type { Checker, Observation } from '../observation.ts';

/** Nothing leaves, and nothing is applied, that rests on what is not on the disk at that moment. */
export class Durability implements Checker {
  readonly name = 'durability';
  /** Where the log of a member that was damaged may have ended at most. */
  readonly #ends = new Map<AgentKey, { readonly index: number; readonly term: number }>();

  observe(seen: Observation): string | undefined {
    if (seen.kind === 'started') this.#started(seen);
    if (seen.kind === 'sent') return this.#sent(seen.message, seen.disk);
    if (seen.kind !== 'applied') return undefined;
    const { entry, disk } = seen;
    if (disk.termAt(entry.index) === entry.term) return undefined;
    return `index ${entry.index} is applied before it is durable`;
  }

  #started({ member, disk }: Observation): void {
    const { lost, hard } = disk;
    if (lost === undefined) this.#ends.delete(member);
    else this.#ends.set(member, { ...lost, term: Math.min(lost.term, hard.term) });
  }

  #hasHole(member: AgentKey, { last }: RaftDisk): boolean {
    const end = this.#ends.get(member);
    return end !== undefined && last.index < end.index && last.term <= end.term;
  }

  #sent({ body, term, from, to }: RaftMessage, disk: RaftDisk): string | undefined {
    const isPreVoteRequest = body.kind === 'vote-request' && body.isPreVote;
    if (!isPreVoteRequest && term !== disk.hard.term) return `term ${term} is not durable`;
    switch (body.kind) {
      case 'vote-request':
        if (this.#hasHole(from, disk)) return 'it stands although its log has a hole';
        if (body.isPreVote || disk.hard.votedFor === from) return undefined;
        return 'the vote for itself is not durable';
      case 'vote-response':
        if (!body.isGranted) return undefined;
        if (body.isPreVote || disk.hard.votedFor === to) return undefined;
        return 'the vote is not durable';
      case 'append-response':
        if (!body.isAccepted || body.matchIndex <= disk.lastIndex) return undefined;
        return `index ${body.matchIndex} is acknowledged, the disk ends at ${disk.lastIndex}`;
      case 'append-request': {
        const lacking = body.entries.find((one) => disk.termAt(one.index) !== one.term);
        return lacking && `index ${lacking.index} is sent before it is durable`;
      }
      default:
        return undefined;
    }
  }
}
