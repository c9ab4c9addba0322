import { assert } from '../base/assert.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import type { PackEntry } from '../core/format/facts.ts';
import type { IndexRecord } from '../core/format/index-segment.ts';
import { packIdOf } from '../core/format/shard.ts';
import { type PackId, type PeerKey, shortId } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { Code } from '../core/policy/code-choice.ts';
import { planRecoding } from '../core/policy/recoding.ts';
import type { Member } from '../core/protocol/roster.ts';
import type { Compute } from '../ports/compute.ts';
import type { Log } from '../ports/runtime.ts';
import { computeShards } from './computed-shards.ts';
import type { DatasetIndex, KnownPack } from './dataset-index.ts';
import type { DurabilityView } from './durability-view.ts';
import type { ManifestRecord } from './ledger.ts';
import type { WrittenPack } from './pack-writer.ts';
import type { PresentShard, ShardGatherer } from './repair/shard-gatherer.ts';

export type RecoderOptions = {
  readonly index: DatasetIndex;
  readonly view: Pick<DurabilityView, 'holders'>;
  readonly shards: Pick<ShardGatherer, 'gather'>;
  readonly compute: Pick<Compute, 'encode' | 'reconstruct'>;
  /** Members with storage that are there now, this host among them. */
  readonly reachable: () => readonly Member[];
  readonly selfPeer: PeerKey;
  /** Makes a pack's shards durable, at peers or in the outbox. */
  readonly place: (written: WrittenPack) => Promise<void>;
  /** Some of its shards are in the outbox. */
  readonly isWaiting: (pack: PackId) => boolean;
  readonly log: Log;
};

export type RecodeRequest = {
  /** Packs that the snapshot under way needs: others would be of no use to it. */
  readonly ordinals: Iterable<number>;
  /** A snapshot that names them: its receipts say who holds what. */
  readonly before: ManifestRecord;
  readonly code: Code;
  readonly bytesMax: number;
  /** Old snapshots go some day, and with them what only they need. */
  readonly isExpiring: boolean;
  readonly signal: AbortSignal;
};

type Recoded = {
  readonly ordinal: number;
  readonly entry: PackEntry;
  readonly records: readonly IndexRecord[];
};

/** Remembered together, since each list of chunks that names one of them has to be written anew. A cut costs so many. */
const batchPacks = 8;

/**
 * Makes packs anew with the code that the sites of today allow, at their source and without a key: what is sealed is
 * read back from those who hold it, checked against the pack's id, and coded again. The old packs stay where they
 * are, as safe as they were, as long as a snapshot names them; the snapshot under way names the new ones.
 *
 * plan -> k shards, each leaf checked -> the pack's bytes -> new shards -> durable at peers -> the index
 */
export class Recoder {
  readonly #options: RecoderOptions;

  constructor(options: RecoderOptions) {
    this.#options = options;
  }

  /** @returns the packs that were made. What cannot be had now stays as it is. */
  async run(request: RecodeRequest): Promise<{ packs: number; bytes: number }> {
    const { index, log, place, isWaiting } = this.#options;
    const { before, code, signal } = request;
    const done = { packs: 0, bytes: 0 };
    const known = this.#known(request.ordinals);
    const planned = this.#hasRoom(code)
      ? planRecoding(
          [...known.values()].map(({ entry }) => entry),
          request,
        )
      : [];
    if (planned.length === 0) return done;
    const located = await this.#options.view.holders(before);
    let batch: Recoded[] = [];
    const remember = async (): Promise<void> => {
      await index.recodePacks(batch);
      done.packs += batch.length;
      done.bytes += batch.reduce((sum, { entry }) => sum + entry.size, 0);
      batch = [];
    };
    for (const { entry, reason } of planned) {
      signal.throwIfAborted();
      const pack = known.get(entry.pack);
      const holders = located.get(entry.pack)?.holders ?? [];
      if (pack === undefined || holders.length === 0) continue;
      const written = await this.#made(pack, holders, { code, signal });
      if (written === undefined) continue;
      await place(written);
      // The snapshot would outlive less than the one before: a site has gone meanwhile.
      if (isWaiting(written.entry.pack)) break;
      // Without its shards, which are where they belong.
      batch.push({ ordinal: pack.ordinal, entry: written.entry, records: written.records });
      log.log('info', backupMessages.packHasAnotherCode, { pack: shortId(entry.pack), reason });
      if (batch.length === batchPacks) await remember();
    }
    await remember();
    return done;
  }

  #known(ordinals: Iterable<number>): Map<PackId, KnownPack> {
    const known = [...ordinals].map((ordinal) => this.#options.index.pack(ordinal));
    return new Map(known.filter((pack) => pack !== undefined).map((one) => [one.entry.pack, one]));
  }

  /** As many sites as the code wants are there: what is made anew should not wait in the outbox. */
  #hasRoom({ sites }: Code): boolean {
    const there = this.#options.reachable().filter((member) => member.hasRole('storage'));
    return new Set(there.map(({ site }) => site)).size >= sites;
  }

  async #made(
    { ordinal, entry, keyEpoch }: KnownPack,
    holders: readonly { peer: PeerKey; site: string; index: number }[],
    { code: { k, m }, signal }: { code: Code; signal: AbortSignal },
  ): Promise<WrittenPack | undefined> {
    const { index, compute, selfPeer, shards, log } = this.#options;
    const from = holders.map((one) =>
      one.peer === selfPeer ? { ...one, peer: 'self' as const } : one,
    );
    try {
      const present = await shards.gather({ entry, holders: from, signal });
      const bytes = await this.#packBytes(entry, present);
      const encoded = await compute.encode({ parts: [bytes], k, m });
      const pack = packIdOf({ k, m, packSize: entry.size, roots: encoded.roots });
      const records = index.records(ordinal).map((record) => ({ ...record, pack }));
      const anew = { ...entry, pack, k, m };
      return { ordinal, entry: anew, keyEpoch, encoded, records, bytesDense: 0 };
    } catch (error) {
      signal.throwIfAborted();
      if (codeOf(error) === undefined) throw error;
      const context = { pack: shortId(entry.pack), reason: (error as Error).message };
      log.log('info', backupMessages.packKeepsCodeNow, context);
      return undefined;
    }
  }

  /** @throws HoldfastError corrupt when the shards that were read do not make the others */
  async #packBytes(entry: PackEntry, present: readonly PresentShard[]): Promise<Uint8Array> {
    const { k, m, size } = entry;
    const [first] = present;
    assert(first !== undefined, 'a pack has at least one data shard');
    const shardSize = first.bytes.length;
    const pack = new Uint8Array(k * shardSize);
    const missing = new Set(Array.from({ length: k }, (_, i) => i));
    for (const { index, bytes } of present) {
      if (missing.delete(index)) pack.set(bytes, index * shardSize);
    }
    const job = { k, m, present, wanted: [...missing] };
    for (const made of await computeShards(this.#options.compute, job, first.head.roots)) {
      if (!made.isRight) throw new HoldfastError('corrupt', 'the pack was encoded wrongly');
      pack.set(made.bytes, made.index * shardSize);
    }
    return pack.subarray(0, size);
  }
}
