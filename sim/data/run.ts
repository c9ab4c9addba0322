import { receiptStream } from '../../src/core/format/statement.ts';
import { chooseCode } from '../../src/core/policy/code-choice.ts';
import type { DataAgent } from './agent.ts';
import { DataCluster, type DataViolation } from './cluster.ts';
import { isOwed } from './checkers/restorable.ts';
import { DataFaults } from './faults.ts';
import { HotPolicy } from './hot-policy.ts';
import { type DataParts, shippedParts } from './parts.ts';
import { type DataFault, type DataPlan, dataPlanOf } from './plan.ts';
import { DataWorkload } from './workload.ts';

export type DataRunOptions = {
  /** In the place of what is shipped: a mutant. */
  readonly parts?: DataParts | undefined;
  /** The trouble, in the place of what the seed draws. */
  readonly faults?: readonly DataFault[] | undefined;
  /** Of the workload, in the place of as many as fit the time that the seed draws. */
  readonly steps?: number | undefined;
  /** Other parts of the plan, in the place of what the seed draws. */
  readonly plan?: Partial<DataPlan> | undefined;
};

export type DataRun = {
  readonly violation: DataViolation | undefined;
  /** Of everything that happened. */
  readonly traceHash: string;
  /** The newest lines of the trace. */
  readonly tail: readonly string[];
  readonly virtualMs: number;
  readonly snapshots: number;
  readonly faults: readonly DataFault[];
  readonly met: ReadonlyMap<string, number>;
};

const stepMs = 1500;
const stepsPerLook = 4;
/** A backup that did not become committed is repeated after this. */
const backupPeriodMs = 30_000;
/** Within this all that was begun must be finished: some periods of retrying, and requests that time out. */
const healMsMax = 600_000;

/** One seed: trouble, in which nothing wrong may be said, kept or restored; then none, and everything is owed. */
export async function runDataSeed(seed: number, options: DataRunOptions = {}): Promise<DataRun> {
  const drawn = { ...dataPlanOf(seed), ...options.plan };
  const plan = { ...drawn, faults: options.faults ?? drawn.faults };
  const cluster = new DataCluster({ seed, plan, parts: options.parts ?? shippedParts });
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  // It would end a real agent. While this runs, all of them are this one's.
  process.on('unhandledRejection', (error) => {
    cluster.fail('failure', `unhandled: ${String((error as Error).stack ?? error)}`);
  });
  try {
    await play(cluster, options.steps ?? Number.POSITIVE_INFINITY);
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const other of others) process.on('unhandledRejection', other);
  }
  const { violation, world } = cluster;
  const { nowMs: virtualMs, met } = world;
  const snapshots = cluster.snapshots.size;
  const tail = world.trace.tail();
  return {
    ...{ violation, tail, virtualMs, met, snapshots },
    traceHash: world.trace.digest,
    faults: plan.faults,
  };
}

async function play(cluster: DataCluster, stepsMax: number): Promise<void> {
  const { world, plan } = cluster;
  const faults = new DataFaults(cluster);
  const workload = new DataWorkload(cluster, (source) => faults.backupBegins(source));
  for (const agent of cluster.agents) agent.startAgain();
  new HotPolicy(cluster).begin();
  if (plan.hasNewcomer) world.after(cluster.random.below(plan.durationMs), () => join(cluster));
  const goesOn = (step: number): boolean =>
    cluster.isClean && step <= stepsMax && (world.nowMs < plan.durationMs || stepsMax < Infinity);
  for (let step = 1; goesOn(step); step++) {
    workload.step();
    await world.advance(cluster.random.below(2 * stepMs));
    if (step % stepsPerLook === 0) await cluster.look();
  }
  world.note('all trouble is over');
  faults.heal();
  await settle(cluster, workload);
  if (cluster.isClean) await restoreAll(cluster, workload);
  for (const agent of [...cluster.agents, ...cluster.clones]) agent.crash();
}

/** Until it is a member. */
function join(cluster: DataCluster): void {
  const agent = cluster.agents.at(-1);
  const [founder] = cluster.agents;
  if (agent === undefined || founder === undefined || agent.isMember || founder.isGone) return;
  const contact = { peer: founder.person.peerKey, multiaddrs: [founder.address] };
  agent.join(contact).then(
    (isMember) => {
      if (isMember) agent.startAgain();
      else cluster.world.after(5000, () => join(cluster));
    },
    (error) => agent.options.onFailure(error),
  );
}

/** Every source that can backs up once more; then nothing may be left to do. */
async function settle(cluster: DataCluster, workload: DataWorkload): Promise<void> {
  const { world } = cluster;
  const endMs = world.nowMs + healMsMax;
  let nextMs = world.nowMs;
  workload.done.clear();
  let missing: Missing | undefined = { checker: 'liveness', text: 'nobody has been asked' };
  while (missing !== undefined && cluster.isClean) {
    if (world.nowMs >= nextMs) {
      nextMs = world.nowMs + backupPeriodMs;
      for (const agent of sources(cluster)) if (!workload.done.has(agent)) workload.backUp(agent);
    }
    await world.advance(5000);
    await cluster.look();
    missing = await leftToDo(cluster, workload);
    if (world.nowMs < endMs || missing === undefined) continue;
    cluster.fail(missing.checker, missing.text);
  }
}

type Missing = { readonly checker: string; readonly text: string };

async function leftToDo(
  cluster: DataCluster,
  workload: DataWorkload,
): Promise<Missing | undefined> {
  const isTooMuch = lossesOf(cluster) > cluster.plan.surviveSites;
  const missing = await cluster.missing();
  if (missing !== undefined && !isTooMuch) return missing;
  const checker = 'liveness';
  const idle = cluster.honest().find(({ agent }) => agent === undefined);
  if (idle !== undefined) return { checker, text: `${idle.name} does not run` };
  const silent = sources(cluster).find((agent) => !workload.done.has(agent));
  if (silent === undefined || !canCommit(cluster)) return undefined;
  return { checker, text: `${silent.name} has no new snapshot` };
}

/** Enough sites are left for what the product calls committed: more than can rebuild it. */
function canCommit(cluster: DataCluster): boolean {
  const siteCount = cluster.agents.filter(({ isMember }) => isMember).length;
  const { surviveSites } = cluster.plan;
  const { k, sites } = chooseCode({ siteCount, surviveSites });
  // What a fault has taken from a site that is there is stored anew.
  const left = siteCount - cluster.agents.filter((one) => isLost(cluster, one)).length;
  // A copy at a lost site, or on its way there, is not made anew elsewhere while that site is a member.
  if (k === 1 && sites < siteCount && left < siteCount) return false;
  return left >= Math.min(surviveSites + 1, siteCount) && left >= Math.min(k + 1, siteCount, sites);
}

/** Sites that no longer keep what they said, or never did, or whose word counts no more. */
function lossesOf(cluster: DataCluster): number {
  return cluster.agents.filter((one) => isLost(cluster, one)).length;
}

function isLost(cluster: DataCluster, agent: DataAgent): boolean {
  const isForked = cluster.forkedStreams(agent).includes(receiptStream);
  return agent.isGone || !cluster.isHonest(agent) || isForked;
}

/** Those that can back up: who has signed two histories of snapshots waits for a person. */
function sources(cluster: DataCluster): typeof cluster.agents {
  return cluster
    .honest()
    .filter(({ isSource }) => isSource)
    .filter((one) => cluster.forkedStreams(one).every((stream) => stream === receiptStream));
}

/** On a blank machine, everything that any honest member has ever called committed. */
async function restoreAll(cluster: DataCluster, workload: DataWorkload): Promise<void> {
  const { world } = cluster;
  const work = async (): Promise<void> => {
    await using machine = await workload.blank();
    for (const snapshot of cluster.snapshots.values()) {
      if (!cluster.isClean) return;
      await workload.restoreAt(machine.blank, snapshot, isOwed(cluster, snapshot));
    }
  };
  let isDone = false;
  work().then(
    () => {
      isDone = true;
    },
    (error) => cluster.fail('failure', String((error as Error).stack ?? error)),
  );
  const endMs = world.nowMs + healMsMax;
  while (!isDone && cluster.isClean) {
    await world.advance(1000);
    if (world.nowMs > endMs) cluster.fail('liveness', 'the restores do not end');
  }
}
