import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type FailoverTimes, measureFailover, settledLeader, timesOf } from './failover-time.ts';
import { Fleet, fleetHosts } from './fleet.ts';
import { Operator } from './operator.ts';
import { applyCuts } from './partition.ts';
import { Round, type RoundReport } from './round.ts';
import { Watch } from './watch.ts';

// Runs inside the switch's namespace: main.ts makes the network, and removes it whatever happens here.

const [prefix = '', ...given] = process.argv.slice(2);
const { values } = parseArgs({
  args: given,
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    scenario: { type: 'string', default: 'all' },
    kills: { type: 'string', default: '30' },
    minutes: { type: 'string', default: '60' },
    out: { type: 'string' },
  },
});

async function main(): Promise<number> {
  const founder = fleetHosts[0]?.name ?? '';
  await using fleet = new Fleet(prefix);
  const onSignal = (): void => {
    void fleet[Symbol.asyncDispose]().finally(() => process.exit(130));
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  applyCuts([]);
  await fleet.form(fleetHosts, { surviveSites: 2 });
  console.log(
    `${fleetHosts.length} agents in namespaces ${prefix}-*; leader ${await settledLeader(fleet)}`,
  );
  const operator = new Operator(fleet, founder);
  let failed = 0;
  if (values.scenario === 'all' || values.scenario === 'failover') {
    const times = await measureFailover(fleet, operator, Number(values.kills));
    tellTimes(times);
    keep('failover-times.json', times);
  }
  if (values.scenario === 'all' || values.scenario === 'rounds') {
    failed = await playRounds(fleet, operator);
  }
  return failed === 0 ? 0 : 1;
}

async function playRounds(fleet: Fleet, operator: Operator): Promise<number> {
  const reports: RoundReport[] = [];
  const endMs = performance.now() + Number(values.minutes) * 60_000;
  await using watch = new Watch(
    fleet,
    fleetHosts.map(({ name }) => name),
  );
  const count = Number(values.rounds);
  for (let i = 0; i < count && performance.now() < endMs; i++) {
    const seed = Number(values.seed) + i;
    const report = await new Round({ fleet, watch, operator }, i, seed).run();
    reports.push(report);
    tellRound(report);
    if (report.problems.length > 0) {
      for (const { name } of fleetHosts) keep(`seed-${seed}-${name}.log`, fleet.log(name));
    }
  }
  const failed = reports.filter(({ problems }) => problems.length > 0).length;
  const settled = timesOf(reports.map(({ settledMs }) => settledMs));
  console.log(
    `${reports.length - failed} passed, ${failed} failed; ${watch.polls} polls;` +
      ` plans ended ${settled.median} ms after the trouble (median; worst ${settled.worst} ms)`,
  );
  keep('rounds.json', { rounds: reports.length, failed, polls: watch.polls, settled, reports });
  return failed;
}

function tellTimes({ kills, confirmedMs, appliedMs }: FailoverTimes): void {
  console.log(
    `${kills} kills: another leader confirmed after ${confirmedMs.median} ms` +
      ` (p95 ${confirmedMs.p95}, worst ${confirmedMs.worst}), a command applied after` +
      ` ${appliedMs.median} ms (p95 ${appliedMs.p95}, worst ${appliedMs.worst})`,
  );
}

function tellRound({ round, seed, way, from, to, state, told, ...rest }: RoundReport): void {
  const verdict = rest.problems.length === 0 ? 'ok' : 'FAILED';
  console.log(
    `round ${round} (seed ${seed}): ${verdict}: ${way}, ${from} to ${to}: ${state}` +
      ` ${rest.settledMs} ms after ${told.length} troubles; ${rest.tookMs} ms in all`,
  );
  if (rest.problems.length === 0) return;
  for (const line of [...told, ...rest.details, ...rest.problems]) console.log(`    ${line}`);
}

function keep(name: string, value: object | string): void {
  if (values.out === undefined) return;
  const directory = resolve(values.out);
  mkdirSync(directory, { recursive: true });
  const text = typeof value === 'string' ? value : `${JSON.stringify(value, null, 2)}\n`;
  writeFileSync(join(directory, name), text);
}

process.exitCode = await main();
