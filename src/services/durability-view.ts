import { equal } from '../base/bytes.ts';
import { codeOf } from '../core/errors.ts';
import type { Holding as FactHolding, PackEntry } from '../core/format/facts.ts';
import { decodeHolding, decodePackSegment } from '../core/format/facts.ts';
import type { FactRef } from '../core/format/records.ts';
import { shardSizeOf } from '../core/format/shard.ts';
import type { AgentKey, PackId, PeerKey, StatementHash } from '../core/ids.ts';
import { idBytes } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Code } from '../core/policy/code-choice.ts';
import { chooseCode } from '../core/policy/code-choice.ts';
import type { Durability, Holding } from '../core/policy/durability.ts';
import { assessDurability, bitCount, sitesNeeded } from '../core/policy/durability.ts';
import { repairGoal } from '../core/policy/repair-plan.ts';
import type { Member } from '../core/protocol/roster.ts';
import type { FactStore } from '../ports/statement-log.ts';
import type { Ledger, ManifestRecord, ReceiptRecord } from './ledger.ts';
import { type OldCode, oldCodeOf } from './old-code.ts';
import { type DatasetOf, storageMembers } from './residency.ts';
import { everybodyStays, type Standing } from './standing.ts';

/** Who is said to hold a shard. */
export type Holder = {
  readonly agent: AgentKey;
  readonly peer: PeerKey;
  readonly site: string;
  readonly index: number;
};

/** What one member said of the packs of a snapshot, in their order. */
type SaidMasks = Pick<Holding, 'masks' | 'extras'>;

/** Snapshots whose pack lists are kept in memory. */
const cacheMax = 16;

/** Answers how safe snapshots are and who holds what, from manifests, receipts and facts alone. */
export class DurabilityView {
  readonly #ledger: Ledger;
  readonly #facts: FactStore;
  readonly #standing: Standing;
  readonly #packs = new Map<StatementHash, readonly PackEntry[]>();
  readonly #masks = new Map<string, SaidMasks>();
  /** By snapshot and agent: of its newest receipt that could be read. */
  readonly #lastMasks = new Map<string, SaidMasks>();

  constructor(ledger: Ledger, facts: FactStore, standing: Standing = everybodyStays) {
    this.#ledger = ledger;
    this.#facts = facts;
    this.#standing = standing;
  }

  /** Sites with at least one storage member that is there to stay, where this dataset may lie. */
  storageSites(of?: DatasetOf): string[] {
    const members = storageMembers(this.#ledger.roster, of, this.#standing);
    return [...new Set(members.map((member) => member.site))].sort();
  }

  /** What the policy makes of the sites there are. */
  code(of?: DatasetOf): Code {
    return chooseCode({
      siteCount: this.storageSites(of).length,
      surviveSites: this.#ledger.roster.policy.surviveSites,
    });
  }

  /** Sites that should hold a pack of this kind, as many as there are. */
  wantedSites(pack: PackEntry): number {
    return this.#wantedSites()(pack);
  }

  /** For many packs. A replicated pack may be older than a code that the cluster has grown into since. */
  #wantedSites(of?: DatasetOf): (pack: PackEntry) => number {
    const siteCount = this.storageSites(of).length;
    const copies = this.code(of).survives + 1;
    return ({ type, k, m }) => {
      if (type === 'metadata') return Math.min(siteCount, limits.metadataCopiesMax);
      return Math.min(siteCount, k === 1 ? copies : k + m);
    };
  }

  /** Site losses that packs of a dataset should outlive: what repairs bring them to in the end. */
  wantedTolerance(of: DatasetOf): (pack: PackEntry) => number {
    const { surviveSites } = this.#ledger.roster.policy;
    const siteCount = this.storageSites(of).length;
    return (pack) => repairGoal(pack, { surviveSites, siteCount });
  }

  /** The packs of a snapshot, or undefined while a segment of the list has not arrived. */
  async packs(record: ManifestRecord): Promise<readonly PackEntry[] | undefined> {
    const known = this.#packs.get(record.hash);
    if (known !== undefined) return known;
    const packs: PackEntry[] = [];
    for (const { hash } of await this.#ledger.packSegments(record)) {
      const segment = await this.#facts.get(idBytes(hash));
      if (segment === undefined) return undefined;
      packs.push(...decodePackSegment(segment));
    }
    remember(this.#packs, record.hash, packs);
    return packs;
  }

  /**
   * What each peer that signed a receipt holds, lost sites aside. Receipts whose facts have not arrived do not count:
   * until then it is what the peer said before that, or nothing.
   */
  async holdings(record: ManifestRecord): Promise<Holding[]> {
    const holdings: Holding[] = [];
    for (const receipt of this.#ledger.receipts(record.hash)) {
      const member = this.#ledger.roster.member(receipt.agent);
      if (member !== undefined && this.#standing.isLost(member.site)) continue;
      const said = await this.#newestMasksOf(record, receipt);
      if (member !== undefined && said !== undefined) {
        holdings.push({ agent: receipt.agent, site: member.site, ...said });
      }
    }
    return holdings;
  }

  /** A word and its facts arrive one after the other: nothing is worse off in between. */
  async #newestMasksOf(
    record: ManifestRecord,
    receipt: ReceiptRecord,
  ): Promise<SaidMasks | undefined> {
    const name = `${record.hash}/${receipt.agent}`;
    const masks = await this.#masksOf(record, receipt);
    if (masks === undefined) return this.#lastMasks.get(name);
    remember(this.#lastMasks, name, masks, cacheMax * limits.shardsMax);
    return masks;
  }

  async #masksOf(record: ManifestRecord, receipt: ReceiptRecord): Promise<SaidMasks | undefined> {
    const name = `${record.hash}/${receipt.hash}`;
    const known = this.#masks.get(name);
    if (known !== undefined) return known;
    const masks: number[] = [];
    const extras: number[] = [];
    const segments = await this.#ledger.packSegments(record);
    for (const [i, hash] of (await this.#ledger.holdings(receipt)).entries()) {
      const fact = await this.#facts.get(idBytes(hash));
      const segment = segments[i];
      if (fact === undefined || segment === undefined) return undefined;
      const holding = holdingFrom(fact, segment);
      if (holding === undefined) return undefined;
      masks.push(...holding.masks);
      extras.push(...(holding.extras ?? holding.masks.map(() => 0)));
    }
    const isSomeExtra = extras.some((extra) => extra !== 0);
    const packed = {
      masks: Uint32Array.from(masks),
      ...(isSomeExtra ? { extras: Uint8Array.from(extras) } : {}),
    };
    remember(this.#masks, name, packed, cacheMax * limits.shardsMax);
    return packed;
  }

  /** @param counts which agents' word counts: all, or those reachable now; never that of who is failing. */
  async assess(
    record: ManifestRecord,
    counts: (agent: AgentKey) => boolean = () => true,
  ): Promise<Durability & { packs: readonly PackEntry[] }> {
    const packs = await this.packs(record);
    const holdings = (await this.holdings(record)).filter(
      ({ agent }) => !this.#standing.isFailing(agent) && counts(agent),
    );
    const of = datasetOf(record);
    const siteCount = this.storageSites(of).length;
    const durability = assessDurability({
      packs: packs ?? [],
      holdings: packs === undefined ? [] : holdings,
      siteCount,
      surviveSites: record.manifest.surviveSites,
      wantedSites: this.#wantedSites(of),
      wantedTolerance: this.wantedTolerance(of),
    });
    return { ...durability, packs: packs ?? [] };
  }

  /**
   * Bytes of the shards that members have signed for, per byte of the data packs before coding; 0 without any.
   * `hot`: those of them that are only parts of full copies.
   */
  async expansion(record: ManifestRecord): Promise<{ stored: number; hot: number }> {
    const packs = (await this.packs(record)) ?? [];
    const holdings = await this.holdings(record);
    const sum = { stored: 0, hot: 0 };
    let bytes = 0;
    for (const [i, { type, k, size }] of packs.entries()) {
      if (type !== 'data') continue;
      bytes += size;
      const shardSize = shardSizeOf({ k, packSize: size });
      for (const { masks, extras } of holdings) {
        sum.stored += bitCount(masks[i] ?? 0) * shardSize;
        sum.hot += bitCount(extras?.[i] ?? 0) * shardSize;
      }
    }
    return bytes === 0 ? sum : { stored: sum.stored / bytes, hot: sum.hot / bytes };
  }

  /** What of a snapshot has the code of before the cluster grew. */
  async oldCode(record: ManifestRecord): Promise<OldCode | undefined> {
    return oldCodeOf((await this.packs(record)) ?? [], this.code(datasetOf(record)));
  }

  /** Of a snapshot that is not committed, or below policy: sites where something is still to be delivered. */
  async missingSites(record: ManifestRecord): Promise<string[]> {
    const durability = await this.assess(record);
    if (isAsWanted(durability)) return [];
    const { sites } = durability;
    const silent = this.storageSites(datasetOf(record)).filter((site) => !sites.includes(site));
    return silent.length > 0 ? silent : this.#sitesWithGaps(record);
  }

  async #sitesWithGaps(record: ManifestRecord): Promise<string[]> {
    const holdings = await this.holdings(record);
    const sites = holdings.filter(({ masks }) => masks.includes(0)).map(({ site }) => site);
    return [...new Set(sites)].sort();
  }

  /**
   * Packs of a snapshot that lie at fewer sites than a commit needs, though that many of the reachable sites
   * could hold them: written before the cluster grew, or damaged since. Empty while a reachable member has
   * not said what it holds.
   */
  async weakPacks(record: ManifestRecord, reachable: readonly Member[]): Promise<PackId[]> {
    const members = reachable.filter((member) => member.hasRole('storage'));
    const of = datasetOf(record);
    const siteCount = this.storageSites(of).length;
    const needed = Math.min(this.code(of).k + 1, siteCount);
    if (new Set(members.map(({ site }) => site)).size < needed) return [];
    const said = new Set((await this.holdings(record)).map(({ agent }) => agent));
    if (members.some(({ agentKey }) => !said.has(agentKey))) return [];
    const wantedSites = this.#wantedSites(of);
    const weak: PackId[] = [];
    for (const [pack, { entry, holders }] of await this.holders(record)) {
      const sites = new Set(holders.map(({ site }) => site)).size;
      if (sites < sitesNeeded(entry, { siteCount, wanted: wantedSites(entry) })) weak.push(pack);
    }
    return weak;
  }

  /**
   * Packs of a snapshot that too few shards are left of, by the word of all storage members. Empty while one
   * of them has not said: what it holds may be what is missing.
   */
  async lostPacks(record: ManifestRecord): Promise<PackId[]> {
    const members = storageMembers(this.#ledger.roster, datasetOf(record), this.#standing);
    const holdings = await this.holdings(record);
    const said = new Set(holdings.map(({ agent }) => agent));
    if (members.some(({ agentKey }) => !said.has(agentKey))) return [];
    const located = await this.holders(record);
    return [...located]
      .filter(([, { entry, holders }]) => new Set(holders.map(({ index }) => index)).size < entry.k)
      .map(([pack]) => pack);
  }

  /** For each pack of a snapshot, who says to hold which shard. */
  async holders(
    record: ManifestRecord,
  ): Promise<Map<PackId, { entry: PackEntry; holders: Holder[] }>> {
    const packs = (await this.packs(record)) ?? [];
    const holdings = await this.holdings(record);
    const located = new Map<PackId, { entry: PackEntry; holders: Holder[] }>();
    for (const [i, entry] of packs.entries()) {
      const holders: Holder[] = [];
      for (const { agent, site, masks } of holdings) {
        const peer = this.#ledger.roster.member(agent)?.peerKey;
        if (peer === undefined) continue;
        for (let index = 0; index < entry.k + entry.m; index++) {
          if (((masks[i] ?? 0) >>> index) & 1) holders.push({ agent, peer, site, index });
        }
      }
      located.set(entry.pack, { entry, holders });
    }
    return located;
  }
}

/** Committed, and as many sites may fail as the policy asks for. */
export function isAsWanted({ state, degradedPacks }: Durability): boolean {
  return state === 'committed' && degradedPacks === 0;
}

function datasetOf({ statement, manifest }: ManifestRecord): DatasetOf {
  return { writer: statement.writer, dataset: manifest.dataset };
}

/** The holding in a fact; undefined when it is another fact, or speaks of other packs: one peer's mistake. */
function holdingFrom(fact: Uint8Array, segment: FactRef): FactHolding | undefined {
  try {
    const holding = decodeHolding(fact);
    const isOfSegment = equal(holding.segment, idBytes(segment.hash));
    return isOfSegment && holding.masks.length === segment.count ? holding : undefined;
  } catch (error) {
    if (codeOf(error) === 'bad-encoding') return undefined;
    throw error;
  }
}

/** Puts into a map that forgets its oldest entries. */
function remember<K, V>(map: Map<K, V>, key: K, value: V, countMax = cacheMax): void {
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= countMax) break;
    map.delete(oldest);
  }
}
