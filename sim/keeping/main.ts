import { commitId } from '../raft/mutants-build.ts';
import { keepingMutants } from './mutants.ts';
import { huntKeeping } from './mutants-hunt.ts';
import { type KeepingRun, runKeepingSeed } from './run.ts';

export type KeepingArguments = {
  readonly seed: number;
  /** Minutes; undefined: one seed. */
  readonly swarm: number | undefined;
  readonly hasTrace: boolean;
  readonly isHunt: boolean;
};

const tailLength = 40;

/** `npm run sim -- --keeping`. @returns whether nothing was wrong */
export async function keepingMain(options: KeepingArguments): Promise<boolean> {
  if (options.isHunt) return huntAll(options.seed);
  if (options.swarm !== undefined) return swarm(options);
  return (await play(options.seed, options.hasTrace)).violation === undefined;
}

async function play(seed: number, hasTrace: boolean): Promise<KeepingRun> {
  const run = await runKeepingSeed(seed);
  const { violation, traceHash, tail, days, snapshots } = run;
  if (hasTrace || violation !== undefined) {
    for (const line of tail.slice(hasTrace ? 0 : -tailLength)) console.log(line);
  }
  const what =
    violation === undefined
      ? 'ok'
      : `VIOLATION of ${violation.checker} at ${violation.atMs}: ${violation.text}`;
  console.log(`seed ${seed}: ${what} (trace ${traceHash}, ${snapshots} snapshots, ${days} days)`);
  if (violation !== undefined) console.log(`commit ${commitId()}`);
  return run;
}

/** Seed after seed until the time is over. */
async function swarm({ seed: firstSeed, swarm: minutes = 1 }: KeepingArguments): Promise<boolean> {
  const endMs = Date.now() + minutes * 60_000;
  const failed: number[] = [];
  const met = new Map<string, number>();
  let seed = firstSeed;
  for (; Date.now() < endMs; seed++) {
    const run = await play(seed, false);
    if (run.violation !== undefined) failed.push(seed);
    for (const [what, count] of run.met) met.set(what, (met.get(what) ?? 0) + count);
  }
  for (const [what, count] of met) console.log(`met ${count} times: ${what}`);
  console.log(`${seed - firstSeed} seeds from ${firstSeed}; failed: ${failed.join(' ') || 'none'}`);
  return failed.length === 0;
}

/** A table of all deliberate bugs. @returns whether each was found */
async function huntAll(firstSeed: number): Promise<boolean> {
  let missed = 0;
  console.log('a host that | found by | seeds (of at most)');
  for (const mutant of keepingMutants) {
    const { seeds, violation } = await huntKeeping(mutant, { firstSeed });
    if (violation === undefined) missed++;
    const found = violation?.checker ?? 'NOT FOUND';
    console.log(`${mutant.name} | ${found} | ${seeds} (${mutant.seedsMax})`);
  }
  console.log(`${keepingMutants.length} mutants, ${missed} not found`);
  return missed === 0;
}
