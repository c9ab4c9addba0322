import { assert } from '../base/assert.ts';
import { idBytes, type PackId } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import type { ReadPurpose } from '../core/policy/read-purpose.ts';
import { newTraceId } from '../core/trace-id.ts';
import type { Compute } from '../ports/compute.ts';
import type { Network } from '../ports/network.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { ShardSource } from '../ports/shard-store.ts';
import type { DurabilityView } from './durability-view.ts';
import { FrameReader } from './frame-reader.ts';
import type { ShardHolder } from './holder-history.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import { PackPlaces } from './pack-places.ts';
import { PackReader } from './pack-reader.ts';
import type { Peers } from './peers.ts';
import { SnapshotReader } from './snapshot-reader.ts';

export type SnapshotSessionOptions = {
  readonly network: Network;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly view: DurabilityView;
  /** Undefined on a host that holds no shards. */
  readonly store?: ShardSource;
  readonly compute: Compute;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: Log;
};

/** What opens the packs of a snapshot: the identities of its epoch, or keys that were granted. */
export type SnapshotKeySource =
  | { readonly identities: readonly string[] }
  | { readonly keyOf: (pack: PackId) => Uint8Array | undefined };

/** A snapshot's packs, found and ready to be read. Whoever opened it disposes `frames`: they read ahead. */
export type OpenedPacks = {
  readonly packs: PackReader;
  readonly places: PackPlaces;
  readonly frames: FrameReader;
};

export type OpenedSnapshot = OpenedPacks & { readonly reader: SnapshotReader };

/** Opens snapshots out of what the members hold. */
export class SnapshotSession {
  readonly #options: SnapshotSessionOptions;

  constructor(options: SnapshotSessionOptions) {
    this.#options = options;
  }

  /** @throws HoldfastError too-few-shards | not-found | corrupt | wrong-key | bad-encoding */
  async open(
    record: ManifestRecord,
    keys: SnapshotKeySource,
    { purpose, ...options }: Cancel & { readonly purpose?: ReadPurpose } = {},
  ): Promise<OpenedSnapshot> {
    const { packs, places, frames } = await this.openPacks(record, keys, purpose);
    try {
      const reader = await SnapshotReader.open({ manifest: record.manifest, frames, ...options });
      return { reader, packs, places, frames };
    } catch (error) {
      await frames[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Without reading anything yet. */
  async openPacks(
    record: ManifestRecord,
    keys: SnapshotKeySource,
    purpose?: ReadPurpose,
  ): Promise<OpenedPacks> {
    const { compute, sealer } = this.#options;
    const places = await this.#placesOf(record);
    const packs = this.#reader(record, places, purpose);
    const dataset = this.datasetOf(record).id;
    const opening = 'identities' in keys ? keys : { ...keys, identities: [] };
    const frames = new FrameReader({ packs, compute, sealer, dataset, ...opening });
    return { packs, places, frames };
  }

  /** A snapshot's packs as they lie at the members, sealed. */
  async packsOf(record: ManifestRecord, purpose?: ReadPurpose): Promise<PackReader> {
    return this.#reader(record, await this.#placesOf(record), purpose);
  }

  async #placesOf(record: ManifestRecord): Promise<PackPlaces> {
    const { view, peers } = this.#options;
    return new PackPlaces(peers, record, await view.holders(record));
  }

  #reader(
    record: ManifestRecord,
    source: PackPlaces,
    purpose: ReadPurpose | undefined,
  ): PackReader {
    const { network, store, compute, clock, log } = this.#options;
    const trace = newTraceId(`${network.self} ${record.hash}`, {
      ...{ nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() },
    });
    log.log('info', backupMessages.snapshotRead, { snapshot: record.hash, trace });
    return new PackReader({
      ...{ network, source },
      probe: (pack) => this.#probe(pack),
      ...(store === undefined ? {} : { store }),
      ...{ compute, clock, log, purpose, trace },
    });
  }

  datasetOf({ manifest, statement }: ManifestRecord): DatasetRecord {
    const { roster } = this.#options.ledger;
    const dataset = roster.datasetOf(statement.writer, manifest.dataset);
    assert(dataset !== undefined, 'a manifest is accepted after its dataset');
    return dataset;
  }

  /** Asks all members reached who holds shards of a pack: receipts may be out of date. */
  async #probe(pack: PackId): Promise<readonly ShardHolder[]> {
    const { peers } = this.#options;
    const asked = peers.reachable().map(async (member): Promise<ShardHolder[]> => {
      const answer = await peers
        .ask(member.peerKey, { case: 'head', value: { pack: idBytes(pack) } })
        .catch(() => undefined);
      const { peerKey: peer, site } = member;
      return (answer?.indexes ?? []).map((index) => ({ peer, site, index }));
    });
    return (await Promise.all(asked)).flat();
  }
}
