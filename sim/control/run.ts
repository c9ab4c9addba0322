import { ControlCluster, type ControlViolation } from './cluster.ts';
import { ControlFaults } from './faults.ts';
import { type Parts, shippedParts } from './parts.ts';
import { type ControlFault, type ControlPlan, controlPlanOf, isOverBudget } from './plan.ts';
import { emptyDisks, settledDisks } from './settled.ts';
import { Upgrade } from './upgrade.ts';
import { type Builds, shippedBuilds } from './versions.ts';
import { ControlWorkload } from './workload.ts';

export type ControlRunOptions = {
  /** In the place of what is shipped: a mutant. */
  readonly parts?: Parts | undefined;
  /** The one checker that is listened to; undefined: all. */
  readonly by?: string | undefined;
  /** Called at every turn. */
  readonly onTurn?: (() => void) | undefined;
  /** Keeps the whole trace. */
  readonly hasTrace?: boolean | undefined;
  /** In the place of what the seed draws. */
  readonly plan?: ControlPlan | undefined;
  /** The trouble, in the place of what the seed draws. */
  readonly faults?: readonly ControlFault[] | undefined;
  /** Between which hosts are upgraded, where the plan has that; mutants have their own. */
  readonly builds?: Builds | undefined;
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
/** Where more is broken than a log bears, nothing must come to an end: what goes on is watched this long. */
const restMs = 20_000;
/** After a decree: who may vote again is chosen once its few voters are let go. */
const choiceMs = 20_000;

/** One seed: trouble, in which nothing wrong may happen; then none, in which every plan must end. */
export async function runControlSeed(
  seed: number,
  options: ControlRunOptions = {},
): Promise<ControlRun> {
  const drawn = options.plan ?? controlPlanOf(seed);
  const plan = { ...drawn, faults: options.faults ?? drawn.faults };
  const begun = plan.isFresh ? emptyDisks(plan.memberCount) : await settledDisks(plan);
  const cluster = new ControlCluster({ seed, plan, begun, parts: options.parts ?? shippedParts });
  cluster.by = options.by;
  cluster.world.onTurn = options.onTurn;
  cluster.world.trace.isWhole = options.hasTrace === true;
  const upgrade = plan.faults.find((one) => one.kind === 'upgrade');
  if (upgrade !== undefined) {
    const builds = options.builds ?? (await shippedBuilds());
    cluster.upgrade = new Upgrade(cluster, builds, upgrade);
  }
  const workload = new ControlWorkload(cluster);
  const faults = new ControlFaults(cluster, workload);
  await startAll(cluster, plan);
  while (cluster.world.nowMs < plan.durationMs && cluster.isClean) {
    workload.step();
    await cluster.world.advance(1000);
  }
  cluster.world.note('all trouble is over');
  faults.heal();
  if (isOverBudget(plan.faults)) await cluster.world.advance(restMs);
  else await converge(cluster, workload, faults);
  cluster.rest();
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

async function converge(
  cluster: ControlCluster,
  workload: ControlWorkload,
  faults: ControlFaults,
): Promise<void> {
  const endMs = cluster.world.nowMs + healMsMax;
  let doneMs = cluster.world.nowMs;
  while (cluster.isClean) {
    await cluster.world.advance(5000);
    const isQuiet = cluster.leader() !== undefined && workload.help() && !faults.isOpen;
    const isDone = isQuiet && isEqual(cluster);
    if (!isDone) doneMs = cluster.world.nowMs;
    const generation = cluster.state?.generation ?? 1;
    if (isDone && (generation === 1 || cluster.world.nowMs - doneMs >= choiceMs)) return;
    if (cluster.world.nowMs < endMs) continue;
    const open = workload.describeOpen();
    cluster.fail('liveness', open === '' ? 'no agreement after the end of all trouble' : open);
  }
}

/** Everybody has applied the same, nobody waits for entries that its journal has lost, or for a decree. */
function isEqual({ agents }: ControlCluster): boolean {
  const there = agents.filter(({ isLost }) => !isLost);
  const places = there.map(({ run, disk }) => {
    const isWaiting = disk.log.lostUpTo !== undefined || run?.decrees.pending !== undefined;
    if (run === undefined || isWaiting) return undefined;
    return `${run.control.state.generation}/${run.control.appliedIndex}`;
  });
  return places.every((place) => place !== undefined && place === places[0]);
}
