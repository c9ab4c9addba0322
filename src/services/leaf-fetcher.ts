import { BoundedCache } from '../base/bounded-cache.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import type { PackEntry } from '../core/format/facts.ts';
import { type ShardHead, soundHead } from '../core/format/shard.ts';
import { checkLeaves, leafRange } from '../core/format/shard-leaves.ts';
import { idBytes, type PeerKey, shortId, type TraceId } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { ReadPurpose } from '../core/policy/read-purpose.ts';
import type { Compute } from '../ports/compute.ts';
import type { Network } from '../ports/network.ts';
import type { Span, Tracer } from '../ports/tracer.ts';
import type { Clock, Log } from '../ports/runtime.ts';
import type { ShardSource } from '../ports/shard-store.ts';
import { HolderHistory, type ShardHolder } from './holder-history.ts';

/** Neighbouring leaves of one shard. */
export type LeafRange = { readonly leaf: number; readonly count: number };

/** Hashing fewer takes no longer than to hand them to another thread. */
const leavesForThread = 4;
/** Heads kept: 11 KiB each at most. */
const headsMax = 512;

export type SpanWatch = { readonly tracer: Tracer; readonly parent: string };

export type LeafFetcherOptions = {
  readonly network: Pick<Network, 'pull'>;
  /** Undefined on a host that holds no shards. */
  readonly store: ShardSource | undefined;
  /** Checks many leaves at once. Undefined where only single ones are read. */
  readonly compute?: Pick<Compute, 'checkLeaves'> | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Said to whoever is asked. */
  readonly purpose?: ReadPurpose | undefined;
  readonly trace?: TraceId | undefined;
  /** Of whoever watches; `parent`: the span that all this is part of. */
  readonly watch?: SpanWatch | undefined;
};

/** Gets leaves from one holder and lets none through that its pack id does not vouch for. */
export class LeafFetcher {
  readonly history: HolderHistory;
  readonly #options: LeafFetcherOptions;
  readonly #heads = new BoundedCache<string, ShardHead>(headsMax);
  readonly stats = { bytesPulled: 0, bytesLocal: 0, corruptAnswers: 0 };

  constructor(options: LeafFetcherOptions) {
    this.#options = options;
    this.history = new HolderHistory(options.clock);
  }

  /** @throws HoldfastError corrupt (the answer is not what the pack id promises), or the peer's own code */
  async fetch(
    entry: PackEntry,
    holder: ShardHolder,
    range: LeafRange,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    signal.throwIfAborted();
    const ended = this.history.started(entry.pack, holder);
    const span = this.#span(entry, holder, range);
    try {
      const answer = await this.#ask(entry, holder, { ...range, span: span?.id }, signal);
      const bytes = await this.#verified(entry, holder, range, answer);
      ended('good');
      span?.end({ facts: { bytes: bytes.length } });
      if (holder.peer === 'self') this.stats.bytesLocal += bytes.length;
      else this.stats.bytesPulled += bytes.length;
      return bytes;
    } catch (error) {
      const outcome = signal.aborted ? 'given-up' : (codeOf(error) ?? 'failed');
      ended(outcome);
      span?.end({ problem: outcome });
      throw error;
    }
  }

  #span({ pack }: PackEntry, { peer, index }: ShardHolder, range: LeafRange): Span | undefined {
    const { watch, trace } = this.#options;
    if (watch === undefined || trace === undefined) return undefined;
    const { tracer, parent } = watch;
    const { leaf, count } = range;
    const facts = { peer, pack: shortId(pack), shard: index, leaf, count };
    return tracer.begin({ name: 'fetch leaves', trace, parent, facts });
  }

  /** The head of a shard of which leaves were fetched a moment ago. */
  head(entry: PackEntry, holder: ShardHolder): ShardHead | undefined {
    return this.#heads.get(nameOf(entry, holder));
  }

  async #ask(
    entry: PackEntry,
    holder: ShardHolder,
    { leaf, count, span }: LeafRange & { readonly span: string | undefined },
    signal: AbortSignal,
  ): Promise<{ bytes: Uint8Array; head: ShardHead | undefined }> {
    const known = this.#heads.get(nameOf(entry, holder));
    if (holder.peer === 'self') {
      const { store } = this.#options;
      if (store === undefined) throw new HoldfastError('not-found', 'this host holds no shards');
      const head = known ?? (await store.head(entry.pack, holder.index));
      return { bytes: await store.read(entry.pack, holder.index, leaf, count), head };
    }
    const pack = idBytes(entry.pack);
    const { purpose, trace } = this.#options;
    const range = { index: holder.index, leaf, count };
    const request = { pack, ...range, withHead: known === undefined, purpose, trace, span };
    const reply = await this.#options.network.pull(holder.peer, request, { signal });
    // Others have asked for leaves of it meanwhile.
    return { bytes: reply.bytes, head: this.#heads.get(nameOf(entry, holder)) ?? reply.head };
  }

  async #verified(
    entry: PackEntry,
    holder: ShardHolder,
    range: LeafRange,
    answer: { bytes: Uint8Array; head: ShardHead | undefined },
  ): Promise<Uint8Array> {
    if (answer.head === undefined) throw this.#corrupt(entry, holder, 'the shard head is missing');
    const head = this.#checkedHead(entry, holder, answer.head);
    const { compute } = this.#options;
    const { leaf, count } = range;
    const { size } = leafRange(head, leaf, count);
    if (answer.bytes.length !== size || size === 0) {
      const got = `${answer.bytes.length} bytes instead of ${size}`;
      throw this.#corrupt(entry, holder, `leaf ${leaf} and those after it have ${got}`);
    }
    const job = {
      bytes: answer.bytes,
      hashes: head.leaves.subarray(leaf * 32, (leaf + count) * 32),
    };
    const isLong = count >= leavesForThread && compute !== undefined;
    const { bytes, bad } = isLong ? await compute.checkLeaves(job) : checkLeaves(job);
    if (bad === undefined) return bytes;
    throw this.#corrupt(entry, holder, `leaf ${leaf + bad} does not match its hash`);
  }

  /** Nothing of a head counts before its hashes lead to the id of the pack that was asked for. */
  #checkedHead(entry: PackEntry, holder: ShardHolder, head: ShardHead): ShardHead {
    const name = nameOf(entry, holder);
    if (this.#heads.get(name) === head) return head;
    const isOfPack = head.pack === entry.pack && head.index === holder.index;
    if (!isOfPack || head.k !== entry.k || head.m !== entry.m || head.packSize !== entry.size) {
      throw this.#corrupt(entry, holder, 'the shard head is of another shard');
    }
    try {
      this.#heads.set(name, soundHead(head));
    } catch (error) {
      throw this.#corrupt(entry, holder, 'the shard head does not lead to its pack id', error);
    }
    return head;
  }

  #corrupt(entry: PackEntry, holder: ShardHolder, problem: string, cause?: unknown): HoldfastError {
    this.stats.corruptAnswers++;
    const { peer, site, index } = holder;
    const details = { pack: entry.pack, index, peer, site };
    this.#options.log.log('warn', backupMessages.holderGaveBadShard, { ...details, problem });
    const what = `shard ${index} of pack ${shortId(entry.pack)} from ${peerName(peer)}: ${problem}`;
    return new HoldfastError('corrupt', what, { details, cause });
  }
}

/** The short form of a holder's key. */
export function peerName(peer: PeerKey | 'self'): string {
  return peer === 'self' ? 'this host' : shortId(peer);
}

function nameOf(entry: PackEntry, holder: ShardHolder): string {
  return `${entry.pack}/${holder.index}`;
}
