import { utf8 } from '../../src/base/bytes.ts';
import { encodePack } from '../../src/core/coding/pack-coding.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import { encodePackSegments, type PackEntry } from '../../src/core/format/facts.ts';
import { noChanges } from '../../src/core/format/manifest.ts';
import type { Dataset, Manifest } from '../../src/core/format/records.ts';
import { packIdOf, type ShardHead } from '../../src/core/format/shard.ts';
import { clusterStream, manifestStream } from '../../src/core/format/statement.ts';
import { type DatasetId, type FactHash, idOf, type PackId } from '../../src/core/ids.ts';
import { chooseCode } from '../../src/core/policy/code-choice.ts';
import type { WrittenPack } from '../../src/services/pack-writer.ts';
import { Prng } from '../prng.ts';
import { epochMs } from '../world.ts';
import { keptSnapshots, surviveSites, type YearCluster } from './cluster.ts';
import type { YearHost } from './host.ts';

/** Of here; `scale` times as many in the world. */
export const packSize = 1024;
const id = idOf<DatasetId>(hash('path', utf8('the dataset of a year')).subarray(0, 16));

/** A pack that a snapshot names: what it holds can be made again from its seed. */
export type YearPack = { readonly entry: PackEntry; readonly seed: number };

type Delivery = { readonly host: YearHost; readonly head: ShardHead; readonly bytes: Uint8Array };

/** What a pack holds. */
export function contentOf({ seed }: Pick<YearPack, 'seed'>): Uint8Array {
  return new Prng(seed).bytes(packSize);
}

/** A source with 20 GiB, of which some is new each day: coded and placed as shipped, carried to its place by hand. */
export class YearBackups {
  readonly #cluster: YearCluster;
  readonly #waiting: Delivery[] = [];
  readonly #lists: { readonly sequence: number; readonly packs: readonly YearPack[] }[] = [];
  #packs: YearPack[] = [];
  #made = 0;
  /** Shards have come to disks, or gone from them. */
  onChange: () => void = () => {};

  constructor(cluster: YearCluster) {
    this.#cluster = cluster;
  }

  async begin(packs: number): Promise<void> {
    const dataset: { kind: 'dataset' } & Dataset = {
      ...{ kind: 'dataset', id, name: 'year', keyEpoch: 1 },
      ...{ chunkMin: 16_384, chunkAverage: 65_536, chunkMax: 262_144 },
      recipient: `age1pq1${'q'.repeat(60)}`,
      wrappedIdentity: Uint8Array.of(1),
    };
    await this.#cluster.source.ledger.append(clusterStream, dataset);
    await this.#grow(packs);
    await this.#sign();
  }

  /** Packs that snapshots which are kept name. */
  kept(): ReadonlyMap<PackId, YearPack> {
    return new Map(this.#lists.flatMap(({ packs }) => packs.map((one) => [one.entry.pack, one])));
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The source's outbox goes with its disk. */
  loseOutbox(): void {
    this.#waiting.length = 0;
  }

  /** Some is new, as much as long ago is not needed any more, and the oldest snapshot expires. */
  async backUp(packs: number): Promise<void> {
    const { source, random } = this.#cluster;
    if (source.run === undefined || !source.isUp) return;
    for (let i = 0; i < packs; i++) this.#packs.splice(random.below(this.#packs.length), 1);
    await this.#grow(packs);
    await this.#sign();
    while ((this.#lists[0]?.sequence ?? 0) <= this.#cluster.newest - keptSnapshots)
      this.#lists.shift();
    this.#deleteUnneeded();
  }

  async #grow(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#write();
  }

  async #write(): Promise<void> {
    const { source, hosts, parts } = this.#cluster;
    const seed = 1000 + this.#made++;
    const lost = source.lost.size;
    const code = chooseCode({ siteCount: hosts.length - lost, surviveSites });
    const { k, m } = code;
    const encoded = encodePack({ parts: [contentOf({ seed })], k, m });
    const pack = packIdOf({ k, m, packSize, roots: encoded.roots });
    const entry: PackEntry = { pack, k, m, size: packSize, type: 'data' };
    this.#packs.push({ entry, seed });
    const { ledger, peers, person } = source;
    const of = { writer: person.agentKey, dataset: id };
    const self = person.agentKey;
    const placer = new parts.PackPlacer({
      ledger,
      self,
      peers,
      of,
      ownFreeBytes: () => 1,
      standing: source.standing,
    });
    const written: WrittenPack = {
      ...{ ordinal: seed, entry, keyEpoch: 1, encoded, records: [], bytesDense: 0 },
    };
    for (const { agent, index } of placer.assign(written, code)) {
      const host = hosts.find((one) => one.person.agentKey === agent) as YearHost;
      const { roots } = encoded;
      const leaves = encoded.leaves[index] as Uint8Array;
      const facts = { dataset: id, writer: self, type: 'data' as const };
      const head: ShardHead = { pack, k, m, packSize, roots, index, leaves, ...facts };
      this.#waiting.push({ host, head, bytes: encoded.shards[index] as Uint8Array });
    }
    await this.deliver();
  }

  /** What waits for a host goes there when it can be reached. */
  async deliver(): Promise<void> {
    const { source } = this.#cluster;
    const late = new Set<YearHost>();
    for (const delivery of this.#waiting.splice(0)) {
      const { host, head, bytes } = delivery;
      const isThere = host === source ? source.isUp : this.#cluster.isReached(source, host);
      const store = host.run?.store;
      if (!isThere || store === undefined) {
        this.#waiting.push(delivery);
        continue;
      }
      const writer = await store.write(head);
      if (writer.nextLeaf === 0) await writer.append(bytes);
      await writer.finish();
      late.add(host);
    }
    for (const host of late) host.takenLate();
    if (late.size > 0) this.onChange();
  }

  async #sign(): Promise<void> {
    const { source } = this.#cluster;
    const before = source.ledger.head(source.person.agentKey, manifestStream(id));
    const entries = this.#packs.map(({ entry }) => entry);
    const segments = encodePackSegments(entries);
    for (const segment of segments) await source.facts.put(segment.hash, segment.bytes);
    const sequence = (before?.sequence ?? 0) + 1;
    const manifest: { kind: 'manifest' } & Manifest = {
      ...{ kind: 'manifest', dataset: id, writerEpoch: 1, sequence },
      previous: before === undefined ? undefined : idOf(before.hash),
      ...{ snapshotKind: sequence === 1 ? 'full' : 'increment', policyVersion: 1, keyEpoch: 1 },
      root: {
        pack: entries[0]?.pack as PackId,
        ...{ frame: 0, frameOffset: 0, frameSize: 1, offset: 0, length: 1 },
      },
      packSegments: segments.map(({ hash, count }) => ({ hash: idOf<FactHash>(hash), count })),
      totals: {
        ...{ files: 1, directories: 1, others: 0, bytes: 1, bytesRead: 1, bytesAdded: 1 },
        ...{ filesNew: 0, filesChanged: 1, filesUnmodified: 0, filesUnstable: 0 },
        ...{ chunksNew: 1, durationMs: 1 },
      },
      sourceTimeMs: epochMs + this.#cluster.nowMs,
      nextByMs: 0,
      ...{ tags: [], host: 'source', program: 'holdfast sim', surviveSites, changes: noChanges },
    };
    await source.ledger.append(manifestStream(id), manifest);
    this.#cluster.newest = sequence;
    this.#lists.push({ sequence, packs: [...this.#packs] });
  }

  /** As expiry does in the end; when, and whether it may, is the simulator of keeping's. */
  #deleteUnneeded(): void {
    this.onChange();
    const kept = this.kept();
    for (const { disk } of this.#cluster.hosts) {
      for (const [name, file] of disk.shards.files) {
        if (kept.has(file.pack)) continue;
        disk.shards.files.delete(name);
        disk.rotten.delete(file);
      }
    }
  }
}
