import { parseArgs } from 'node:util';
import { raftMutants } from './mutants.ts';
import { hunt } from './mutants-hunt.ts';
import { type RaftRun, runRaftSeed } from './run.ts';
import { shrink } from './shrink.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    swarm: { type: 'string' },
    trace: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
  },
});

const print = values.trace ? (line: string): void => console.log(line) : undefined;

function play(seed: number): RaftRun {
  const run = runRaftSeed(seed, { print });
  const [violation] = run.violations;
  if (violation === undefined) return run;
  console.log(`seed ${seed}: ${violation.checker} at ${violation.at}: ${violation.text}`);
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

/** Deliberate bugs, one after another. @returns how many were not found */
async function huntAll(firstSeed: number): Promise<number> {
  let missed = 0;
  for (const one of raftMutants) {
    const { seeds, violation } = await hunt(one, { firstSeed });
    if (violation === undefined) missed++;
    const how = violation === undefined ? 'NOT FOUND' : `found by ${violation.checker}`;
    console.log(`a member that ${one.name}: ${how} (${seeds} of at most ${one.seedsMax} seeds)`);
  }
  console.log(`${raftMutants.length - missed} of ${raftMutants.length} found`);
  return missed;
}

const first = Number(values.seed);
if (values.mutants) {
  process.exitCode = (await huntAll(first)) === 0 ? 0 : 1;
} else if (values.swarm === undefined) {
  const run = play(first);
  const { traceHash, steps, duration, committed } = run;
  console.log(
    `seed ${first}: ${run.violations.length === 0 ? 'ok' : 'VIOLATION'} (trace ${traceHash}, ` +
      `${steps} steps, ${duration} moments, ${committed} entries committed)`,
  );
  process.exitCode = run.violations.length === 0 ? 0 : 1;
} else {
  process.exitCode = swarm(first, Number(values.swarm)).length === 0 ? 0 : 1;
}
