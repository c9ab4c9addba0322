import type { DataFault } from './plan.ts';
import { type DataRunOptions, runDataSeed } from './run.ts';

/** The faults without which the same checker still fires, left out one after another until each is needed. */
export async function shrinkData(
  seed: number,
  options: DataRunOptions = {},
): Promise<readonly DataFault[]> {
  const first = await runDataSeed(seed, options);
  const checker = first.violation?.checker;
  let { faults } = first;
  if (checker === undefined) return faults;
  for (let i = 0; i < faults.length; ) {
    const fewer = faults.toSpliced(i, 1);
    const run = await runDataSeed(seed, { ...options, faults: fewer });
    if (run.violation?.checker === checker) {
      faults = fewer;
      i = 0;
    } else i++;
  }
  return faults;
}
