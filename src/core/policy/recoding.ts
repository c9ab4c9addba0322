import type { PackEntry } from '../format/facts.ts';
import type { PackId } from '../ids.ts';
import type { Code } from './code-choice.ts';

/** A pack that is to be made anew with the code that the sites of today allow, and why. */
export type Recoding = { readonly entry: PackEntry; readonly reason: string };

/** What a code promises, and what it costs. */
type Promised = { readonly survives: number; readonly cost: number };

/** Less is not worth reading and sending everything again. */
const costRatioMax = 0.85;

/**
 * Which packs to make anew: those that gain most first, no more bytes than `bytesMax`. None gets a code that
 * outlives fewer sites than the one it has, and none goes back to full copies: repair adds those where sites leave.
 */
export function planRecoding(
  packs: Iterable<PackEntry>,
  { code, bytesMax }: { readonly code: Code; readonly bytesMax: number },
): Recoding[] {
  const gains: (Recoding & { readonly gain: number })[] = [];
  const seen = new Set<PackId>();
  for (const entry of packs) {
    if (entry.type !== 'data' || seen.has(entry.pack)) continue;
    seen.add(entry.pack);
    const found = gainOf(entry, code);
    if (found !== undefined) gains.push({ entry, ...found });
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

function gainOf(entry: PackEntry, code: Code): { reason: string; gain: number } | undefined {
  if (code.k === 1) return undefined;
  const before = promiseOf(entry, code);
  const after: Promised = { survives: code.m, cost: (code.k + code.m) / code.k };
  if (after.survives < before.survives) return undefined;
  const words = `${codeName(entry)} becomes ${codeName(code)}`;
  if (after.survives > before.survives) {
    const reason = `${words}: survives any ${after.survives} sites instead of ${before.survives}`;
    return { reason, gain: 1000 + after.survives - before.survives };
  }
  if (after.cost > before.cost * costRatioMax) return undefined;
  const reason = `${words}: costs ${after.cost.toFixed(2)}x instead of ${before.cost.toFixed(2)}x`;
  return { reason, gain: before.cost - after.cost };
}

/** Of full copies there are as many as the policy asks for, wherever repair has had time to make them. */
function promiseOf({ k, m }: PackEntry, { survives }: Code): Promised {
  return k === 1 ? { survives, cost: survives + 1 } : { survives: m, cost: (k + m) / k };
}

function codeName({ k, m }: { readonly k: number; readonly m: number }): string {
  return k === 1 ? 'full copies' : `${k}+${m}`;
}
