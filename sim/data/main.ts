import { commitId } from '../raft/mutants-build.ts';
import { dataMutants } from './mutants.ts';
import { huntData } from './mutants-hunt.ts';
import { type DataRun, runDataSeed } from './run.ts';
import { shrinkData } from './shrink.ts';

export type DataArguments = {
  readonly seed: number;
  /** Of the workload; undefined: as many as the seed draws. */
  readonly steps: number | undefined;
  /** Minutes; undefined: one seed. */
  readonly swarm: number | undefined;
  readonly hasTrace: boolean;
  readonly isHunt: boolean;
};

const tailLength = 40;

/** `npm run sim -- --data`. @returns whether nothing was wrong */
export async function dataMain(options: DataArguments): Promise<boolean> {
  if (options.isHunt) return huntAll(options.seed);
  if (options.swarm !== undefined) return swarm(options);
  return (await play(options)).violation === undefined;
}

async function play({ seed, steps, hasTrace }: DataArguments): Promise<DataRun> {
  const run = await runDataSeed(seed, { steps });
  const { violation, traceHash, tail, virtualMs, snapshots } = run;
  if (hasTrace || violation !== undefined) {
    for (const line of tail.slice(hasTrace ? 0 : -tailLength)) console.log(line);
  }
  const what =
    violation === undefined
      ? 'ok'
      : `VIOLATION of ${violation.checker} at ${violation.atMs}: ${violation.text}`;
  const seconds = Math.round(virtualMs / 1000);
  console.log(
    `seed ${seed}: ${what} (trace ${traceHash}, ${snapshots} snapshots, ${seconds} virtual s)`,
  );
  if (violation === undefined) return run;
  console.log(`commit ${commitId()}`);
  for (const fault of await shrinkData(seed, { steps })) {
    console.log(`  needs ${JSON.stringify(fault)}`);
  }
  return run;
}

/** Seed after seed until the time is over. */
async function swarm(options: DataArguments): Promise<boolean> {
  const { seed: firstSeed, swarm: minutes = 1 } = options;
  const start = Date.now();
  const failed: number[] = [];
  const met = new Map<string, number>();
  let seed = firstSeed;
  for (; Date.now() < start + minutes * 60_000; seed++) {
    const run = await play({ ...options, seed, hasTrace: false });
    if (run.violation !== undefined) failed.push(seed);
    for (const [what, count] of run.met) met.set(what, (met.get(what) ?? 0) + count);
  }
  for (const [what, count] of met) console.log(`met ${count} times: ${what}`);
  const seeds = seed - firstSeed;
  const rate = Math.round(seeds / ((Date.now() - start) / 60_000));
  const which = failed.join(' ') || 'none';
  console.log(`${seeds} seeds from ${firstSeed}, ${rate} a minute; failed: ${which}`);
  return failed.length === 0;
}

/** A table of all deliberate bugs. @returns whether each was found */
async function huntAll(firstSeed: number): Promise<boolean> {
  let missed = 0;
  console.log('an agent that | found by | seeds (of at most) | seconds');
  for (const mutant of dataMutants) {
    const start = Date.now();
    const { seeds, violation } = await huntData(mutant, { firstSeed });
    if (violation === undefined) missed++;
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    const found = violation?.checker ?? 'NOT FOUND';
    console.log(`${mutant.name} | ${found} | ${seeds} (${mutant.seedsMax}) | ${seconds}`);
  }
  console.log(`${dataMutants.length} mutants, ${missed} not found`);
  return missed === 0;
}
