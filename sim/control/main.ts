import { commitId } from '../raft/mutants-build.ts';
import { Watchdog } from '../watchdog.ts';
import { controlMutants } from './mutants.ts';
import { huntControl } from './mutants-hunt.ts';
import { controlPlanOf } from './plan.ts';
import { type ControlRun, type ControlRunOptions, runControlSeed } from './run.ts';
import { shrinkControl } from './shrink.ts';

export type ControlArguments = {
  readonly seed: number;
  /** Minutes; undefined: one seed. */
  readonly swarm: number | undefined;
  readonly hasTrace: boolean;
  readonly isHunt: boolean;
  /** Numbers of the faults that are kept, of those that the seed draws; undefined: all. */
  readonly only: readonly number[] | undefined;
};

const tailLength = 40;

/** `npm run sim -- --control`. @returns whether nothing was wrong */
export async function controlMain(options: ControlArguments): Promise<boolean> {
  if (options.isHunt) return huntAll(options.seed);
  if (options.swarm !== undefined) return swarm(options.seed, options.swarm);
  return (await play(options.seed, options)).violation === undefined;
}

let watchdog: Watchdog | undefined;

type Play = { readonly hasTrace: boolean; readonly only: readonly number[] | undefined };

async function play(seed: number, { hasTrace, only }: Play): Promise<ControlRun> {
  const drawn = controlPlanOf(seed).faults;
  const faults = only === undefined ? drawn : drawn.filter((_, i) => only.includes(i));
  watchdog ??= new Watchdog();
  const options = { hasTrace, faults, onTurn: () => watchdog?.beat(seed) };
  const run = await runControlSeed(seed, options);
  const { violation, traceHash, tail, virtualMs, entries } = run;
  if (hasTrace || violation !== undefined) {
    for (const line of tail.slice(hasTrace ? 0 : -tailLength)) console.log(line);
  }
  const what =
    violation === undefined
      ? 'ok'
      : `VIOLATION of ${violation.checker} at ${violation.atMs}: ${violation.text}`;
  const seconds = Math.round(virtualMs / 1000);
  console.log(
    `seed ${seed}: ${what} (trace ${traceHash}, ${entries} entries, ${seconds} virtual s)`,
  );
  if (violation !== undefined && !hasTrace) await explain(seed, options);
  return run;
}

/** What it takes to see the same again. */
async function explain(seed: number, options: ControlRunOptions): Promise<void> {
  console.log(`commit ${commitId()}`);
  const needed = await shrinkControl(seed, options);
  for (const fault of needed) console.log(`  needs ${JSON.stringify(fault)}`);
  const drawn = controlPlanOf(seed).faults.map((fault) => JSON.stringify(fault));
  const numbers = needed.map((fault) => drawn.indexOf(JSON.stringify(fault))).join(',');
  console.log(`again: npm run sim -- --control --seed ${seed} --only '${numbers}' --trace`);
}

/** Seed after seed until the time is over. */
async function swarm(firstSeed: number, minutes: number): Promise<boolean> {
  // Refusals come by the thousand, and a seed that fails is told by its trace.
  Error.stackTraceLimit = 0;
  const start = Date.now();
  const used = process.cpuUsage();
  const failed: number[] = [];
  const met = new Map<string, number>();
  let seed = firstSeed;
  for (; Date.now() < start + minutes * 60_000; seed++) {
    const run = await play(seed, { hasTrace: false, only: undefined });
    if (run.violation !== undefined) failed.push(seed);
    for (const [what, count] of run.met) met.set(what, (met.get(what) ?? 0) + count);
  }
  for (const [what, count] of met) console.log(`met ${count} times: ${what}`);
  const seeds = seed - firstSeed;
  const rate = Math.round(seeds / ((Date.now() - start) / 60_000));
  const { user, system } = process.cpuUsage(used);
  const perSeed = (user + system) / 1e6 / seeds;
  console.log(
    `${perSeed.toFixed(3)} s of CPU a seed: ${Math.round(60 / perSeed)} seeds in a minute of CPU`,
  );
  const which = failed.join(' ') || 'none';
  console.log(`${seeds} seeds from ${firstSeed}, ${rate} a minute by the clock; failed: ${which}`);
  return failed.length === 0;
}

/** A table of all deliberate bugs. @returns whether each was found */
async function huntAll(firstSeed: number): Promise<boolean> {
  let missed = 0;
  console.log('an agent that | found by | seeds (of at most) | seconds');
  for (const mutant of controlMutants) {
    const start = Date.now();
    const { seeds, violation } = await huntControl(mutant, { firstSeed });
    if (violation === undefined) missed++;
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    const found = violation?.checker ?? 'NOT FOUND';
    console.log(`${mutant.name} | ${found} | ${seeds} (${mutant.seedsMax}) | ${seconds}`);
  }
  console.log(`${controlMutants.length} mutants, ${missed} not found`);
  return missed === 0;
}
