import type { PackEntry } from '../format/facts.ts';
import type { PackId } from '../ids.ts';
import type { Code } from './code-choice.ts';

/** A pack that is to be made anew with the code that the sites of today allow, and why. */
export type Recoding = { readonly entry: PackEntry; readonly reason: string };

/** What a code promises, and what it costs. */
type Promised = { readonly survives: number; readonly cost: number };

/** Less is not worth reading and sending everything again. */
const costRatioMax = 0.85;

/** What today's code would change, and what for. */
export type CodeGain = {
  readonly reason: string;
  /** The larger, the sooner. */
  readonly gain: number;
  /** More sites may fail: worth it also where the old pack stays for ever. */
  readonly isSafer: boolean;
};

/**
 * Which packs to make anew: those that gain most first, no more bytes than `bytesMax`. None gets a code that
 * outlives fewer sites than the one it has, and none goes back to full copies: repair adds those where sites leave.
 * `isExpiring`: old packs go some day. Else to have them twice would cost more than it saves.
 */
export function planRecoding(
  packs: Iterable<PackEntry>,
  options: { readonly code: Code; readonly bytesMax: number; readonly isExpiring: boolean },
): Recoding[] {
  const { code, bytesMax, isExpiring } = options;
  const gains: (Recoding & CodeGain)[] = [];
  const seen = new Set<PackId>();
  for (const entry of packs) {
    if (seen.has(entry.pack)) continue;
    seen.add(entry.pack);
    const found = gainOf(entry, code);
    if (found !== undefined && (isExpiring || found.isSafer)) gains.push({ entry, ...found });
  }
  gains.sort((a, b) => b.gain - a.gain || (a.entry.pack < b.entry.pack ? -1 : 1));
  const planned: Recoding[] = [];
  let bytes = 0;
  for (const { entry, reason } of gains) {
    if (bytes + entry.size > bytesMax) break;
    bytes += entry.size;
    planned.push({ entry, reason });
  }
  return planned;
}

/** What making this pack anew with that code would bring; undefined: too little, or less than it has. */
export function gainOf(entry: PackEntry, code: Code): CodeGain | undefined {
  if (entry.type !== 'data' || code.k === 1) return undefined;
  const before = promiseOf(entry, code);
  const after: Promised = { survives: code.m, cost: (code.k + code.m) / code.k };
  if (after.survives < before.survives) return undefined;
  const words = `${codeName(entry)} becomes ${codeName(code)}`;
  if (after.survives > before.survives) {
    const reason = `${words}: survives any ${after.survives} sites instead of ${before.survives}`;
    return { reason, gain: 1000 + after.survives - before.survives, isSafer: true };
  }
  if (after.cost > before.cost * costRatioMax) return undefined;
  const reason = `${words}: costs ${after.cost.toFixed(2)}x instead of ${before.cost.toFixed(2)}x`;
  return { reason, gain: before.cost - after.cost, isSafer: false };
}

/** Of full copies there are as many as the policy asks for, wherever repair has had time to make them. */
function promiseOf({ k, m }: PackEntry, { survives }: Code): Promised {
  return k === 1 ? { survives, cost: survives + 1 } : { survives: m, cost: (k + m) / k };
}

function codeName({ k, m }: { readonly k: number; readonly m: number }): string {
  return k === 1 ? 'full copies' : `${k}+${m}`;
}
