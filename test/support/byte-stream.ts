import { createHash } from 'node:crypto';

/** Bytes that look random and are the same every time: SHA-256(label ‖ i) for i = 0, 1, ..., cut to size. */
export function byteStream(label: string, size: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(size / 32) * 32);
  const counter = new Uint8Array(4);
  for (let i = 0; i * 32 < bytes.length; i++) {
    new DataView(counter.buffer).setUint32(0, i);
    bytes.set(createHash('sha256').update(label).update(counter).digest(), i * 32);
  }
  return bytes.subarray(0, size).slice();
}

/** Bytes of a text that is hexadecimal, as in the vectors. */
export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
