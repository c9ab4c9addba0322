import { parseArgs } from 'node:util';
import { Explorer, smallBounds } from './explore.ts';
import { explorePromotion } from './explore-promotion.ts';
import { raftMutants } from './mutants.ts';
import { commitId } from './mutants-build.ts';
import { hunt } from './mutants-hunt.ts';
import { type RaftRun, runRaftSeed } from './run.ts';
import { shrink } from './shrink.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    swarm: { type: 'string' },
    trace: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    explore: { type: 'boolean', default: false },
    terms: { type: 'string', default: String(smallBounds.terms) },
    proposals: { type: 'string', default: String(smallBounds.proposals) },
    crashes: { type: 'string', default: String(smallBounds.crashes) },
    messages: { type: 'string', default: String(smallBounds.messages) },
    depth: { type: 'string', default: String(smallBounds.depth) },
  },
});

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

/** @returns whether every state within the bounds is as it should be */
function explore(): boolean {
  const bounds = {
    terms: Number(values.terms),
    proposals: Number(values.proposals),
    crashes: Number(values.crashes),
    messages: Number(values.messages),
    depth: Number(values.depth),
  };
  console.log(`three voters, within ${JSON.stringify(bounds)}`);
  const start = Date.now();
  const raft = new Explorer(bounds).explore();
  const promotion = explorePromotion();
  for (const [what, { states, transitions, isComplete, violation }] of Object.entries({
    raft,
    promotion,
  })) {
    const how = isComplete ? 'all' : 'NOT all';
    console.log(`${what}: ${states} states, ${transitions} transitions, ${how} of them seen`);
    if (violation === undefined) continue;
    console.log(`VIOLATION: ${violation.text}`);
    for (const move of violation.moves) console.log(`  ${move}`);
  }
  console.log(`${((Date.now() - start) / 1000).toFixed(1)} seconds`);
  return raft.isComplete && promotion.isComplete;
}

async function main(): Promise<boolean> {
  const first = Number(values.seed);
  if (values.explore) return explore();
  if (values.mutants) return huntAll(first);
  if (values.swarm === undefined) return playOne(first);
  return swarm(first, Number(values.swarm)).length === 0;
}

process.exitCode = (await main()) ? 0 : 1;
