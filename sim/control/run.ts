import { initialLog } from '../../src/services/control/initial-log.ts';
import { founder, people } from './cast.ts';
import { ControlCluster, type ControlViolation } from './cluster.ts';
import type { Begun } from './disk.ts';
import { ControlFaults } from './faults.ts';
import { type Parts, shippedParts } from './parts.ts';
import { type ControlFault, type ControlPlan, controlPlanOf } from './plan.ts';
import { ControlWorkload } from './workload.ts';

export type ControlRunOptions = {
  /** In the place of what is shipped: a mutant. */
  readonly parts?: Parts | undefined;
  /** The trouble, in the place of what the seed draws. */
  readonly faults?: readonly ControlFault[] | undefined;
};

export type ControlRun = {
  readonly violation: ControlViolation | undefined;
  /** Of everything that happened. */
  readonly traceHash: string;
  /** The newest lines of the trace. */
  readonly tail: readonly string[];
  readonly virtualMs: number;
  readonly entries: number;
  readonly faults: readonly ControlFault[];
  readonly met: ReadonlyMap<string, number>;
};

/** Every plan must end within this after the end of all trouble: a few attempts at each step, and an operator. */
const healMsMax = 600_000;

/** One seed: trouble, in which nothing wrong may happen; then none, in which every plan must end. */
export async function runControlSeed(
  seed: number,
  options: ControlRunOptions = {},
): Promise<ControlRun> {
  const drawn = controlPlanOf(seed);
  const plan = { ...drawn, faults: options.faults ?? drawn.faults };
  const begun = plan.isFresh ? people.map(() => empty) : await settledDisks();
  const cluster = new ControlCluster({ seed, plan, begun, parts: options.parts ?? shippedParts });
  const workload = new ControlWorkload(cluster);
  const faults = new ControlFaults(cluster);
  await startAll(cluster, plan);
  while (cluster.world.nowMs < plan.durationMs && cluster.isClean) {
    workload.step();
    await cluster.world.advance(1000);
  }
  cluster.world.note('all trouble is over');
  faults.heal();
  await converge(cluster, workload);
  for (const agent of cluster.agents) agent.crash();
  const { violation, world } = cluster;
  const entries = Math.max(...cluster.agents.map(({ disk }) => disk.log.lastIndex));
  const traceHash = world.trace.digest;
  const tail = world.trace.tail();
  const { nowMs: virtualMs, met } = world;
  return { violation, traceHash, tail, virtualMs, entries, faults: plan.faults, met };
}

async function startAll(cluster: ControlCluster, { lateMs }: ControlPlan): Promise<void> {
  const late = cluster.agents.at(-1);
  for (const agent of cluster.agents) if (agent !== late) cluster.start(agent);
  if (late !== undefined) cluster.world.after(lateMs, () => cluster.start(late));
}

async function converge(cluster: ControlCluster, workload: ControlWorkload): Promise<void> {
  const endMs = cluster.world.nowMs + healMsMax;
  while (cluster.isClean) {
    await cluster.world.advance(5000);
    const isQuiet = cluster.leader() !== undefined && workload.help();
    if (isQuiet && isEqual(cluster)) return;
    if (cluster.world.nowMs < endMs) continue;
    const open = workload.describeOpen();
    cluster.fail('liveness', open === '' ? 'no agreement after the end of all trouble' : open);
  }
}

/** Everybody has applied the same, and nobody waits for entries that its journal has lost. */
function isEqual({ agents }: ControlCluster): boolean {
  const [first] = agents;
  return agents.every(
    ({ control, disk }) =>
      control !== undefined &&
      disk.log.lostUpTo === undefined &&
      control.appliedIndex === first?.control?.appliedIndex,
  );
}

const empty: Begun = { stored: initialLog(founder.agentKey), statements: undefined };

let settled: Promise<readonly Begun[]> | undefined;

/** The disks of members that have admitted each other and voted in peace: where most seeds begin. */
function settledDisks(): Promise<readonly Begun[]> {
  settled ??= settle();
  return settled;
}

async function settle(): Promise<readonly Begun[]> {
  const plan = { ...controlPlanOf(1), isFresh: true, hasCheckpoints: false, faults: [], lateMs: 0 };
  const begun = people.map(() => empty);
  const cluster = new ControlCluster({ seed: 1, plan, begun, parts: shippedParts });
  await startAll(cluster, plan);
  const isSettled = (): boolean =>
    cluster.leader()?.control?.status().config.voters.length === 5 && isEqual(cluster);
  for (let i = 0; i < 120 && !isSettled(); i++) await cluster.world.advance(1000);
  if (!isSettled()) throw new Error('five members do not come to vote in peace');
  return cluster.agents.map((agent) => {
    const { control, disk } = agent;
    const index = control?.appliedIndex ?? 0;
    const config = disk.log.configBefore(index + 1);
    const snapshot = { index, term: disk.log.termAt(index) ?? 0, config };
    const state = control?.image() ?? new Uint8Array(0);
    agent.crash();
    const stored = { hard: disk.log.hard, snapshot: { ...snapshot, state }, entries: [] };
    return { stored, statements: disk.statements };
  });
}
