import { parseArgs } from 'node:util';
import { type Exploration, Explorer } from './explore.ts';
import { type Profile, profiles } from './explore-profiles.ts';
import { explorePromotion } from './explore-promotion.ts';
import { raftMutants } from './mutants.ts';
import { commitId } from './mutants-build.ts';
import { hunt, huntEverywhere } from './mutants-hunt.ts';
import { type RaftRun, runRaftSeed } from './run.ts';
import { shrink } from './shrink.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    swarm: { type: 'string' },
    trace: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    explore: { type: 'boolean', default: false },
    states: { type: 'string', default: '10000000' },
    depth: { type: 'string' },
  },
});
const statesMax = Number(values.states);

const print = values.trace ? (line: string): void => console.log(line) : undefined;

function play(seed: number): RaftRun {
  const run = runRaftSeed(seed, { print });
  const [violation] = run.violations;
  if (violation === undefined) return run;
  console.log(`seed ${seed}: ${violation.checker} at ${violation.at}: ${violation.text}`);
  console.log(`commit ${commitId()}, trace ${run.traceHash}`);
  for (const fault of shrink(seed)) console.log(`  needs ${JSON.stringify(fault)}`);
  return run;
}

/** Seed after seed until the time is over. @returns those that failed */
function swarm(firstSeed: number, minutes: number): number[] {
  const start = Date.now();
  const failed: number[] = [];
  const sums = { steps: 0, committed: 0 };
  const met = new Map<string, number>();
  let seed = firstSeed;
  for (; Date.now() < start + minutes * 60_000; seed++) {
    const run = play(seed);
    if (run.violations.length > 0) failed.push(seed);
    sums.steps += run.steps;
    sums.committed += run.committed;
    for (const [what, count] of run.met) met.set(what, (met.get(what) ?? 0) + count);
  }
  for (const [what, count] of met) console.log(`met ${count} times: ${what}`);
  const seeds = seed - firstSeed;
  const rate = Math.round(seeds / ((Date.now() - start) / 60_000));
  console.log(
    `${seeds} seeds from ${firstSeed}, ${rate} a minute, ${sums.steps} steps, ` +
      `${sums.committed} entries committed; failed: ${failed.join(' ') || 'none'}`,
  );
  return failed;
}

function playOne(seed: number): boolean {
  const run = play(seed);
  const isOk = run.violations.length === 0;
  console.log(
    `seed ${seed}: ${isOk ? 'ok' : 'VIOLATION'} (trace ${run.traceHash}, ` +
      `${run.steps} steps, ${run.duration} moments, ${run.committed} entries committed)`,
  );
  return isOk;
}

/** A table of all deliberate bugs. @returns whether each was found */
async function huntAll(firstSeed: number): Promise<boolean> {
  let missed = 0;
  console.log('a member that | found by | seeds (of at most) | seconds');
  for (const mutant of raftMutants) {
    const start = Date.now();
    const { seeds, violation } = await hunt(mutant, { firstSeed });
    if (violation === undefined) missed++;
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    const found = violation?.checker ?? 'NOT FOUND';
    console.log(`${mutant.name} | ${found} | ${seeds} (${mutant.seedsMax}) | ${seconds}`);
  }
  console.log(`${raftMutants.length} mutants, ${missed} not found`);
  return missed === 0;
}

/** The searches, all to this depth where one was asked for. */
function searches(): readonly Profile[] {
  const { depth } = values;
  if (depth === undefined) return profiles;
  return profiles.map((one) => ({ ...one, bounds: { ...one.bounds, depth: Number(depth) } }));
}

function boundsText({ bounds, starts }: Profile): string {
  const used = Object.entries(bounds).filter(([, bound]) => bound > 0);
  return `${starts.join()}: ${used.map(([name, bound]) => `${name} ${bound}`).join(', ')}`;
}

/** @returns whether every state within the bounds is as it should be */
function explore(): boolean {
  const results = searches().map((one) => {
    const start = Date.now();
    const found = new Explorer(one, { statesMax }).explore();
    return report(`${one.name} (${boundsText(one)})`, found, start);
  });
  const start = Date.now();
  return report('two promotions', explorePromotion(), start) && results.every((isOk) => isOk);
}

function report(what: string, found: Exploration, start: number): boolean {
  const { states, transitions, isComplete, violation } = found;
  const how = isComplete ? 'all' : 'NOT all';
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`${what} | ${states} states, ${transitions} transitions, ${how} seen | ${seconds} s`);
  if (violation === undefined) return isComplete;
  console.log(`VIOLATION: ${violation.text}`);
  for (const move of violation.moves) console.log(`  ${move}`);
  return false;
}

/** A table of the deliberate bugs that the explorer finds; it is not there to find all of them. */
async function exploreMutants(): Promise<boolean> {
  let found = 0;
  console.log(
    `a member that | what is wrong | search | moves | states; at most ${statesMax} in each`,
  );
  for (const mutant of raftMutants) {
    const { find, states } = await huntEverywhere(mutant, searches(), { statesMax });
    if (find !== undefined) found++;
    const how = find && `${find.text} | ${find.search} | ${find.moves}`;
    console.log(`${mutant.name} | ${how ?? 'not found | |'} | ${states}`);
  }
  console.log(`${found} of ${raftMutants.length} mutants found`);
  return found > 0;
}

async function main(): Promise<boolean> {
  const first = Number(values.seed);
  if (values.explore) return values.mutants ? exploreMutants() : explore();
  if (values.mutants) return huntAll(first);
  if (values.swarm === undefined) return playOne(first);
  return swarm(first, Number(values.swarm)).length === 0;
}

process.exitCode = (await main()) ? 0 : 1;
