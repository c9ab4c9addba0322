import type { PackEntry } from '../../../src/core/format/facts.ts';
import type { Agent } from '../../../src/agent/agent.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import type { DataAgent } from '../agent.ts';
import type { DataCluster } from '../cluster.ts';
import { extrasOn } from '../extras.ts';
import type { DataChecker } from '../observation.ts';
import { shardName } from '../shard-files.ts';

type Holder = { readonly agent: string; readonly site: string; readonly index: number };
type Located = ReadonlyMap<
  string,
  { readonly entry: PackEntry; readonly holders: readonly Holder[] }
>;

/** Newest manifests looked at, at each host. */
const recordsMax = 4;

/** What members say of snapshots is never better than what honest peers hold. */
export class HonestView implements DataChecker {
  readonly name = 'honest-view';

  /** Of each host, shards that were here for a full copy at some time: who was away still counts on what went. */
  readonly #extras = new Map<string, Set<string>>();

  async look(cluster: DataCluster): Promise<string | undefined> {
    for (const host of cluster.plan.hot === undefined ? [] : cluster.agents) {
      const before = this.#extras.get(host.agentKey) ?? [];
      this.#extras.set(host.agentKey, new Set([...before, ...extrasOn(host)]));
    }
    for (const host of cluster.running()) {
      const { agent } = host;
      if (agent === undefined) continue;
      for (const record of agent.ledger.manifests().slice(-recordsMax)) {
        const text = await this.#manifest(cluster, agent, record);
        if (text !== undefined) return `${host.name} of ${record.hash.slice(0, 8)}: ${text}`;
      }
      const text = await this.#status(cluster, host, agent);
      if (text !== undefined) return `status at ${host.name}: ${text}`;
    }
    return undefined;
  }

  async #manifest(
    cluster: DataCluster,
    agent: Agent,
    record: ManifestRecord,
  ): Promise<string | undefined> {
    const { state, sitesMayFail, sites } = await agent.view.assess(record);
    const located: Located = await agent.view.holders(record);
    const lie = missingShard(cluster, located, this.#extras);
    if (lie !== undefined) return lie;
    if (state === 'staged') return undefined;
    if (sitesMayFail > trueTolerance(located)) {
      return `${sitesMayFail} sites may fail, it says; in truth ${trueTolerance(located)}`;
    }
    if (state !== 'committed') return undefined;
    const { plan } = cluster;
    const storing = agent.view.storageSites().length;
    if (sitesMayFail < Math.min(1, storing - 1)) return 'committed, though no site may fail';
    if (sites.length < Math.min(plan.surviveSites + 1, storing)) {
      return `committed, and ${sites.length} sites have the manifest`;
    }
    const snapshot = cluster.snapshots.get(record.hash);
    // What full copies add while they are there, nobody has promised.
    const promised =
      plan.hot === undefined ? sitesMayFail : Math.min(sitesMayFail, plan.surviveSites);
    if (snapshot !== undefined) snapshot.stated = Math.max(snapshot.stated ?? 0, promised);
    return undefined;
  }

  /** Restorable now means: from those who are connected now. */
  async #status(cluster: DataCluster, host: DataAgent, agent: Agent): Promise<string | undefined> {
    const connected = new Set(host.run?.network.connections().map(({ peer }) => peer));
    const near = cluster.agents.filter((one) => one === host || connected.has(one.person.peerKey));
    const sites = new Set(near.map(({ site }) => site));
    for (const { newest } of await agent.status.datasets()) {
      const far = newest?.now.sites.find((site) => !sites.has(site));
      if (far !== undefined) return `counts ${far}, which is not connected`;
      if (newest?.now.isRecoverable !== true) continue;
      const located: Located = await agent.view.holders(newest.record);
      const left = trueTolerance(located, sites);
      if (newest.now.sitesMayFail > left) {
        return `${newest.now.sitesMayFail} more sites may fail, it says; in truth ${left}`;
      }
    }
    return undefined;
  }
}

/** Somebody honest is said to hold what it does not, though no fault has taken it, nor was it an extra. */
export function missingShard(
  cluster: DataCluster,
  located: Located,
  extras: ReadonlyMap<string, ReadonlySet<string>> = new Map(),
): string | undefined {
  for (const [pack, { holders }] of located) {
    for (const { agent: key, index } of holders) {
      const agent = cluster.agents.find((one) => one.agentKey === key);
      if (agent === undefined || agent.isGone || !cluster.isHonest(agent)) continue;
      const name = shardName({ pack: pack as PackEntry['pack'], index });
      const { files, harmed } = agent.disk.shards;
      if (files.get(name)?.isDurable === true || harmed.has(name)) continue;
      if (extras.get(key)?.has(name) === true) continue;
      return `${agent.name} is said to hold ${pack.slice(0, 8)} ${index}`;
    }
  }
  return undefined;
}

/** By trying every way in which sites can fail: -1 when something cannot be rebuilt now. */
export function trueTolerance(located: Located, only?: ReadonlySet<string>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { entry, holders } of located.values()) {
    const bySite = new Map<string, number>();
    for (const { site, index } of holders) {
      if (only !== undefined && !only.has(site)) continue;
      bySite.set(site, (bySite.get(site) ?? 0) | (1 << index));
    }
    least = Math.min(least, toleranceOf(entry.k, [...bySite.values()]));
  }
  return least;
}

function toleranceOf(k: number, masks: readonly number[]): number {
  let least = masks.length;
  for (let left = 0; left < 1 << masks.length; left++) {
    const union = masks.reduce((all, mask, i) => ((left >> i) & 1 ? all | mask : all), 0);
    if (count(union) >= k) continue;
    least = Math.min(least, masks.length - count(left));
  }
  return least - 1;
}

function count(mask: number): number {
  let bits = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
