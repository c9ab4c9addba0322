import { BoundedCache } from '../../base/bounded-cache.ts';
import { RecentMap } from '../../base/recent-map.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { leafCountOf, leafSizeAt, type ShardHead, shardSizeOf } from '../../core/format/shard.ts';
import { idOf, type PackId, type PeerKey, shortId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import type { PullReply, PullRequest } from '../../ports/network.ts';
import type { Clock, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { Tracer } from '../../ports/tracer.ts';
import type { Distributor } from '../distributor.ts';
import { PeerLines } from '../peer-lines.ts';
import type { Caller, Serve } from '../serve.ts';
import type { StoragePeer } from '../storage-peer.ts';
import type { ReadAmount, ReadGuard } from './read-guard.ts';
import type { ReadRights } from './read-rights.ts';

export type ShardReadsOptions = {
  readonly serve: Pick<Serve, 'callerOf'>;
  readonly store: ShardStore;
  /** Undefined on an agent that holds no shards. */
  readonly storage: Pick<StoragePeer, 'serve'> | undefined;
  readonly distributor: Pick<Distributor, 'serve' | 'isFor'>;
  readonly rights: Pick<ReadRights, 'of'>;
  readonly guard: Pick<ReadGuard, 'admit'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Log;
  readonly tracer?: Tracer | undefined;
};

/** Heads of what is being read: 11 KiB each at most. */
const headsMax = 256;
/** Restores that are known by their reader: a line of the log for each, and not for each leaf. */
const tracesMax = 1024;

/**
 * Serves leaves of shards to other members and to the recovery kit. What is on its way to the very one who asks
 * goes without more ado; everything else by its right.
 */
export class ShardReads {
  readonly #options: ShardReadsOptions;
  readonly #heads = new BoundedCache<string, ShardHead>(headsMax);
  readonly #lines: PeerLines;
  readonly #traces = new RecentMap<true>(tracesMax);

  constructor(options: ShardReadsOptions) {
    this.#options = options;
    this.#lines = new PeerLines(options);
  }

  /** @throws HoldfastError not-permitted | not-found | corrupt */
  async serve(peer: PeerKey, request: PullRequest): Promise<PullReply> {
    const { serve, distributor, storage, store } = this.#options;
    const caller = serve.callerOf(peer);
    if (caller === undefined || caller.access === 'invite') {
      throw new HoldfastError('not-permitted', 'only members and the recovery kit may read shards');
    }
    const pack = idOf<PackId>(request.pack);
    const { index, leaf, count } = request;
    const { member } = caller;
    if (member !== undefined && distributor.isFor(member.agentKey, { pack, index })) {
      const parcel = await distributor.serve(pack, index, leaf, count);
      if (parcel !== undefined) return parcel;
    }
    if (storage !== undefined && store.indexes(pack).includes(index)) {
      await this.#admit(caller, await this.#head(pack, index), request);
      return this.#watched(peer, request, storage.serve(request));
    }
    const kept = await distributor.serve(pack, index, leaf, count);
    if (kept?.head === undefined) {
      throw new HoldfastError('not-found', `shard ${index} of pack ${shortId(pack)} is not here`);
    }
    await this.#admit(caller, kept.head, request);
    return kept;
  }

  async #admit(caller: Caller, head: ShardHead, request: PullRequest): Promise<void> {
    const right = await this.#options.rights.of(caller, head, request);
    await this.#options.guard.admit(caller, right, amountOf(head, request));
    this.#note(caller, request);
  }

  async #watched(
    peer: PeerKey,
    { trace, span: parent, index, leaf, count }: PullRequest,
    work: Promise<PullReply>,
  ): Promise<PullReply> {
    const { tracer } = this.#options;
    if (trace === undefined || tracer === undefined) return work;
    const facts = { peer, shard: index, leaf, count };
    const span = tracer.begin({ name: 'serve leaves', trace, parent, facts });
    try {
      const reply = await work;
      span.end({ facts: { bytes: reply.bytes.length } });
      return reply;
    } catch (error) {
      span.end({ problem: codeOf(error) ?? 'failed' });
      throw error;
    }
  }

  #note({ peer, access }: Caller, { purpose, trace }: PullRequest): void {
    const name = `${peer} ${trace}`;
    if (trace === undefined || this.#traces.get(name)) return;
    this.#traces.set(name, true);
    const why = purpose?.kind ?? access;
    this.#lines.info(peer, storageMessages.shardsRead, { why, trace });
  }

  async #head(pack: PackId, index: number): Promise<ShardHead> {
    const name = `${pack}/${index}`;
    const known = this.#heads.get(name);
    if (known !== undefined) return known;
    const head = await this.#options.store.head(pack, index);
    this.#heads.set(name, head);
    return head;
  }
}

function amountOf(head: ShardHead, { leaf, count }: PullRequest): ReadAmount {
  const end = Math.min(leafCountOf(head), leaf + count);
  let bytes = 0;
  for (let one = leaf; one < end; one++) bytes += leafSizeAt(head, one);
  return { pack: head.pack, index: head.index, bytes, shardBytes: shardSizeOf(head) };
}
