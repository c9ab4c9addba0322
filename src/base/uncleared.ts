// Apart from bytes.ts, which browsers load too.

/**
 * Memory of its own that has not been cleared, which takes as long as filling it: it holds whatever was there before,
 * so whoever asks for it writes every byte, or hands on only what was written.
 */
export function uncleared(size: number): Uint8Array<ArrayBuffer> {
  const { buffer } = Buffer.allocUnsafeSlow(size);
  return new Uint8Array(buffer);
}
