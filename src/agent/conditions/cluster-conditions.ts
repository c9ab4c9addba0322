import { formatSpan } from '../../base/quantity.ts';
import { minuteMs } from '../../base/units.ts';
import type { CoordinatorStatus } from '../api.ts';
import type { Condition } from './condition.ts';
import type { Patience } from './patience.ts';

/** An election, and a voter that restarts, are no trouble. */
const electionMs = 1 * minuteMs;
const skewMaxMs = 5 * minuteMs;

/** Of sites that a majority of the voters has declared lost. `datasetsAt`: what is backed up from there, names. */
export function siteConditions(
  lostSites: readonly string[],
  datasetsAt: (site: string) => readonly string[],
): Condition[] {
  return lostSites.map((site) => {
    const names = datasetsAt(site);
    const silent = names.length === 0 ? '' : `; no backups of ${names.join(', ')} come meanwhile`;
    const text = `a majority of the voters has lost sight of site ${site}${silent}. What is still safe: holdfast status`;
    const facts = { site, datasets: names.join(' ') };
    return { kind: 'site-lost', subject: site, text, facts };
  });
}

export function quorumConditions(status: CoordinatorStatus, patience: Patience): Condition[] {
  const { hasQuorum, missing, quorum, voters, votersReachable } = status;
  const sight = { kind: 'no-quorum', subject: 'control log', isWrong: !hasQuorum } as const;
  if (!patience.isOver({ ...sight, afterMs: electionMs })) return [];
  const who = missing.length === 0 ? 'nobody is elected' : `missing: ${missing.join(', ')}`;
  const text = `no quorum: ${votersReachable} of ${voters} voters are reachable from here and ${quorum} are needed (${who}). Nothing can be decided; restores with the kit need no quorum. Next: holdfast coordinator status`;
  const { kind, subject } = sight;
  return [{ kind, subject, text, facts: { missing: missing.join(' ') } }];
}

/** `skewMs`: how far a clock is ahead of the one here; undefined: unknown. */
export type PeerClock = { readonly name: string; readonly skewMs: number | undefined };

/**
 * When most others agree, the clock of this host is the wrong one, and it is named once. Of whom nothing is known
 * now, people know what they knew.
 */
export function clockConditions(
  clocks: readonly PeerClock[],
  self: string,
  patience: Patience,
): Condition[] {
  const known = clocks.filter(({ skewMs }) => skewMs !== undefined);
  const wrong = known.filter(({ skewMs = 0 }) => Math.abs(skewMs) > skewMaxMs);
  const isOwn = known.length > 1 && wrong.length > known.length / 2;
  const ownMs = median(wrong.map(({ skewMs = 0 }) => skewMs));
  const judged = [
    ...clocks.map(({ name, skewMs }) => ({ name, skewMs: isOwn ? undefined : skewMs })),
    { name: self, skewMs: known.length === 0 ? undefined : isOwn ? ownMs : 0 },
  ];
  return judged.flatMap(({ name, skewMs }): Condition[] => {
    const sight = {
      ...{ kind: 'clock-wrong', subject: name },
      isWrong: skewMs === undefined ? undefined : Math.abs(skewMs) > skewMaxMs,
      afterMs: electionMs,
    } as const;
    if (!patience.isOver(sight)) return [];
    const span = formatSpan(Math.round(Math.abs(skewMs ?? 0) / minuteMs) * minuteMs);
    const by = skewMs === undefined ? '' : ` by ${span}`;
    const text = `the clock of ${name} differs${by} from ${name === self ? 'those of the others' : 'the one here'}: set it. Times of backups that are made there are wrong until then. Next: holdfast peer show ${name}`;
    return [{ kind: 'clock-wrong', subject: name, text, facts: { peer: name } }];
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
