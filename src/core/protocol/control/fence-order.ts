import type { Fence } from '../../format/control-records.ts';

/** Negative when `a` is of an earlier time in office than `b`, 0 when they are the same: by generation, then index. */
export function compareFences(a: Fence, b: Fence): number {
  return a.generation - b.generation || a.index - b.index;
}
