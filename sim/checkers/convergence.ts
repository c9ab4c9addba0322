import { toHex } from '../../src/base/bytes.ts';
import type { SimAgent } from '../agent.ts';
import { liar } from '../cast.ts';

const forkPrefix = 'forks/';

/**
 * What keeps live hosts from agreeing, or undefined when they do: the same heads and the same facts everywhere,
 * and for every sequence that has two histories, frozen everywhere with the evidence.
 */
export function disagreement(agents: readonly SimAgent[]): string | undefined {
  const [first, ...others] = agents.filter(({ isMember }) => isMember);
  if (first === undefined) return undefined;
  for (const agent of [first, ...others])
    if (agent.run === undefined) return `${agent.name} is down`;
  for (const other of others) {
    const found = differentHeads(first, other) ?? differentMembers(first, other);
    if (found !== undefined) return found;
  }
  return missingFact([first, ...others]) ?? unprovedFork([first, ...others]);
}

/** Of a forked sequence everybody holds what it happened to see first; and what followed from it. */
function comparedHeads(agent: SimAgent): Map<string, string> {
  const heads = agent.disk.heads().filter(({ writer }) => writer !== liar.agentKey);
  return new Map(
    heads.map(({ writer, stream, sequence, hash }) => [
      `${writer.slice(0, 8)}/${stream}`,
      `${sequence} ${toHex(hash.subarray(0, 4))}`,
    ]),
  );
}

function differentHeads(a: SimAgent, b: SimAgent): string | undefined {
  const [ours, theirs] = [comparedHeads(a), comparedHeads(b)];
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    const [own, other] = [ours.get(name), theirs.get(name)];
    if (own === other) continue;
    return `of ${name}, ${a.name} holds ${own ?? 'nothing'}, ${b.name} holds ${other ?? 'nothing'}`;
  }
  return undefined;
}

function differentMembers(a: SimAgent, b: SimAgent): string | undefined {
  const namesOf = ({ run }: SimAgent): string =>
    (run?.ledger.roster.members() ?? [])
      .map(({ name, addresses }) =>
        name === liar.descriptor.name ? name : `${name} ${addresses.join(' ')}`,
      )
      .join('; ');
  const [ours, theirs] = [namesOf(a), namesOf(b)];
  return ours === theirs ? undefined : `members: ${a.name} "${ours}", ${b.name} "${theirs}"`;
}

/** A fact that a manifest, or the newest receipt of an agent for it, names: if any host has it, all do. */
function missingFact(agents: readonly SimAgent[]): string | undefined {
  const somewhere = new Set(agents.flatMap(({ disk }) => [...disk.facts.keys()]));
  for (const { name, disk, run } of agents) {
    const manifests = run?.ledger.manifests() ?? [];
    const receipts = run?.ledger.allReceipts() ?? [];
    const named = [
      ...manifests.flatMap(({ shortList = [] }) => shortList.map(({ hash }) => hash)),
      ...receipts.flatMap(({ shortList = [] }) => shortList),
    ];
    const missing = named.find((hash) => somewhere.has(hash) && !disk.facts.has(hash));
    if (missing !== undefined) return `${name} lacks the fact ${missing.slice(0, 8)}`;
  }
  return undefined;
}

function unprovedFork(agents: readonly SimAgent[]): string | undefined {
  const seen = new Map<string, string>();
  const forked = new Set<string>();
  for (const { disk } of agents) {
    for (const head of disk.heads().filter(({ writer }) => writer === liar.agentKey)) {
      const stream = head.stream.replace(forkPrefix, '');
      if (stream !== head.stream) forked.add(stream);
      else {
        for (const [i, hash] of disk.hashes(head).entries()) {
          const place = `${stream} ${i}`;
          if ((seen.get(place) ?? hash) !== hash) forked.add(stream);
          seen.set(place, hash);
        }
      }
    }
  }
  for (const stream of forked) {
    const unaware = agents.find(({ run }) => run?.ledger.isFrozen(liar.agentKey, stream) !== true);
    if (unaware !== undefined) return `${unaware.name} has not frozen the forked ${stream}`;
  }
  return undefined;
}
