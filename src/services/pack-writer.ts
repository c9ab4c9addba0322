import { assert } from '../base/assert.ts';
import { uncleared } from '../base/uncleared.ts';
import { HoldfastError } from '../core/errors.ts';
import type { PackEntry } from '../core/format/facts.ts';
import type { FrameContext, PackType } from '../core/format/frame.ts';
import { footerIndex } from '../core/format/frame.ts';
import type { IndexRecord } from '../core/format/index-segment.ts';
import { encodeFooter, encodePackHeader, packParts } from '../core/format/pack.ts';
import type { BlobRef } from '../core/format/records.ts';
import { packIdOf } from '../core/format/shard.ts';
import type { DatasetId, PackId } from '../core/ids.ts';
import { idBytes } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Compute, EncodedPack } from '../ports/compute.ts';
import type { Entropy } from '../ports/runtime.ts';
import type { Sealer } from '../ports/sealer.ts';

/** A sealed and coded pack, ready to be placed. */
export type WrittenPack = {
  readonly ordinal: number;
  readonly entry: PackEntry;
  readonly encoded: EncodedPack;
  readonly records: readonly IndexRecord[];
  /** That it is sealed to. */
  readonly keyEpoch: number;
  /** Plain bytes of frames that compression could not shrink. */
  readonly bytesDense: number;
};

type ChunkPlace = { id: Uint8Array; frame: number; offset: number; length: number };
type SealedFrame = { sealed: Uint8Array; chunks: ChunkPlace[]; bytesDense: number };

type OpenPack = {
  ordinal: number;
  salt: Uint8Array;
  key: Uint8Array;
  sealedKey: Promise<Uint8Array>;
  frames: Promise<SealedFrame>[];
  /** Plain bytes of frames not sealed yet, sealed bytes of the others: never less than the pack will have. */
  sizeBound: number;
  chunkCount: number;
};

type OpenFrame = { bytes: Uint8Array; used: number; chunks: ChunkPlace[] };

/** Sealed bytes for each plain byte, from which on a frame counts as not compressible. */
const denseRatio = 0.97;

export type PackWriterOptions = {
  readonly dataset: DatasetId;
  readonly recipient: string;
  readonly keyEpoch: number;
  readonly type: PackType;
  readonly code: { readonly k: number; readonly m: number };
  readonly compressionLevel: number;
  readonly compute: Compute;
  readonly sealer: Pick<Sealer, 'seal'>;
  readonly entropy: Entropy;
  readonly takeOrdinal: () => number;
  /** Called once for each finished pack; the writer does not wait for it. */
  readonly onPack: (pack: WrittenPack) => void;
  /** Called whenever bytesInProgress has fallen. */
  readonly onProgress?: () => void;
};

/**
 * Gathers chunks into frames, frames into packs, in the order of `add`. Each pack has its own random key,
 * sealed to the epoch recipient and dropped with the pack: whoever runs this cannot open it afterwards.
 *
 * add -> open frame (plain, one buffer) -> sealFrame on the compute pool -> open pack -> encode -> onPack
 */
export class PackWriter {
  readonly #options: PackWriterOptions;
  #pack: OpenPack | undefined;
  #frame: OpenFrame | undefined;
  readonly #finishing = new Set<Promise<void>>();
  #failure: unknown;
  #bytesInProgress = 0;

  constructor(options: PackWriterOptions) {
    this.#options = options;
  }

  /**
   * Bytes that are being sealed or coded. They become fewer without anything being added: what only waits
   * in the open pack does not count, since nobody but `add` moves it on.
   */
  get bytesInProgress(): number {
    return this.#bytesInProgress;
  }

  #progress(bytes: number): void {
    this.#bytesInProgress -= bytes;
    this.#options.onProgress?.();
  }

  /** The pack that the next chunk will go to. */
  get ordinal(): number {
    return this.#openPack().ordinal;
  }

  /** Takes a copy of a chunk of 1 to limits.frameSizeMax bytes. @returns its pack's ordinal. */
  add(id: Uint8Array, bytes: Uint8Array): number {
    if (this.#failure !== undefined) throw this.#failure;
    // A footer that lists an empty chunk does not decode: proto/README.md, "Pack".
    assert(bytes.length > 0, 'a chunk has bytes');
    assert(bytes.length <= limits.frameSizeMax, 'a chunk fits a frame');
    const full = this.#frame;
    if (
      full !== undefined &&
      (full.used + bytes.length > full.bytes.length || full.chunks.length >= limits.frameChunksMax)
    ) {
      this.#closeFrame();
    }
    const pack = this.#openPack();
    const frame = this.#openFrame(bytes.length);
    frame.bytes.set(bytes, frame.used);
    frame.chunks.push({
      id: id.slice(),
      frame: pack.frames.length,
      offset: frame.used,
      length: bytes.length,
    });
    frame.used += bytes.length;
    pack.chunkCount++;
    if (frame.used >= limits.frameSizeTarget) this.#closeFrame();
    return pack.ordinal;
  }

  #openPack(): OpenPack {
    if (this.#pack === undefined) {
      const { entropy } = this.#options;
      const key = entropy.secret?.(32) ?? entropy.bytes(32);
      this.#pack = {
        ordinal: this.#options.takeOrdinal(),
        salt: this.#options.entropy.bytes(16),
        key,
        sealedKey: this.#options.sealer.seal([this.#options.recipient], key),
        frames: [],
        sizeBound: 0,
        chunkCount: 0,
      };
      this.#pack.sealedKey.catch(() => {});
    }
    return this.#pack;
  }

  #openFrame(sizeNeeded: number): OpenFrame {
    if (this.#frame === undefined) {
      const size = Math.max(limits.frameSizeTarget + limits.leafSize, sizeNeeded);
      this.#frame = { bytes: uncleared(size), used: 0, chunks: [] };
    }
    return this.#frame;
  }

  #context(pack: OpenPack, index: bigint): FrameContext {
    return {
      type: this.#options.type,
      dataset: idBytes(this.#options.dataset),
      salt: pack.salt,
      index,
    };
  }

  #closeFrame(): void {
    const frame = this.#frame;
    const pack = this.#pack;
    if (frame === undefined || pack === undefined || frame.chunks.length === 0) return;
    this.#frame = undefined;
    const overhead = 64;
    pack.sizeBound += frame.used + overhead;
    const plainSize = frame.used;
    this.#bytesInProgress += plainSize;
    const job = this.#options.compute
      .sealFrame({
        plain: frame.bytes.subarray(0, frame.used),
        givesBuffer: true,
        key: pack.key,
        context: this.#context(pack, BigInt(pack.frames.length)),
        level: this.#options.compressionLevel,
      })
      .then((sealed) => {
        pack.sizeBound += sealed.length - frame.used - overhead;
        const isDense = sealed.length >= plainSize * denseRatio;
        return { sealed, chunks: frame.chunks, bytesDense: isDense ? plainSize : 0 };
      })
      .finally(() => this.#progress(plainSize));
    job.catch((error: unknown) => {
      this.#failure ??= error;
    });
    pack.frames.push(job);
    if (
      pack.sizeBound >= limits.packSizeTarget ||
      pack.frames.length >= limits.packFramesMax ||
      pack.chunkCount >= limits.packChunksMax - limits.frameChunksMax
    ) {
      this.#closePack();
    }
  }

  #closePack(): void {
    const pack = this.#pack;
    if (pack === undefined) return;
    this.#pack = undefined;
    if (pack.frames.length === 0) return;
    // Its frames, put together, and its shards.
    const bytes = 2 * pack.sizeBound;
    this.#bytesInProgress += bytes;
    const finished = this.#finish(pack).finally(() => pack.key.fill(0));
    const work = finished.then((written) => {
      this.#options.onPack(written);
    });
    const settled = work
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#finishing.delete(settled);
        this.#progress(bytes);
      });
    this.#finishing.add(settled);
  }

  /** Seals the footer, assembles, encodes. */
  async #finish(pack: OpenPack): Promise<WrittenPack> {
    const frames = await Promise.all(pack.frames);
    const footer = encodeFooter(
      frames.map((frame) => ({ sealedSize: frame.sealed.length, chunks: frame.chunks })),
    );
    const sealedFooter = await this.#options.compute.sealFrame({
      plain: footer,
      key: pack.key,
      context: this.#context(pack, footerIndex),
      level: this.#options.compressionLevel,
    });
    const header = encodePackHeader({
      type: this.#options.type,
      dataset: this.#options.dataset,
      salt: pack.salt,
      sealedKey: await pack.sealedKey,
    });
    const sealed = frames.map((frame) => frame.sealed);
    // Before they go to another thread: then nothing of them is left here.
    const headerSize = header.length;
    const frameSizes = sealed.map((frame) => frame.length);
    const { parts, size } = packParts(header, sealed, sealedFooter);
    const { k, m } = this.#options.code;
    const encoded = await this.#options.compute.encode({ parts, k, m });
    const id = packIdOf({ k, m, packSize: size, roots: encoded.roots });
    return {
      ordinal: pack.ordinal,
      entry: { pack: id, k, m, type: this.#options.type, size },
      keyEpoch: this.#options.keyEpoch,
      encoded,
      records: recordsOf(id, headerSize, frames, frameSizes),
      bytesDense: frames.reduce((sum, frame) => sum + frame.bytesDense, 0),
    };
  }

  /** Forgets the pack that is open: nobody will close it. What was closed forgets its key by itself. */
  erase(): void {
    this.#failure ??= new HoldfastError('interrupted', 'the pack was given up');
    this.#pack?.key.fill(0);
    this.#pack = undefined;
    this.#frame = undefined;
  }

  /** Closes what is open and waits until every pack has been handed to onPack. */
  async flush(): Promise<void> {
    this.#closeFrame();
    this.#closePack();
    while (this.#finishing.size > 0) await Promise.all(this.#finishing);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Where each chunk lies, now that the sizes of the sealed frames before it are known. */
function recordsOf(
  pack: PackId,
  headerSize: number,
  frames: readonly SealedFrame[],
  frameSizes: readonly number[],
): IndexRecord[] {
  const records: IndexRecord[] = [];
  let frameOffset = headerSize;
  for (const [i, frame] of frames.entries()) {
    const frameSize = frameSizes[i] as number;
    for (const { id, frame: index, offset, length } of frame.chunks) {
      records.push({
        id,
        pack,
        frame: index,
        frameOffset,
        frameSize,
        offset,
        length,
      });
    }
    frameOffset += frameSize;
  }
  return records;
}

/** A record as a reference that needs no index. */
export function blobOf(record: IndexRecord): BlobRef {
  const { pack, frame, frameOffset, frameSize, offset, length } = record;
  return { pack, frame, frameOffset, frameSize, offset, length };
}
