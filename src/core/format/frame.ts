import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { assert } from '../../base/assert.ts';
import { pooledSizeMax, releaseResult, utf8 } from '../../base/bytes.ts';
import { openAead, sealAead } from '../crypto/aead.ts';
import { HoldfastError } from '../errors.ts';
import { zstdContentSize } from './zstd-header.ts';

/** What a frame is bound to: a frame moved to another place, pack, dataset or type does not open. */
export type FrameContext = {
  readonly type: PackType;
  /** 16 bytes. */
  readonly dataset: Uint8Array;
  /** 16 random bytes of the pack. */
  readonly salt: Uint8Array;
  /** Position in the pack; footerIndex for the footer. */
  readonly index: bigint;
};

export type PackType = 'data' | 'metadata';

export const footerIndex = 0xffff_ffff_ffff_ffffn;

const codecStored = 0;
const codecZstd = 1;
const typeBytes: Readonly<Record<PackType, number>> = { data: 1, metadata: 2 };
const domain = utf8('holdfast-frame-1');

/** zstd's own bound; levels below 1 are not used, since -1 behaves as 3 in Node. */
const levelMax = 22;
/** Bounds the memory of inflating: 8 MiB, more than the largest footer. */
const windowLogMax = 23;
/** zlib takes no less. */
const inflateSlack = 64;
/** Up to this size zstd takes smaller tables by itself. */
const smallForZstd = 256 * 1024;
/** Smaller frames are compressed outright: looking first would cost as much. */
const probeFrom = 64 * 1024;
const probeSampleCount = 8;
const probeSampleSize = 2048;

/**
 * Compresses, then encrypts one frame: see "Frame" in proto/README.md.
 * @param job.key 32 bytes, used for this pack only.
 * @param job.level zstd level 1 to 22, or 0 for no compression.
 * @returns a fresh array that shares its memory with nothing.
 */
export function sealFrame(job: {
  readonly plain: Uint8Array;
  readonly key: Uint8Array;
  readonly context: FrameContext;
  readonly level: number;
}): Uint8Array {
  const { nonce, additional } = binding(job.context);
  const { codec, data } = encode(job.plain, job.level);
  const first = Uint8Array.of(codec);
  const sealed = sealAead({ key: job.key, nonce, additional, first, plain: data });
  if (data !== job.plain) releaseResult(data);
  return sealed;
}

/**
 * Decrypts, then inflates one frame.
 * @param job.plainSizeMax the most bytes that may come out; more is treated as damage.
 * @returns an array whose memory is used by nothing else, and is larger by some bytes at most.
 * @throws HoldfastError corrupt
 */
export function openFrame(job: {
  readonly sealed: Uint8Array;
  readonly key: Uint8Array;
  readonly context: FrameContext;
  readonly plainSizeMax: number;
}): Uint8Array {
  const { nonce, additional } = binding(job.context);
  const plain = openAead({ key: job.key, nonce, additional, sealed: job.sealed });
  if (plain === undefined) {
    throw damaged(job.context, 'is damaged or does not belong to this place of this pack');
  }
  const opened = decode(plain, job);
  if (opened.buffer !== plain.buffer) releaseResult(plain);
  if (opened.length > job.plainSizeMax) throw damaged(job.context, 'is larger than it may be');
  return opened;
}

function binding(context: FrameContext): { nonce: Uint8Array; additional: Uint8Array } {
  assert(context.dataset.length === 16, 'a dataset id is 16 bytes');
  assert(context.salt.length === 16, 'a pack salt is 16 bytes');
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, context.index);
  const additional = new Uint8Array(domain.length + 1 + 16 + 16 + 8);
  additional.set(domain);
  let at = domain.length;
  additional[at] = typeBytes[context.type];
  at += 1;
  additional.set(context.dataset, at);
  additional.set(context.salt, at + 16);
  new DataView(additional.buffer).setBigUint64(at + 32, context.index);
  return { nonce, additional };
}

function encode(plain: Uint8Array, level: number): { codec: number; data: Uint8Array } {
  assert(Number.isInteger(level) && level >= 0 && level <= levelMax, 'a zstd level');
  if (level > 0 && looksCompressible(plain)) {
    const packed = compress(plain, level);
    if (isWorthIt(packed.length, plain.length)) return { codec: codecZstd, data: packed };
    releaseResult(packed);
  }
  return { codec: codecStored, data: plain };
}

function compress(bytes: Uint8Array, level: number): Uint8Array {
  return zstdCompressSync(bytes, {
    // One piece of output: the default 16 KiB pieces cost a tenth of the speed.
    chunkSize: bytes.length + 8 * 1024,
    // Keeps the window within the frame at every level.
    pledgedSrcSize: bytes.length,
    params: { [constants.ZSTD_c_compressionLevel]: level, ...tablesOf(level, bytes.length) },
  });
}

/**
 * Level 3 looks up earlier places in tables that do not fit the second cache of most cores. Of half the size they cost
 * a tenth less time, and two bytes in a thousand.
 */
function tablesOf(level: number, size: number): Record<number, number> {
  if (level !== 3 || size <= smallForZstd) return {};
  return { [constants.ZSTD_c_hashLog]: 16, [constants.ZSTD_c_chainLog]: 15 };
}

/** Inflating costs time at every restore, so a thirty-second must be saved at least. */
function isWorthIt(packedSize: number, plainSize: number): boolean {
  return packedSize <= plainSize - Math.ceil(plainSize / 32);
}

/** Media and archives are found out from samples spread over the frame, which holds many chunks. */
function looksCompressible(plain: Uint8Array): boolean {
  if (plain.length < probeFrom) return plain.length > 0;
  const samples = new Uint8Array(probeSampleCount * probeSampleSize);
  const stride = Math.floor((plain.length - probeSampleSize) / (probeSampleCount - 1));
  for (let i = 0; i < probeSampleCount; i++) {
    const start = i * stride;
    samples.set(plain.subarray(start, start + probeSampleSize), i * probeSampleSize);
  }
  return isWorthIt(compress(samples, 1).length, samples.length);
}

function decode(
  plain: Uint8Array,
  job: { readonly context: FrameContext; readonly plainSizeMax: number },
): Uint8Array {
  const data = plain.subarray(1);
  if (plain[0] === codecStored) return data;
  if (plain[0] !== codecZstd) throw damaged(job.context, 'has an unknown codec');
  // Node takes no bound below 1; openFrame checks the true one.
  const sizeMax = Math.max(1, job.plainSizeMax);
  const size = Math.min(zstdContentSize(data) ?? sizeMax, sizeMax);
  try {
    const inflated = zstdDecompressSync(data, {
      // Were it full, zlib would fetch memory for more.
      chunkSize: size + inflateSlack,
      maxOutputLength: sizeMax,
      params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
    });
    return ownBytes(inflated);
  } catch (cause) {
    throw damaged(job.context, 'does not inflate within its bound', cause);
  }
}

/** A view of the result's memory where that is hardly larger and nobody else's; else a copy. */
function ownBytes(result: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = result;
  const isPooled = buffer.byteLength <= pooledSizeMax;
  if (!isPooled && buffer.byteLength <= length + inflateSlack) {
    return new Uint8Array(buffer, byteOffset, length);
  }
  const copy = new Uint8Array(result);
  releaseResult(result);
  return copy;
}

function damaged(context: FrameContext, what: string, cause?: unknown): HoldfastError {
  const place = context.index === footerIndex ? 'footer' : `frame ${context.index}`;
  return new HoldfastError('corrupt', `the ${place} of a pack ${what}`, {
    details: { frame: place, packType: context.type },
    cause,
  });
}
