import { release } from '../base/bytes.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import type { ShardHead } from '../core/format/shard.ts';
import { shardHeadMessage } from '../core/format/shard.ts';
import type { AgentKey, DatasetId, PackId, TraceId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { Assignment } from '../core/policy/placement.ts';
import type { PullReply } from '../ports/network.ts';
import type { Clock, Log } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { Bandwidth } from './bandwidth.ts';
import type { Ledger } from './ledger.ts';
import type { Outbox, Parcel } from './outbox.ts';
import type { WrittenPack } from './pack-writer.ts';
import type { Peers } from './peers.ts';

/** A shard in memory, with those to whom it is offered: twice where two offers run at once. */
type Staged = { head: ShardHead; bytes: Uint8Array; users: AgentKey[] };

export type DistributorOptions = {
  readonly peers: Peers;
  readonly ledger: Ledger;
  readonly self: AgentKey;
  /** Undefined on an agent that holds no shards. */
  readonly store: ShardStore | undefined;
  readonly outbox: Outbox;
  /** Undefined: nothing is limited. */
  readonly bandwidth?: Pick<Bandwidth, 'limits'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** A peer that is this much slower than all the others no longer holds up the pack: its shard waits in the outbox. */
const stragglerMs = 3_000;

/** `straggling`: the others have taken theirs. */
type Delivery = { readonly straggling: AbortSignal; readonly trace: TraceId | undefined };

/**
 * Brings shards to the peers that shall hold them. A shard offered is pulled by its receiver, from memory
 * while the pack is fresh, from the outbox later.
 */
export class Distributor {
  readonly #options: DistributorOptions;
  readonly #staged = new Map<string, Staged>();
  readonly #flushing = new Map<AgentKey, Promise<void>>();

  constructor(options: DistributorOptions) {
    this.#options = options;
  }

  /** Resolves when each assigned shard is durable at its peer, or durable in the outbox for it. */
  async place(
    written: WrittenPack,
    dataset: DatasetId,
    assignments: readonly Assignment[],
    trace?: TraceId,
  ): Promise<{ delivered: number; kept: number; bytesSent: number }> {
    let settled = 0;
    let delivered = 0;
    let bytesSent = 0;
    const stragglers = new AbortController();
    const over = new AbortController();
    const work = assignments.map(async (assignment) => {
      const head = this.#headOf(written, dataset, assignment.index);
      const bytes = written.encoded.shards[assignment.index] as Uint8Array;
      const isThere = await this.#deliverOrKeep(assignment.agent, head, bytes, {
        ...{ straggling: stragglers.signal, trace },
      });
      settled++;
      if (settled === assignments.length - 1) {
        const patience = this.#options.clock.sleep(this.#patienceMs(), { signal: over.signal });
        patience.then(
          () => stragglers.abort(),
          () => {},
        );
      }
      if (!isThere) return;
      delivered++;
      bytesSent += assignment.agent === this.#options.self ? 0 : bytes.length;
    });
    try {
      await Promise.all(work);
    } finally {
      // Else the wait for stragglers would keep the pack's shards alive.
      over.abort();
    }
    // A straggler may still be sent some of it; the others have taken theirs to the last byte.
    if (delivered === assignments.length)
      for (const shard of written.encoded.shards) release(shard);
    return { delivered, kept: assignments.length - delivered, bytesSent };
  }

  /** Under a limit shards end one after the other: that makes nobody a straggler. */
  #patienceMs(): number {
    const { upload = 0 } = this.#options.bandwidth?.limits ?? {};
    return stragglerMs + (upload > 0 ? (2 * limits.packSizeMax * 1000) / upload : 0);
  }

  #headOf(written: WrittenPack, dataset: DatasetId, index: number): ShardHead {
    const { entry, encoded } = written;
    return {
      pack: entry.pack,
      k: entry.k,
      m: entry.m,
      packSize: entry.size,
      roots: encoded.roots,
      index,
      leaves: encoded.leaves[index] as Uint8Array,
      dataset,
      writer: this.#options.self,
      type: entry.type,
    };
  }

  async #deliverOrKeep(
    agent: AgentKey,
    head: ShardHead,
    bytes: Uint8Array,
    { straggling, trace }: Delivery,
  ): Promise<boolean> {
    if (agent === this.#options.self) {
      await this.#storeHere(head, bytes);
      return true;
    }
    const release = this.#stage(agent, head, bytes);
    try {
      const offer = this.#offer(agent, head, trace).then(
        () => true,
        (error: unknown) => this.#refused(agent, head, error, trace),
      );
      const isThere = await Promise.race([offer, abortedFalse(straggling)]);
      if (isThere) return true;
      await this.#options.outbox.keep(agent, head, bytes);
      return false;
    } finally {
      release();
    }
  }

  #refused(agent: AgentKey, head: ShardHead, error: unknown, trace?: TraceId): false {
    const code = codeOf(error);
    if (code === undefined) throw error;
    this.#options.log.log('info', backupMessages.shardKeptInOutbox, {
      agent,
      pack: head.pack,
      index: head.index,
      code,
      reason: (error as Error).message,
      ...(trace && { trace }),
    });
    return false;
  }

  async #storeHere(head: ShardHead, bytes: Uint8Array): Promise<void> {
    const store = this.#options.store;
    if (store === undefined) throw new HoldfastError('not-permitted', 'this agent holds no shards');
    const writer = await store.write(head);
    const from = writer.nextLeaf * limits.leafSize;
    if (from < bytes.length) await writer.append(bytes.subarray(from), { isOwn: true });
    await writer.finish();
    await store.sync();
  }

  #stage(agent: AgentKey, head: ShardHead, bytes: Uint8Array): () => void {
    const name = `${head.pack}/${head.index}`;
    const staged = this.#staged.get(name) ?? { head, bytes, users: [] };
    staged.users.push(agent);
    this.#staged.set(name, staged);
    return () => {
      staged.users.splice(staged.users.indexOf(agent), 1);
      if (staged.users.length === 0) this.#staged.delete(name);
    };
  }

  /** This shard is on its way to this very agent. */
  isFor(agent: AgentKey, parcel: Parcel): boolean {
    const staged = this.#staged.get(`${parcel.pack}/${parcel.index}`);
    if (staged?.users.includes(agent)) return true;
    return this.#options.outbox.isFor(agent, parcel);
  }

  async #offer(agent: AgentKey, head: ShardHead, trace?: TraceId): Promise<void> {
    const member = this.#options.ledger.roster.member(agent);
    if (member === undefined || !this.#options.peers.isReachable(member.peerKey)) {
      throw new HoldfastError('peer-unreachable', `${member?.name ?? agent} is not connected`);
    }
    const question = { case: 'offer', value: { head: shardHeadMessage(head) } } as const;
    const { refusals } = this.#options.outbox;
    const thing = `${head.pack}/${head.index}`;
    try {
      const timeoutMs = limits.offerTimeoutMs;
      await this.#options.peers.ask(member.peerKey, question, { timeoutMs, trace });
      refusals.taken(agent, head.dataset, thing);
    } catch (error) {
      refusals.refused(agent, head.dataset, thing, error);
      throw error;
    }
  }

  /** Offers an agent what waits for it. One run per agent at a time; stops at the first failure. */
  flush(agent: AgentKey): Promise<void> {
    const running = this.#flushing.get(agent);
    if (running !== undefined) return running;
    const run = this.#flush(agent).finally(() => this.#flushing.delete(agent));
    this.#flushing.set(agent, run);
    return run;
  }

  async #flush(agent: AgentKey): Promise<void> {
    const { outbox } = this.#options;
    const waiting = outbox.parcels(agent);
    const lane = async (): Promise<void> => {
      for (let parcel = waiting.shift(); parcel !== undefined; parcel = waiting.shift()) {
        await this.#hand(agent, parcel);
      }
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
  }

  async #hand(agent: AgentKey, parcel: Parcel): Promise<void> {
    const { outbox } = this.#options;
    if (!outbox.has(parcel.pack, parcel.index)) {
      await outbox.drop(agent, parcel);
      return;
    }
    await this.#offer(agent, await outbox.head(parcel));
    await outbox.drop(agent, parcel);
  }

  /** Shards of this pack are still to be delivered. */
  isWaiting(pack: PackId): boolean {
    return this.#options.outbox.holds(pack);
  }

  /** Leaves of a shard on its way to a peer; undefined when this agent does not have it staged or kept. */
  async serve(
    pack: PackId,
    index: number,
    leaf: number,
    count: number,
  ): Promise<PullReply | undefined> {
    const staged = this.#staged.get(`${pack}/${index}`);
    if (staged !== undefined) {
      const end = Math.min(staged.bytes.length, (leaf + count) * limits.leafSize);
      return { bytes: staged.bytes.subarray(leaf * limits.leafSize, end), head: staged.head };
    }
    const { outbox } = this.#options;
    if (!outbox.has(pack, index)) return undefined;
    const head = await outbox.head({ pack, index });
    return { bytes: await outbox.read(pack, index, leaf, count), head, isGivenAway: true };
  }
}

function abortedFalse(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(false);
    signal.addEventListener('abort', () => resolve(false), { once: true });
  });
}
