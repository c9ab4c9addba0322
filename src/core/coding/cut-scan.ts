import { halfSipHash } from './half-sip-hash.ts';
import type { Kernel } from './kernels/kernel.ts';

/**
 * Looks for the first position from `from` to `to` (both included) where a chunk may end, with at least 32 bytes of the
 * chunk before it.
 */
export type CutScan = (
  bytes: Uint8Array,
  range: { readonly from: number; readonly to: number },
  mask: number,
) => number | undefined;

/** What the first hash must be at a cut, and 8 bytes earlier in its low four bits: 12 bits in all. */
const hashAtCut = 0x5a;
const earlierNibble = 3;
const rollingWindow = 8;
const sipWindow = 32;

/** Plain code: what a cut is, and what compiled code is held to. */
export function plainScan(cutKey: Uint8Array): CutScan {
  /** The rolling hash's term for each byte value. */
  const terms = Uint8Array.from(
    { length: 256 },
    (_, byte) => (cutKey[byte & 15] as number) ^ (cutKey[16 + (byte >> 4)] as number),
  );
  const key = sipKeyOf(cutKey);
  const isCut = (bytes: Uint8Array, position: number, mask: number): boolean => {
    let earlier = 0;
    // Four terms decide four bits.
    for (let i = position - rollingWindow - 4; i < position - rollingWindow; i++) {
      earlier = 2 * earlier + (terms[bytes[i] as number] as number);
    }
    if ((earlier & 15) !== earlierNibble) return false;
    const window = { start: position - sipWindow, end: position };
    return (halfSipHash(bytes, window, key) & mask) === 0;
  };
  return (bytes, { from, to }, mask) => {
    // Doubling drops a byte from the low 8 bits after 8 steps, so 7 warm them up completely; the bits
    // above are left to overflow.
    let h = 0;
    for (let i = from - rollingWindow; i < to; i++) {
      h = ((h << 1) + (terms[bytes[i] as number] as number)) | 0;
      if ((h & 255) === hashAtCut && i >= from - 1 && isCut(bytes, i + 1, mask)) return i + 1;
    }
    return undefined;
  };
}

/** Bytes looked at by one call of the kernel: they stay in the processor's nearest cache. */
const blockSize = 32 * 1024;
const tablesAt = 0;
/** Room for the window before a block. */
const blockAt = 64;

/** The same with 16 bytes at a time. The bytes are copied to the kernel's memory, block by block. */
export function kernelScan(cutKey: Uint8Array, { findCut, memory }: Kernel): CutScan {
  const tables = cutKey.slice(0, 32);
  const { k0, k1 } = sipKeyOf(cutKey);
  return (bytes, { from, to }, mask) => {
    memory.set(tables, tablesAt);
    for (let first = from; first <= to; first += blockSize) {
      const last = Math.min(to, first + blockSize - 1);
      memory.set(bytes.subarray(first - sipWindow, last), blockAt - sipWindow);
      const found = findCut(blockAt, blockAt + last - first, mask, tablesAt, k0, k1);
      if (found !== 0) return first + found - blockAt;
    }
    return undefined;
  };
}

function sipKeyOf(cutKey: Uint8Array): { readonly k0: number; readonly k1: number } {
  const key = new DataView(cutKey.buffer, cutKey.byteOffset + 32, 8);
  return { k0: key.getInt32(0, true), k1: key.getInt32(4, true) };
}
