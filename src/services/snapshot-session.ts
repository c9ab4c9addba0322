import { assert } from '../base/assert.ts';
import { codeOf } from '../core/errors.ts';
import { idBytes, type PackId, type TraceId } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { DatasetRecord } from '../core/protocol/roster.ts';
import type { ReadPurpose } from '../core/policy/read-purpose.ts';
import { newTraceId } from '../core/trace-id.ts';
import type { Compute } from '../ports/compute.ts';
import type { Network } from '../ports/network.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { ShardSource } from '../ports/shard-store.ts';
import type { Tracer } from '../ports/tracer.ts';
import type { DurabilityView } from './durability-view.ts';
import { FrameReader } from './frame-reader.ts';
import type { ShardHolder } from './holder-history.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import { PackPlaces } from './pack-places.ts';
import { PackReader, type PackReaderOptions } from './pack-reader.ts';
import type { Peers } from './peers.ts';
import { SnapshotReader } from './snapshot-reader.ts';
import { WatchedRestore } from './watched-restore.ts';

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
  /** Undefined: nobody watches. */
  readonly tracer?: Tracer | undefined;
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
    const { packs, places, frames, watched } = await this.#openPacks(record, keys, purpose);
    const span = watched?.begin('open tree');
    try {
      const reader = await SnapshotReader.open({ manifest: record.manifest, frames, ...options });
      span?.end();
      return { reader, packs, places, frames };
    } catch (error) {
      span?.end({ problem: codeOf(error) ?? 'failed' });
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
    const { watched: _, ...opened } = await this.#openPacks(record, keys, purpose);
    return opened;
  }

  async #openPacks(
    record: ManifestRecord,
    keys: SnapshotKeySource,
    purpose: ReadPurpose | undefined,
  ): Promise<OpenedPacks & { watched: WatchedRestore | undefined }> {
    const { compute, sealer, tracer } = this.#options;
    const places = await this.#placesOf(record);
    const trace = this.#traceOf(record);
    const watched = tracer && new WatchedRestore(tracer, { trace, snapshot: record.hash });
    const packs = this.#reader(places, { purpose, trace, watch: watched?.watch });
    const dataset = this.datasetOf(record).id;
    const opening = 'identities' in keys ? keys : { ...keys, identities: [] };
    const onClosed = (): void => watched?.end(packs.stats);
    const frames = new FrameReader({ packs, compute, sealer, dataset, onClosed, ...opening });
    return { packs, places, frames, watched };
  }

  /** A snapshot's packs as they lie at the members, sealed. */
  async packsOf(record: ManifestRecord, purpose?: ReadPurpose): Promise<PackReader> {
    return this.#reader(await this.#placesOf(record), { purpose, trace: this.#traceOf(record) });
  }

  async #placesOf(record: ManifestRecord): Promise<PackPlaces> {
    const { view, peers } = this.#options;
    return new PackPlaces(peers, record, await view.holders(record));
  }

  #traceOf({ hash }: ManifestRecord): TraceId {
    const { network, clock, log } = this.#options;
    const now = { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    const trace = newTraceId(`${network.self} ${hash}`, now);
    log.log('info', backupMessages.snapshotRead, { snapshot: hash, trace });
    return trace;
  }

  #reader(
    source: PackPlaces,
    told: Pick<PackReaderOptions, 'purpose' | 'trace' | 'watch'>,
  ): PackReader {
    const { network, store, compute, clock, log } = this.#options;
    return new PackReader({
      ...{ network, source },
      probe: (pack) => this.#probe(pack),
      ...(store === undefined ? {} : { store }),
      ...{ compute, clock, log, ...told },
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
