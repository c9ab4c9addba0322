import type { RaftFault } from './plan.ts';
import { type RaftRunOptions, runRaftSeed } from './run.ts';

/** The faults without which the same checker still fires, left out one after another until each is needed. */
export function shrink(seed: number, options: RaftRunOptions = {}): readonly RaftFault[] {
  const first = runRaftSeed(seed, options);
  const checker = first.violations[0]?.checker;
  let faults = first.faults;
  if (checker === undefined) return faults;
  for (let i = 0; i < faults.length; ) {
    const fewer = faults.toSpliced(i, 1);
    const run = runRaftSeed(seed, { ...options, faults: fewer });
    if (run.violations[0]?.checker === checker) {
      faults = fewer;
      i = 0;
    } else i++;
  }
  return faults;
}
