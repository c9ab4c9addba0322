import type { CoordinatorReport } from '../../src/agent/coordinator-types.ts';
import { encodePolicy } from '../../src/core/policy/policy-text.ts';
import { pause } from '../support/cluster.ts';
import type { Fleet } from './fleet.ts';
import type { Operator } from './operator.ts';
import { type Times, timesOf } from './times.ts';
import { leaderOf } from './trouble.ts';
import { answered } from './watch.ts';

export type FailoverTimes = {
  readonly kills: number;
  /** Until a survivor tells of a new leader whom a quorum has confirmed. */
  readonly confirmedMs: Times;
  /** Until a command that was given at the moment of the kill has been applied. */
  readonly appliedMs: Times;
  readonly each: readonly { leader: string; confirmedMs: number; appliedMs: number }[];
};

/** Kills the leader again and again, each time when all is well. */
export async function measureFailover(
  fleet: Fleet,
  operator: Operator,
  kills: number,
): Promise<FailoverTimes> {
  const each: { leader: string; confirmedMs: number; appliedMs: number }[] = [];
  while (each.length < kills) {
    const leader = await settledLeader(fleet);
    const others = fleet.awake.map(({ name }) => name).filter((name) => name !== leader);
    const witness = others[each.length % others.length] as string;
    // Read before the kill, since the number must be the one in force.
    const policy = await fleet.api(witness).policy();
    await fleet.kill(leader);
    const startMs = performance.now();
    const sinceKill = (): number => Math.round(performance.now() - startMs);
    const [confirmedMs, appliedMs] = await Promise.all([
      untilConfirmed(fleet, others, leader).then(sinceKill),
      untilApplied(operator, witness, policy).then(sinceKill),
    ]);
    each.push({ leader, confirmedMs, appliedMs });
    console.log(`  kill ${each.length} (${leader}): ${confirmedMs} ms, command ${appliedMs} ms`);
    await fleet.start(leader);
  }
  return {
    kills,
    confirmedMs: timesOf(each.map((one) => one.confirmedMs)),
    appliedMs: timesOf(each.map((one) => one.appliedMs)),
    each,
  };
}

/** The leader, once all agree on it and have a moment of peace behind them. */
export async function settledLeader(fleet: Fleet): Promise<string> {
  const endMs = performance.now() + 60_000;
  while (performance.now() < endMs) {
    const reports = await Promise.all(
      fleet.awake.map(({ name }) => answered(fleet.api(name).coordinator()).catch(() => undefined)),
    );
    const [first] = reports;
    const isCalm = reports.every(
      (one) => one?.isConfirmed && one.leader === first?.leader && isComplete(one),
    );
    if (isCalm && first?.leader !== undefined) return first.leader;
    await pause(500);
  }
  throw new Error(`no leader on whom all agree; last: ${await leaderOf(fleet)}`);
}

function isComplete({ votersReachable, voters }: CoordinatorReport): boolean {
  return votersReachable === voters.length;
}

async function untilConfirmed(
  fleet: Fleet,
  names: readonly string[],
  before: string,
): Promise<void> {
  const endMs = performance.now() + 60_000;
  const look = async (name: string): Promise<void> => {
    while (performance.now() < endMs) {
      const report = await answered(fleet.api(name).coordinator()).catch(() => undefined);
      if (report?.isConfirmed && report.leader !== before) return;
      await pause(20);
    }
    throw new Error('nobody else leads within a minute');
  };
  await Promise.any(names.map(look));
}

/** The policy as it is, under the next number: a command that changes nothing else. */
async function untilApplied(
  operator: Operator,
  through: string,
  { version, document }: PolicyFields,
): Promise<void> {
  const text = encodePolicy(document);
  const policy = { kind: 'policy', version: version + 1, base: version, document: text } as const;
  const report = await operator.submit(through, policy);
  if (report.outcome === 'void') throw new Error(`the command was void: ${report.reason}`);
}

type PolicyFields = Awaited<ReturnType<ReturnType<Fleet['api']>['policy']>>;
