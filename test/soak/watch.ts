import type { RepairReport } from '../../src/agent/upkeep-types.ts';
import { type Cluster, pause } from '../support/cluster.ts';
import type { Fault } from './fault.ts';

const lookEveryMs = 500;
const answerWithinMs = 5_000;

export type Wanted = {
  readonly sites: readonly string[];
  readonly surviveSites: number;
  /** Also what may wait for a day, since all that is promised holds without it: it is begun now. */
  readonly isEverything: boolean;
};

/** What is not as it should be, in the eyes of any agent; undefined: everything is whole. */
export async function trouble(
  cluster: Cluster,
  { sites, surviveSites, isEverything }: Wanted,
): Promise<string | undefined> {
  for (const site of sites) {
    const api = cluster.api(site);
    const begin = isEverything ? 'all' : 'nothing';
    const looks = [api.repairs({ begin }), api.status()] as const;
    const found = await Promise.all(looks).catch(() => undefined);
    if (found === undefined) return `${site} does not answer`;
    const [{ taskCount, dueCount, awaitedPacks, lost, wrong }, { datasets }] = found;
    if (lost.length > 0) return `${site}: ${lost.length} packs are lost`;
    if (wrong.length > 0) return `${site}: ${wrong.length} packs are wrongly encoded`;
    const shards = isEverything ? taskCount : dueCount;
    if (shards > 0) return `${site}: ${shards} shards are to be made`;
    if (awaitedPacks > 0) return `${site}: ${awaitedPacks} packs are awaited`;
    const [dataset] = datasets;
    const sitesMayFail = dataset?.restorable?.sitesMayFail ?? -1;
    if (sitesMayFail < surviveSites) return `${site}: any ${sitesMayFail} more may fail`;
    if (dataset?.pending !== undefined) return `${site}: the newest snapshot is not committed`;
  }
  return undefined;
}

/** What this agent last knew of repairs; undefined while it does not answer. */
function repairsKnownTo(cluster: Cluster, site: string): Promise<RepairReport | undefined> {
  return cluster
    .api(site)
    .repairs({ begin: 'nothing' })
    .catch(() => undefined);
}

/** Packs that no agent knows how to restore. */
export async function lostPacks(cluster: Cluster, sites: readonly string[]): Promise<number> {
  const reports = await Promise.all(sites.map((site) => repairsKnownTo(cluster, site)));
  return Math.max(0, ...reports.map((report) => report?.lost.length ?? 0));
}

/** Shards that this agent has found damaged or gone when it read them; 0 while it does not answer. */
export async function damagedAt(cluster: Cluster, site: string): Promise<number> {
  const report = await cluster
    .api(site)
    .scrub({ isNow: false })
    .catch(() => undefined);
  return report?.damaged ?? 0;
}

/** Shards that this agent believes to hold; undefined while it does not answer. */
export async function shardsCounted(cluster: Cluster, site: string): Promise<number | undefined> {
  const peers = await cluster
    .api(site)
    .peers()
    .catch(() => []);
  return peers.find(({ name }) => name === site)?.shards;
}

/** Shards that this agent knows to be missing, also what may wait; 0 while it does not answer. */
export async function tasksIn(cluster: Cluster, site: string): Promise<number> {
  return (await repairsKnownTo(cluster, site))?.taskCount ?? 0;
}

export type Watch = {
  readonly witness: string;
  /** At the struck one and at the witness, before it was struck. */
  readonly damagedBefore: number;
  readonly tasksBefore: number;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
};

/** Notes when another agent first misses the struck one, or more shards, or it has found the damage itself. */
export async function watchFor(cluster: Cluster, fault: Fault, watch: Watch): Promise<void> {
  const { witness, damagedBefore, tasksBefore, nowMs, signal } = watch;
  const witnessApi = cluster.api(witness);
  while (!signal.aborted && fault.detectedMs === undefined) {
    const [peers, tasks, damaged] = await Promise.all([
      witnessApi.peers().catch(() => []),
      tasksIn(cluster, witness),
      // One that is frozen answers when it is too late to see that it was missed.
      Promise.race([damagedAt(cluster, fault.site), pause(answerWithinMs).then(() => 0)]),
    ]);
    const isMissed = peers.some(
      ({ name, state }) => name === fault.site && state === 'unreachable',
    );
    if (isMissed || tasks > tasksBefore || damaged > damagedBefore) fault.detectedMs = nowMs();
    else await pause(lookEveryMs);
  }
}

/** Every site reads back all that it holds, one after the other, as it does by itself within two weeks. */
export async function readBack(
  cluster: Cluster,
  { sites, restMs, signal }: { sites: readonly string[]; restMs: number; signal: AbortSignal },
): Promise<number> {
  let rounds = 0;
  for (let turn = 0; !signal.aborted; turn++) {
    const site = sites[turn % sites.length] as string;
    const isRead = await cluster
      .api(site)
      .scrub({ isNow: true })
      .then(
        () => true,
        () => false,
      );
    if (isRead) rounds++;
    await pause(restMs);
  }
  return rounds;
}
