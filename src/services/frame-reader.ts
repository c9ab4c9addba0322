import { abortable } from '../base/abortable.ts';
import { BoundedCache } from '../base/bounded-cache.ts';
import { equal, release } from '../base/bytes.ts';
import { Semaphore } from '../base/concurrency.ts';
import { KiB, MiB } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import type { FrameContext } from '../core/format/frame.ts';
import type { ChunkPlace, OpenedFrame, WantedChunks } from '../core/format/opened-frame.ts';
import { decodePackHeader, packHeaderSizeMax } from '../core/format/pack.ts';
import { type DatasetId, idBytes, type PackId, shortId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Compute } from '../ports/compute.ts';
import type { Cancel } from '../ports/runtime.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { PackReader } from './pack-reader.ts';

/** Which frame, and where it lies in its pack; index records and blob references are such. */
export type FrameRef = {
  readonly pack: PackId;
  readonly frame: number;
  readonly frameOffset: number;
  readonly frameSize: number;
};

export type FrameReaderOptions = {
  readonly packs: Pick<PackReader, 'entry' | 'read' | 'readParts'>;
  readonly compute: Compute;
  readonly sealer: Sealer;
  readonly dataset: DatasetId;
  /** Epoch identities (AGE-SECRET-KEY...), the likeliest first. */
  readonly identities: readonly string[];
  /** Keys of packs that are known already (32 bytes each); the others are opened with `identities`. */
  readonly keyOf?: (pack: PackId) => Uint8Array | undefined;
  /** Opened frames kept; limits.restoreCacheBytesMax unless given. */
  readonly cacheBytesMax?: number;
  /** Called once nothing is read any more. */
  readonly onClosed?: () => void;
};

type PackKey = Pick<FrameContext, 'type' | 'dataset' | 'salt'> & { readonly key: Uint8Array };

/** A frame that will be asked for soon; and, where it is known already, for which of its chunks. */
export type FrameAhead = FrameRef & Partial<ChunkPlace>;

/** A frame to be read, and the chunks of it that will be asked for. */
type Wanted = { readonly ref: FrameRef; readonly places: ChunkPlace[] };

/** Neighbouring frames, read as one range. */
type Range = { readonly wanted: Wanted[]; readonly offset: number; end: number };

/** An opened frame, and what is known of its chunks. */
export class OpenFrame {
  /** Shared: callers only read it. */
  readonly plain: Uint8Array;
  readonly #idKey: Uint8Array | undefined;
  /** Of chunks that were announced, by their offsets. */
  readonly #ids = new Map<number, { readonly length: number; readonly id: Uint8Array }>();

  constructor({ plain, ids }: OpenedFrame, chunks: WantedChunks | undefined) {
    this.plain = plain;
    this.#idKey = chunks?.idKey;
    for (const [i, { offset, length }] of (chunks?.places ?? []).entries()) {
      this.#ids.set(offset, { length, id: ids.subarray(i * 32, i * 32 + 32) });
    }
  }

  /** The id that this key makes of these bytes, where it is known: of a chunk that was announced. */
  idOf({ offset, length }: ChunkPlace, idKey: Uint8Array): Uint8Array | undefined {
    const known = this.#ids.get(offset);
    if (known?.length !== length || this.#idKey === undefined) return undefined;
    return equal(this.#idKey, idKey) ? known.id : undefined;
  }
}

/** An opened frame, and whether it is a part of file contents. */
type Kept = { readonly frame: OpenFrame; readonly isData: boolean };

/** Reading this many bytes for nothing costs less than another round trip. */
const gapMax = 256 * KiB;
const rangeSizeMax = 4 * MiB;
/** Ranges that prefetching reads at once. */
const rangesUnderWayMax = 4;
/** Opening a pack key costs milliseconds; keeping one costs a hundred bytes. */
const packKeysMax = 4096;
/** A sealed frame has a codec byte and a tag more than its chunks; zstd is not used where it would add more. */
const sealedSizeMax = limits.frameSizeMax + 64;

/** Opens frames of one dataset's packs, each once as far as the cache allows. */
export class FrameReader implements AsyncDisposable {
  readonly #options: FrameReaderOptions;
  readonly #frames: BoundedCache<string, Kept>;
  /** Of file contents, no longer in the cache; someone may still be using them. */
  #retired: Uint8Array[] = [];
  readonly #keys = new BoundedCache<PackId, Promise<PackKey>>(packKeysMax);
  /** Being read now: whoever asks for the same frame shares the promise. */
  readonly #pending = new Map<string, Promise<OpenFrame>>();
  readonly #ranges = new Semaphore(rangesUnderWayMax);
  readonly #closed = new AbortController();

  constructor(options: FrameReaderOptions) {
    this.#options = options;
    const bytesMax = options.cacheBytesMax ?? limits.restoreCacheBytesMax;
    this.#frames = new BoundedCache(bytesMax, ({ frame, isData }) => {
      if (isData) this.#retired.push(frame.plain);
    });
  }

  /** Bytes of opened frames kept now. */
  get cachedBytes(): number {
    return this.#frames.weight;
  }

  /**
   * The opened frame, shared: callers only read it.
   * @throws HoldfastError too-few-shards | not-found | corrupt | wrong-key
   */
  async frame(ref: FrameRef, options: Cancel = {}): Promise<Uint8Array> {
    return (await this.opened(ref, options)).plain;
  }

  /** As `frame`, with what is known of its chunks. */
  async opened(ref: FrameRef, options: Cancel = {}): Promise<OpenFrame> {
    const cached = this.#frames.get(nameOf(ref));
    if (cached !== undefined) return cached.frame;
    const pending = this.#pending.get(nameOf(ref)) ?? this.#start(ref, this.#readAlone(ref));
    return abortable(pending, options.signal);
  }

  /**
   * Starts to read frames that will be asked for soon. Failures show when they are asked for.
   * @param idKey makes ids of the chunks that are announced with them: they are hashed where frames are opened
   */
  prefetch(ahead: readonly FrameAhead[], idKey?: Uint8Array): void {
    const fresh = new Map<string, Wanted>();
    for (const ref of ahead) {
      const name = nameOf(ref);
      if (this.#pending.has(name) || this.#frames.get(name) !== undefined) continue;
      const wanted = fresh.get(name) ?? { ref, places: [] };
      fresh.set(name, wanted);
      const { offset, length } = ref;
      if (offset !== undefined && length !== undefined) wanted.places.push({ offset, length });
    }
    for (const range of rangesOf([...fresh.values()])) {
      const reading = this.#readRange(range);
      for (const [i, { ref, places }] of range.wanted.entries()) {
        const chunks = idKey === undefined ? undefined : { idKey, places };
        void this.#start(ref, this.#openFrom({ ref, at: i, range, chunks }, reading));
      }
    }
  }

  /**
   * Frames of file contents that have fallen out of the cache, and whom nobody can be given any more.
   * @returns gives their memory back at once, not at some later collection. Only for the one user of this reader,
   * once it no longer uses such frames that it got before.
   */
  retired(): () => void {
    const frames = this.#retired;
    this.#retired = [];
    return () => {
      for (const plain of frames) release(plain);
    };
  }

  #start(ref: FrameRef, work: Promise<OpenFrame>): Promise<OpenFrame> {
    const name = nameOf(ref);
    const pending = work
      .finally(() => this.#pending.delete(name))
      .then((opened) => {
        const isData = this.#options.packs.entry(ref.pack).type === 'data';
        this.#frames.set(name, { frame: opened, isData }, opened.plain.length);
        return opened;
      });
    // A prefetched frame that nobody asks for may fail unseen.
    pending.catch(() => {});
    this.#pending.set(name, pending);
    return pending;
  }

  async #readAlone(ref: FrameRef, chunks?: WantedChunks): Promise<OpenFrame> {
    if (ref.frameSize > sealedSizeMax) {
      throw new HoldfastError('corrupt', `frame ${ref.frame} of ${packName(ref)} is too large`);
    }
    return this.#open(ref, await this.#read(ref.pack, ref.frameOffset, ref.frameSize), chunks);
  }

  /** @returns the sealed frames, in order */
  async #readRange({ wanted }: Range): Promise<Uint8Array[]> {
    const leave = await this.#ranges.acquire();
    try {
      const parts = wanted.map(({ ref }) => ({ offset: ref.frameOffset, size: ref.frameSize }));
      const cancel = { signal: this.#closed.signal };
      return await this.#options.packs.readParts((wanted[0] as Wanted).ref.pack, parts, cancel);
    } finally {
      leave();
    }
  }

  async #openFrom(
    frame: {
      readonly ref: FrameRef;
      readonly at: number;
      readonly range: Range;
      readonly chunks: WantedChunks | undefined;
    },
    reading: Promise<Uint8Array[]>,
  ): Promise<OpenFrame> {
    const { ref, at, range, chunks } = frame;
    let sealed: Uint8Array;
    try {
      sealed = (await reading)[at] as Uint8Array;
    } catch (error) {
      // One lost shard must not take the frames beside it along.
      if (range.wanted.length > 1 && codeOf(error) !== undefined) {
        return this.#readAlone(ref, chunks);
      }
      throw error;
    }
    return this.#open(ref, sealed, chunks);
  }

  #read(pack: PackId, offset: number, size: number): Promise<Uint8Array> {
    return this.#options.packs.read(pack, offset, size, { signal: this.#closed.signal });
  }

  async #open(ref: FrameRef, sealed: Uint8Array, chunks?: WantedChunks): Promise<OpenFrame> {
    const { key, ...pack } = await this.#packKey(ref.pack);
    const context = { ...pack, index: BigInt(ref.frame) };
    try {
      const job = { sealed, key, context, plainSizeMax: limits.frameSizeMax, chunks };
      return new OpenFrame(await this.#options.compute.openFrame(job), chunks);
    } catch (cause) {
      if (codeOf(cause) !== 'corrupt') throw cause;
      const what = `frame ${ref.frame} of ${packName(ref)} does not open`;
      throw new HoldfastError('corrupt', what, { details: { pack: ref.pack }, cause });
    }
  }

  /** The key of a pack, 32 bytes: what a grant to another host is made of. @throws as `frame` */
  async packKey(pack: PackId): Promise<Uint8Array> {
    return (await this.#packKey(pack)).key.slice();
  }

  #packKey(pack: PackId): Promise<PackKey> {
    const known = this.#keys.get(pack);
    if (known !== undefined) return known;
    const opening = this.#openPackKey(pack);
    this.#keys.set(pack, opening);
    opening.catch(() => this.#keys.delete(pack));
    return opening;
  }

  async #openPackKey(pack: PackId): Promise<PackKey> {
    const entry = this.#options.packs.entry(pack);
    const start = await this.#read(pack, 0, Math.min(packHeaderSizeMax, entry.size));
    const { type, dataset, salt, sealedKey } = decodePackHeader(start);
    if (dataset !== this.#options.dataset || type !== entry.type) {
      const what = `pack ${shortId(pack)} is not what its manifest says it is`;
      throw new HoldfastError('corrupt', what, { details: { pack, dataset, type } });
    }
    const key = this.#options.keyOf?.(pack) ?? (await this.#openWithAny(pack, sealedKey));
    return { type, dataset: idBytes(dataset), salt, key };
  }

  async #openWithAny(pack: PackId, sealedKey: Uint8Array): Promise<Uint8Array> {
    let failure: unknown;
    for (const identity of this.#options.identities) {
      try {
        const key = await this.#options.sealer.open(identity, sealedKey);
        if (key.length === 32) return key;
        failure = new HoldfastError('corrupt', `pack ${shortId(pack)} holds no key of 32 bytes`);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        failure = error;
      }
    }
    if (codeOf(failure) === 'corrupt') throw failure;
    const what = `none of the keys at hand opens pack ${shortId(pack)}`;
    throw new HoldfastError('wrong-key', what, { details: { pack }, cause: failure });
  }

  /** Ends reads under way; their askers get an interrupted error. Forgets frames and keys. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new HoldfastError('interrupted', 'the reader was closed'));
    await Promise.allSettled(this.#pending.values());
    this.#frames.clear();
    this.#retired = [];
    this.#keys.clear();
    this.#options.onClosed?.();
  }
}

/** Merges frames of one pack that lie close together. */
function rangesOf(frames: readonly Wanted[]): Range[] {
  const ranges: Range[] = [];
  for (const ofPack of Map.groupBy(frames, ({ ref }) => ref.pack).values()) {
    let last: Range | undefined;
    for (const one of ofPack.sort((a, b) => a.ref.frameOffset - b.ref.frameOffset)) {
      const { ref } = one;
      const end = ref.frameOffset + ref.frameSize;
      if (ref.frameSize > sealedSizeMax) continue;
      if (
        last !== undefined &&
        ref.frameOffset - last.end < gapMax &&
        end - last.offset <= rangeSizeMax
      ) {
        last.wanted.push(one);
        last.end = Math.max(last.end, end);
      } else {
        last = { wanted: [one], offset: ref.frameOffset, end };
        ranges.push(last);
      }
    }
  }
  return ranges;
}

function nameOf({ pack, frame }: FrameRef): string {
  return `${pack}/${frame}`;
}

function packName({ pack }: FrameRef): string {
  return `pack ${shortId(pack)}`;
}
