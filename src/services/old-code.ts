import type { PackEntry } from '../core/format/facts.ts';
import type { Code } from '../core/policy/code-choice.ts';
import { type CodeGain, gainOf } from '../core/policy/recoding.ts';

/** Data packs of a snapshot that would gain by the code that the sites of today allow. */
export type OldCode = {
  readonly packs: number;
  /** Before coding. */
  readonly bytes: number;
  /** Of all its data packs. */
  readonly ofBytes: number;
  /** Of those that gain most. */
  readonly reason: string;
  readonly isSafer: boolean;
};

/** Undefined: every pack has the code of today, or one that is as good. */
export function oldCodeOf(packs: readonly PackEntry[], code: Code): OldCode | undefined {
  let count = 0;
  let bytes = 0;
  let ofBytes = 0;
  let best: CodeGain | undefined;
  for (const entry of packs) {
    if (entry.type !== 'data') continue;
    ofBytes += entry.size;
    const found = gainOf(entry, code);
    if (found === undefined) continue;
    count++;
    bytes += entry.size;
    if (best === undefined || found.gain > best.gain) best = found;
  }
  if (best === undefined) return undefined;
  return { packs: count, bytes, ofBytes, reason: best.reason, isSafer: best.isSafer };
}
