import { HoldfastError } from '../core/errors.ts';
import { decodePackSegment, encodeHolding, factHash } from '../core/format/facts.ts';
import type { ShardHead } from '../core/format/shard.ts';
import { leafCountOf, shardSizeOf } from '../core/format/shard.ts';
import { receiptStream } from '../core/format/statement.ts';
import type { FactHash, PackId, PeerKey, TraceId } from '../core/ids.ts';
import { idBytes, idOf } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { maskOf } from '../core/policy/durability.ts';
import type { Network, PullReply, PullRequest } from '../ports/network.ts';
import type { Log } from '../ports/runtime.ts';
import type { ShardStore, ShardWriter } from '../ports/shard-store.ts';
import type { FactStore } from '../ports/statement-log.ts';
import type { BudgetBook } from './budget-book.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import { residencyObjection } from './residency.ts';
import type { ExtraShards } from './tiers/extra-shards.ts';

export type StoragePeerOptions = {
  readonly network: Network;
  readonly ledger: Ledger;
  readonly store: ShardStore;
  readonly facts: FactStore;
  /** Of shards, as configured; undefined: as many as fit the disk. */
  readonly bytesMax?: number | undefined;
  /** In the trash, or gone. */
  readonly isDiscarded: (record: ManifestRecord) => boolean;
  /** What each source may store here; undefined: as much as fits. */
  readonly budgets?: Pick<BudgetBook, 'require' | 'charge' | 'giveBack'> | undefined;
  /** What is here only as part of full copies; undefined: nothing. */
  readonly extras?: Pick<ExtraShards, 'isExtra' | 'keep' | 'maskOf' | 'leavingMaskOf'> | undefined;
  readonly log: Log;
};

type PullReason = Pick<PullRequest, 'purpose' | 'trace'>;

/**
 * The storage side: takes shards that members offer, by pulling them leaf by leaf, and signs what it holds.
 * It knows no key; all that it checks are hashes.
 */
export class StoragePeer {
  readonly #options: StoragePeerOptions;
  readonly #receiving = new Map<string, Promise<void>>();

  constructor(options: StoragePeerOptions) {
    this.#options = options;
  }

  /** Durable when resolved. Offers of the same shard under way are joined. */
  async take(
    from: PeerKey,
    head: ShardHead,
    trace?: TraceId | undefined,
  ): Promise<{ hadIt: boolean }> {
    const { store, budgets } = this.#options;
    this.#requireWriter(from, head);
    const isNewPack = this.#isNew(head.pack);
    if (store.indexes(head.pack).includes(head.index)) {
      if (isNewPack) budgets?.require(head);
      await this.#keep(head);
      // It may have been on its way out of a full copy.
      if (store.indexes(head.pack).includes(head.index)) {
        if (isNewPack) budgets?.charge(head);
        await store.sync();
        return { hadIt: true };
      }
    }
    const name = `${head.pack}/${head.index}`;
    const running = this.#receiving.get(name);
    if (running !== undefined) {
      await running;
      return { hadIt: true };
    }
    this.#refuseWhenFull(head);
    if (isNewPack) budgets?.require(head);
    // At once: else whoever offers a thousand packs at the same moment passes with all of them.
    if (isNewPack) budgets?.charge(head);
    const check = (): void => this.#requireWriter(from, head);
    const run = this.#pullInto(from, head, check, { trace }).finally(() =>
      this.#receiving.delete(name),
    );
    this.#receiving.set(name, run);
    try {
      await run;
    } catch (error) {
      if (isNewPack) budgets?.giveBack(head);
      throw error;
    }
    return { hadIt: false };
  }

  /** Nothing of it is here that its source has had stored: a full copy is not the source's doing. */
  #isNew(pack: PackId): boolean {
    const { store, extras } = this.#options;
    return store.indexes(pack).every((index) => extras?.isExtra(pack, index) === true);
  }

  /** From now on this host keeps it as what placement gave it, whatever it was here for. */
  async #keep({ pack, index }: ShardHead): Promise<void> {
    await this.#options.extras?.keep(pack, [index]);
  }

  /** Asked again while the shard is on its way: a source that has lost its role delivers nothing more. */
  #requireWriter(from: PeerKey, head: ShardHead): void {
    const { ledger } = this.#options;
    const writer = ledger.roster.memberByPeer(from);
    if (writer === undefined || !writer.hasRole('source')) {
      throw new HoldfastError(
        'not-permitted',
        'only members with the role source may store shards',
      );
    }
    if (writer.agentKey !== head.writer) {
      throw new HoldfastError('not-permitted', 'a shard is offered by another than its writer');
    }
    requireRegion(ledger, head);
  }

  /** The bytes under way count only once they are stored: the limit may be passed by what runs at once. */
  #refuseWhenFull(head: ShardHead): void {
    const { store, bytesMax } = this.#options;
    if (bytesMax === undefined || store.usage().bytes + shardSizeOf(head) <= bytesMax) return;
    throw new HoldfastError('disk-full', 'this peer holds as many bytes of shards as it may', {
      next: 'raise storage.limit in its configuration, or add a site',
    });
  }

  /** Takes a copy of a shard from another holder, on this peer's own account. */
  copy(from: PeerKey, head: ShardHead): Promise<void> {
    requireRegion(this.#options.ledger, head);
    return this.#pullInto(from, head, () => {}, { purpose: { kind: 'repair' } });
  }

  async #pullInto(
    from: PeerKey,
    head: ShardHead,
    check: () => void,
    why: PullReason,
  ): Promise<void> {
    const writer = await this.#options.store.write(head);
    try {
      await this.#pullLeaves(from, { head, ...why }, writer, check);
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    await writer.finish();
    // The source forgets its copy on our word: the file's name must survive power loss too.
    await this.#options.store.sync();
    await this.#keep(head);
  }

  /** Keeps a few requests under way; appends in order. */
  async #pullLeaves(
    from: PeerKey,
    { head, ...why }: { head: ShardHead } & PullReason,
    writer: ShardWriter,
    check: () => void,
  ): Promise<void> {
    const count = leafCountOf(head);
    const waiting: { reply: Promise<PullReply>; end: number }[] = [];
    let asked = writer.nextLeaf;
    const ask = (): void => {
      const leaves = Math.min(limits.pullLeavesMax, count - asked);
      const reply = this.#options.network.pull(from, {
        pack: idBytes(head.pack),
        index: head.index,
        leaf: asked,
        count: leaves,
        withHead: false,
        ...why,
      });
      reply.catch(() => {});
      asked += leaves;
      waiting.push({ reply, end: asked });
    };
    while (asked < count && waiting.length < limits.pullsOutstandingMax) ask();
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { bytes } = await next.reply;
      check();
      if (asked < count) ask();
      await writer.append(bytes);
      if (writer.nextLeaf !== next.end) {
        throw new HoldfastError('corrupt', 'a peer has sent fewer leaves than it was asked for', {
          details: { pack: head.pack, index: head.index, leaf: writer.nextLeaf },
        });
      }
    }
  }

  /**
   * Signs what this peer holds of a manifest. The manifest must have been accepted into the ledger, and its
   * pack segments must be here. An unchanged answer is not signed again.
   * @returns the receipt's envelope.
   */
  async sign(record: ManifestRecord): Promise<Uint8Array> {
    const { ledger, store } = this.#options;
    const holdings = await this.#holdings(record);
    const earlier = ledger.receipts(record.hash).find((receipt) => receipt.agent === ledger.self);
    const known = earlier === undefined ? undefined : await ledger.holdings(earlier);
    if (earlier !== undefined && String(known) === String(holdings)) {
      const { writer, stream, sequence } = earlier.statement;
      const [envelope] = await ledger.read(writer, stream, sequence, 1);
      if (envelope !== undefined) return envelope;
    }
    const usage = store.usage();
    const { envelope } = await ledger.append(receiptStream, {
      kind: 'receipt',
      manifest: record.hash,
      holdings,
      freeBytes: usage.freeBytes,
      shardCount: usage.shards,
    });
    return envelope;
  }

  /** One fact for each pack segment: what is held of its packs, on disk for good. */
  async #holdings(record: ManifestRecord): Promise<FactHash[]> {
    const { store, facts, extras: extraShards, isDiscarded } = this.#options;
    const found: Uint8Array[] = [];
    // A snapshot that needs a pack takes it back out of the trash.
    const trash = isDiscarded(record) ? [] : store.trash();
    for (const { hash } of await this.#options.ledger.packSegments(record)) {
      const segment = await facts.get(idBytes(hash));
      if (segment === undefined) {
        throw new HoldfastError('not-found', `pack segment ${hash.slice(0, 8)} has not arrived`);
      }
      const entries = decodePackSegment(segment);
      const needed = new Set(trash.length === 0 ? [] : entries.map(({ pack }) => pack));
      for (const { pack, index } of trash) if (needed.has(pack)) await store.recover(pack, index);
      const masks = entries.map((entry) => {
        const leaving = extraShards?.leavingMaskOf(entry.pack) ?? 0;
        return (maskOf(store.indexes(entry.pack)) & ~leaving) >>> 0;
      });
      const extras = entries.map(({ pack }, i) => {
        return (extraShards?.maskOf(pack) ?? 0) & (masks[i] as number);
      });
      found.push(encodeHolding({ segment: idBytes(hash), masks, extras }));
    }
    // After the last look: a shard that was finished between a sync and the look might not survive power loss.
    await store.sync();
    const holdings: FactHash[] = [];
    for (const holding of found) {
      const holdingHash = factHash(holding);
      await facts.put(holdingHash, holding);
      holdings.push(idOf<FactHash>(holdingHash));
    }
    return holdings;
  }

  /** Leaves of a shard held here. */
  async serve(request: PullRequest): Promise<PullReply> {
    const pack = idOf<PackId>(request.pack);
    const { store } = this.#options;
    const bytes = await store.read(pack, request.index, request.leaf, request.count);
    const reply = { bytes, isGivenAway: true };
    return request.withHead ? { ...reply, head: await store.head(pack, request.index) } : reply;
  }

  /** Which of these packs' shards are here and whole. */
  async inspect(
    packs: readonly PackId[],
    readData: boolean,
  ): Promise<{ pack: PackId; index: number; problem: string | undefined }[]> {
    const found: { pack: PackId; index: number; problem: string | undefined }[] = [];
    for (const pack of packs) {
      for (const index of this.#options.store.indexes(pack)) {
        const problem = readData ? await this.#options.store.verify(pack, index) : undefined;
        found.push({ pack, index, problem });
      }
    }
    return found;
  }
}

/** What the policy says of where a dataset may lie binds whoever stores it. @throws HoldfastError not-permitted */
function requireRegion({ roster, self }: Ledger, head: ShardHead): void {
  const member = self === undefined ? undefined : roster.member(self);
  const objection = member === undefined ? undefined : residencyObjection(roster, head, member);
  if (objection === undefined) return;
  throw new HoldfastError('not-permitted', objection, { next: 'holdfast policy show' });
}
