import { hourMs, minuteMs } from '../../src/base/units.ts';
import { commitId } from '../raft/mutants-build.ts';
import { type CheatRun, runCheat } from './cheat.ts';
import { lies } from './shards.ts';

/** `npm run sim -- --cheat`. @returns whether all cheats were found, and nobody else was blamed */
export async function cheatMain(options: {
  readonly seed: number;
  /** Minutes; undefined: one day. */
  readonly swarm: number | undefined;
}): Promise<boolean> {
  const { seed, swarm } = options;
  const endMs = performance.now() + (swarm ?? 0) * minuteMs;
  const runs: CheatRun[] = [];
  const failed: number[] = [];
  do {
    const next = seed + runs.length;
    const run = await runCheat(next);
    runs.push(run);
    console.log(`day ${next}: a cheat that ${run.lie} what it lacks: ${outcome(run)}`);
    if (run.violation !== undefined) failed.push(next);
  } while (performance.now() < endMs);
  console.log(
    'what a cheat does | days | found out | by each alone | median | worst | whole again within',
  );
  for (const lie of lies) {
    const some = runs.filter((run) => run.lie === lie);
    if (some.length > 0) console.log([lie, ...summary(some)].join(' | '));
  }
  console.log(`${runs.length} days from seed ${seed}; failed: ${failed.join(' ') || 'none'}`);
  if (failed.length > 0) console.log(`commit ${commitId()}`);
  return failed.length === 0;
}

function outcome({ violation, caughtMs }: CheatRun): string {
  if (violation !== undefined) return `VIOLATION of ${violation.rule}: ${violation.text}`;
  const known = caughtMs.filter((ms) => ms !== undefined);
  return `found by ${known.length} of ${caughtMs.length}, the first after ${hours(Math.min(...known))}`;
}

function summary(runs: readonly CheatRun[]): (string | number)[] {
  const each = runs.flatMap(({ caughtMs }) => caughtMs);
  const known = each.filter((ms) => ms !== undefined).sort((a, b) => a - b);
  const found = runs.filter(({ caughtMs }) => caughtMs.some((ms) => ms !== undefined)).length;
  const whole = runs.map(({ wholeMs }) => wholeMs ?? Number.POSITIVE_INFINITY);
  return [
    ...[runs.length, found, `${known.length} of ${each.length}`],
    ...[hours(known[known.length >> 1]), hours(known.at(-1)), hours(Math.max(...whole))],
  ];
}

function hours(ms = Number.POSITIVE_INFINITY): string {
  return ms === Number.POSITIVE_INFINITY ? 'never' : `${(ms / hourMs).toFixed(1)} h`;
}
