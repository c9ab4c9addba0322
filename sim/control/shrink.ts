import type { ControlFault } from './plan.ts';
import { type ControlRunOptions, runControlSeed } from './run.ts';

/** The faults without which the same checker still fires, left out one after another until each is needed. */
export async function shrinkControl(
  seed: number,
  options: ControlRunOptions = {},
): Promise<readonly ControlFault[]> {
  const first = await runControlSeed(seed, options);
  const checker = first.violation?.checker;
  let { faults } = first;
  if (checker === undefined) return faults;
  for (let i = 0; i < faults.length; ) {
    const fewer = faults.toSpliced(i, 1);
    const run = await runControlSeed(seed, { ...options, faults: fewer });
    if (run.violation?.checker === checker) {
      faults = fewer;
      i = 0;
    } else i++;
  }
  return faults;
}
