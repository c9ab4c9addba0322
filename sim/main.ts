import { parseArgs } from 'node:util';
import { controlMain } from './control/main.ts';
import { dataMain } from './data/main.ts';
import { keepingMain } from './keeping/main.ts';
import { mutants } from './mutants.ts';
import { type Outcome, Simulation } from './simulation.ts';
import { cheatMain } from './year/cheat-main.ts';
import { yearMain } from './year/main.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    steps: { type: 'string' },
    swarm: { type: 'string' },
    mutant: { type: 'string' },
    trace: { type: 'boolean', default: false },
    control: { type: 'boolean', default: false },
    data: { type: 'boolean', default: false },
    keeping: { type: 'boolean', default: false },
    year: { type: 'boolean', default: false },
    cheat: { type: 'boolean', default: false },
    profile: { type: 'string', default: 'C' },
    times: { type: 'string', default: '1' },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});

const steps = Number(values.steps ?? 200);
const tailLength = 40;
const mutant = values.mutant === undefined ? undefined : mutants[Number(values.mutant)];

async function play(seed: number): Promise<Outcome> {
  console.log(`seed ${seed}${mutant === undefined ? '' : `, mutant that ${mutant.name}`}`);
  const outcome = await new Simulation({ seed, steps, mutant }).run();
  const { digest, events, virtualMs, said, members, violation } = outcome;
  if (values.trace || violation !== undefined) {
    for (const line of outcome.tail.slice(values.trace ? 0 : -tailLength)) console.log(line);
  }
  const what = violation === undefined ? 'ok' : `VIOLATION: ${violation}`;
  console.log(
    `seed ${seed}: ${what} (trace ${digest}, ${events} events, ${said} statements, ` +
      `${members} members, ${Math.round(virtualMs / 1000)} virtual s)`,
  );
  return outcome;
}

/** Seed after seed until the time is over. @returns those that failed. */
async function swarm(firstSeed: number, minutes: number): Promise<number[]> {
  const endMs = Date.now() + minutes * 60_000;
  const failed: number[] = [];
  const met = new Map<string, number>();
  let seed = firstSeed;
  for (; Date.now() < endMs; seed++) {
    const outcome = await play(seed);
    if (outcome.violation !== undefined) failed.push(seed);
    for (const [what, count] of outcome.met) met.set(what, (met.get(what) ?? 0) + count);
  }
  for (const [what, count] of met) console.log(`met ${count} times: ${what}`);
  console.log(`${seed - firstSeed} seeds from ${firstSeed}; failed: ${failed.join(' ') || 'none'}`);
  return failed;
}

async function main(): Promise<boolean> {
  const first = Number(values.seed);
  const minutes = values.swarm === undefined ? undefined : Number(values.swarm);
  if (values.control) {
    const { trace: hasTrace, mutants: isHunt } = values;
    const only = values.only?.split(',').filter(Boolean).map(Number);
    return controlMain({ seed: first, swarm: minutes, hasTrace, isHunt, only });
  }
  if (values.data) {
    const { trace: hasTrace, mutants: isHunt } = values;
    const steps = values.steps === undefined ? undefined : Number(values.steps);
    return dataMain({ seed: first, steps, swarm: minutes, hasTrace, isHunt });
  }
  if (values.keeping) {
    const { trace: hasTrace, mutants: isHunt } = values;
    return keepingMain({ seed: first, swarm: minutes, hasTrace, isHunt });
  }
  if (values.cheat) return cheatMain({ seed: first, swarm: minutes });
  if (values.year) {
    const { profile, mutants: isHunt } = values;
    const times = Number(values.times);
    return yearMain({ seed: first, swarm: minutes, profile, times, isHunt });
  }
  if (minutes === undefined) return (await play(first)).violation === undefined;
  return (await swarm(first, minutes)).length === 0;
}

process.exitCode = (await main()) ? 0 : 1;
