import { abortable } from '../base/abortable.ts';
import { BoundedCache } from '../base/bounded-cache.ts';
import { releaseOwn } from '../base/bytes.ts';
import { mapLimit, Semaphore } from '../base/concurrency.ts';
import { uncleared } from '../base/uncleared.ts';
import { secondMs } from '../base/units.ts';
import { type ErrorCode, HoldfastError } from '../core/errors.ts';
import type { PackEntry } from '../core/format/facts.ts';
import { type PackId, shortId, type TraceId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { Compute } from '../ports/compute.ts';
import type { ReadPurpose } from '../core/policy/read-purpose.ts';
import type { Network } from '../ports/network.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { ShardSource } from '../ports/shard-store.ts';
import { type Attempt, AttemptsFailed, firstSuccesses } from './hedged-attempts.ts';
import type { ShardHolder } from './holder-history.ts';
import { LeafFetcher, peerName, type SpanWatch } from './leaf-fetcher.ts';
import { copySpan, type Span, spansOf } from './pack-span.ts';
import { StripeReader, stripedSpansOf } from './stripe-reader.ts';

/** What the manifests and receipts say about packs. */
export type PackSource = {
  /** Undefined when no manifest known names the pack. */
  locate(pack: PackId): PackLocation | undefined;
};

export type PackLocation = {
  readonly entry: PackEntry;
  /** As receipts say: any of them may be wrong or offline. */
  readonly holders: readonly ShardHolder[];
};

/** A part of a pack, in bytes. */
export type PackPart = { readonly offset: number; readonly size: number };

export type PackReaderOptions = {
  readonly network: Network;
  readonly source: PackSource;
  /** Undefined on a host that holds no shards. */
  readonly store?: ShardSource;
  /** Asks every reachable member what it holds of a pack, when receipts do not suffice. */
  readonly probe?: (pack: PackId, options: Cancel) => Promise<readonly ShardHolder[]>;
  readonly compute: Compute;
  readonly clock: Clock;
  readonly log: Log;
  /** Said to whoever is asked: without one they give little. */
  readonly purpose?: ReadPurpose | undefined;
  readonly trace?: TraceId | undefined;
  readonly watch?: SpanWatch | undefined;
};

export type PackReaderStats = {
  /** Verified, from peers. */
  readonly bytesFetched: number;
  /** Verified, from this host's own shards. */
  readonly bytesLocal: number;
  readonly packsDecoded: number;
  readonly corruptAnswers: number;
  readonly hedges: number;
  /** Where bytes came from. */
  readonly sites: readonly string[];
};

/** What one span's search has met, for the error that ends it. */
type Search = {
  readonly entry: PackEntry;
  readonly span: Span;
  /** By holder. */
  readonly failures: Map<string, ErrorCode>;
};

/** A range that could not be had is not searched for again for this long: whole trees lie in one lost pack. */
const lostMs = 10 * secondMs;
const lostMax = 4096;
/** Made once, not for each range. */
const over = new HoldfastError('interrupted', 'the range has been read');
/** Members are asked once in this time who holds a pack. */
const probeMs = 30 * secondMs;
const probesMax = 1024;

/**
 * Reads any bytes of a pack from whoever holds its shards.
 *
 * read -> spans of data shards -> a holder of that shard, then the next, or any k other shards, decoded
 *
 * Each leaf is checked against the pack id by LeafFetcher before it is used. Ranges under way are bounded
 * by two semaphores: reads, and decoding, which needs k more buffers. A read waits for a decode, never the
 * other way round, so they cannot lock each other out.
 */
export class PackReader {
  readonly #options: PackReaderOptions;
  readonly #leaves: LeafFetcher;
  readonly #reading = new Semaphore(limits.restoreCacheBytesMax / 4);
  readonly #decoding = new Semaphore(limits.restoreCacheBytesMax / 4);
  readonly #lost = new BoundedCache<string, { error: HoldfastError; untilMs: number }>(lostMax);
  readonly #probes = new BoundedCache<
    PackId,
    { holders: Promise<readonly ShardHolder[]>; untilMs: number }
  >(probesMax);
  readonly #stripes: StripeReader;
  readonly #decoded = new Set<PackId>();
  readonly #sites = new Set<string>();
  #hedges = 0;

  constructor(options: PackReaderOptions) {
    this.#options = options;
    this.#leaves = new LeafFetcher({ ...options, store: options.store });
    this.#stripes = new StripeReader({
      compute: options.compute,
      leaves: this.#leaves,
      decoding: this.#decoding,
      first: (attempts, wanted) => this.#first(attempts, wanted, new AbortController().signal),
      onFetched: ({ site }) => this.#sites.add(site),
      onDecoded: ({ pack }) => this.#decoded.add(pack),
    });
  }

  get stats(): PackReaderStats {
    const { bytesPulled, bytesLocal, corruptAnswers } = this.#leaves.stats;
    return {
      bytesFetched: bytesPulled,
      bytesLocal,
      packsDecoded: this.#decoded.size,
      corruptAnswers,
      hedges: this.#hedges,
      sites: [...this.#sites].sort(),
    };
  }

  /** What is known of the pack's size and code. @throws HoldfastError not-found */
  entry(pack: PackId): PackEntry {
    return this.#locate(pack).entry;
  }

  /**
   * `size` bytes from `offset` on, in an array of the caller's own.
   * @throws HoldfastError too-few-shards | not-found (no manifest names the pack) | corrupt (outside it)
   */
  async read(
    pack: PackId,
    offset: number,
    size: number,
    options: Cancel = {},
  ): Promise<Uint8Array> {
    const [bytes] = await this.readParts(pack, [{ offset, size }], options);
    return bytes as Uint8Array;
  }

  /**
   * Parts that lie close together, in ascending order, as one range: each in an array of its own, which its
   * bytes are copied into once.
   * @throws HoldfastError as `read`
   */
  async readParts(
    pack: PackId,
    parts: readonly PackPart[],
    options: Cancel = {},
  ): Promise<Uint8Array[]> {
    const location = this.#locate(pack);
    const { entry } = location;
    const offset = parts[0]?.offset ?? 0;
    const size = Math.max(...parts.map((part) => part.offset + part.size)) - offset;
    if (offset < 0 || parts.some((part) => part.size < 1) || offset + size > entry.size) {
      throw new HoldfastError('corrupt', `a reference leads outside of pack ${shortId(pack)}`);
    }
    const known = withSelf(entry.pack, location.holders, this.#options.store);
    const striped = this.#stripes.striped(entry, known);
    const isStriped = this.#stripes.suits(striped);
    const spans = [...(isStriped ? stripedSpansOf : spansOf)(entry, offset, size)];
    const leaves = spans.reduce((sum, { count }) => sum + count, 0);
    const release = await this.#reading.acquire(isStriped ? leaves * limits.leafSize : size);
    const stop = new AbortController();
    const signals = options.signal === undefined ? [stop.signal] : [stop.signal, options.signal];
    const signal = AbortSignal.any(signals);
    try {
      signal.throwIfAborted();
      const wanted = parts.map((part) => ({ ...part, bytes: uncleared(part.size) }));
      await mapLimit(spans, limits.pullsOutstandingMax, async (span) => {
        const use = (part: Uint8Array): void => {
          for (const to of wanted) copySpan(entry, span, part, to);
        };
        if (isStriped && (await this.#stripes.read(striped, span, { signal, use }))) return;
        const part = await this.#readSpan(location, span, signal);
        use(part);
        releaseOwn(part);
      });
      return wanted.map(({ bytes }) => bytes);
    } finally {
      stop.abort(over);
      release();
    }
  }

  #locate(pack: PackId): PackLocation {
    const location = this.#options.source.locate(pack);
    if (location !== undefined) return location;
    throw new HoldfastError('not-found', `no manifest known here names pack ${shortId(pack)}`);
  }

  async #readSpan(
    { entry, holders }: PackLocation,
    span: Span,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const name = `${entry.pack}/${span.row}`;
    const lost = this.#lost.get(name);
    if (lost !== undefined && lost.untilMs > this.#options.clock.monotonicMs()) throw lost.error;
    const search: Search = { entry, span, failures: new Map() };
    const known = withSelf(entry.pack, holders, this.#options.store);
    const bytes = await this.#search(search, known, signal);
    if (bytes !== undefined) return bytes;
    const found = await abortable(this.#probe(entry.pack), signal);
    const more = found.filter((one) => !known.some((other) => nameOf(other) === nameOf(one)));
    const all = [...known, ...more];
    const probed = more.length === 0 ? undefined : await this.#search(search, all, signal);
    if (probed !== undefined) return probed;
    const error = this.#tooFewShards(search, all);
    this.#lost.set(name, { error, untilMs: this.#options.clock.monotonicMs() + lostMs });
    throw error;
  }

  /** Who answers now that it holds shards of the pack. Shared by readers, so none of them can cancel it. */
  async #probe(pack: PackId): Promise<readonly ShardHolder[]> {
    const { probe, clock, log } = this.#options;
    if (probe === undefined) return [];
    const recent = this.#probes.get(pack);
    if (recent !== undefined && recent.untilMs > clock.monotonicMs()) return recent.holders;
    const holders = probe(pack, {}).catch((error: unknown) => {
      if (!(error instanceof HoldfastError)) throw error;
      log.log('warn', backupMessages.membersNotAsked, { pack, code: error.code });
      return [];
    });
    this.#probes.set(pack, { holders, untilMs: clock.monotonicMs() + probeMs });
    return holders;
  }

  #tooFewShards(search: Search, holders: readonly ShardHolder[]): HoldfastError {
    const { pack, k } = search.entry;
    const problems: string[] = [];
    const had = new Set<number>();
    for (const holder of holders) {
      const failed = search.failures.get(nameOf(holder));
      const problem = failed ?? this.#leaves.history.problem(pack, holder);
      if (problem === undefined) had.add(holder.index);
      else problems.push(`${holder.site}/${peerName(holder.peer)}: ${problem}`);
    }
    const what = `pack ${shortId(pack)}: ${had.size} of the ${k} shards needed can be had`;
    const why = problems.length === 0 ? '' : ` (${problems.join(', ')})`;
    if ([...search.failures.values()].includes('not-permitted')) {
      return new HoldfastError('not-permitted', `${what}${why}: members want to see a grant`, {
        next: 'holdfast restore request SNAPSHOT --reason TEXT',
        details: { pack, had: had.size, needed: k },
      });
    }
    return new HoldfastError('too-few-shards', what + why, {
      next: 'start the agents that hold its shards, then run it again',
      details: { pack, had: had.size, needed: k },
    });
  }

  /** @returns undefined when these holders do not suffice. */
  async #search(
    search: Search,
    holders: readonly ShardHolder[],
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const { entry, span } = search;
    const ranked = this.#leaves.history.rank(entry.pack, holders);
    // With k = 1 every shard is the pack itself.
    const direct = ranked.filter(({ index }) => entry.k === 1 || index === span.row);
    const others = entry.k === 1 ? [] : byIndex(ranked.filter(({ index }) => index !== span.row));
    // Decoding what is at hand is cheaper than one read from a cold store.
    const late = direct.filter((one) => one.isCold === true || this.#leaves.history.isSilent(one));
    const answering = direct.filter((holder) => !late.includes(holder));
    const attempts = answering.map((holder) => this.#fetching(search, holder));
    if (others.length >= entry.k) attempts.push((stop) => this.#decode(search, others, stop));
    attempts.push(...late.map((holder) => this.#fetching(search, holder)));
    const [bytes] = (await this.#first(attempts, 1, signal)) ?? [];
    return bytes;
  }

  #fetching(search: Search, holder: ShardHolder): Attempt<Uint8Array> {
    return async (signal) => {
      try {
        const bytes = await this.#leaves.fetch(search.entry, holder, search.span, signal);
        this.#sites.add(holder.site);
        return bytes;
      } catch (error) {
        if (error instanceof HoldfastError && !signal.aborted) {
          search.failures.set(nameOf(holder), error.code);
        }
        throw error;
      }
    };
  }

  /** The span's bytes from the same range of the k shards that arrive first. */
  async #decode(
    search: Search,
    others: readonly (readonly ShardHolder[])[],
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { k, m, pack } = search.entry;
    const release = await this.#decoding.acquire((k + 1) * search.span.count * limits.leafSize);
    try {
      const attempts = others.map((holders): Attempt<{ index: number; bytes: Uint8Array }> => {
        const fetching = holders.map((holder) => this.#fetching(search, holder));
        return async (stop) => {
          const [bytes] = (await this.#first(fetching, 1, stop)) ?? [];
          if (bytes !== undefined) return { index: holders[0]?.index ?? 0, bytes };
          throw new HoldfastError('not-found', 'no holder of the shard answers');
        };
      });
      const present = await this.#first(attempts, k, signal);
      if (present === undefined)
        throw new HoldfastError('too-few-shards', 'nothing to decode from');
      const wanted = [search.span.row];
      const [bytes] = await this.#options.compute.reconstruct({ k, m, present, wanted });
      if (bytes === undefined) throw new HoldfastError('corrupt', 'the decoder gave nothing');
      this.#decoded.add(pack);
      return bytes;
    } finally {
      release();
    }
  }

  /** @returns undefined when too few succeed. Anything but an operating error is thrown. */
  async #first<T>(
    attempts: readonly Attempt<T>[],
    wanted: number,
    signal: AbortSignal,
  ): Promise<T[] | undefined> {
    try {
      return await firstSuccesses(attempts, {
        wanted,
        hedgeMs: this.#leaves.history.patienceMs,
        clock: this.#options.clock,
        signal,
        onHedge: () => {
          this.#hedges++;
        },
      });
    } catch (error) {
      if (!(error instanceof AttemptsFailed)) throw error;
      const foreign = error.failures.find((failure) => !(failure instanceof HoldfastError));
      if (foreign !== undefined) throw foreign;
      return undefined;
    }
  }
}

function withSelf(
  pack: PackId,
  holders: readonly ShardHolder[],
  store: ShardSource | undefined,
): ShardHolder[] {
  const others = holders.filter(({ peer }) => peer !== 'self');
  const site = holders.find(({ peer }) => peer === 'self')?.site ?? 'here';
  const own = store?.indexes(pack) ?? [];
  return [...own.map((index): ShardHolder => ({ peer: 'self', site, index })), ...others];
}

/** Holders of each index, the index with the best holder first. */
function byIndex(ranked: readonly ShardHolder[]): (readonly ShardHolder[])[] {
  return [...Map.groupBy(ranked, ({ index }) => index).values()];
}

function nameOf(holder: ShardHolder): string {
  return `${holder.peer}/${holder.index}`;
}
