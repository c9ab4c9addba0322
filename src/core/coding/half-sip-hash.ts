/**
 * HalfSipHash-2-4 with a 32-bit result: a keyed hash of a few bytes in 32-bit arithmetic, which JavaScript
 * and WebAssembly both do fast. Source: https://github.com/veorq/SipHash (halfsiphash.c).
 * @param key first and second half of the key, as little-endian numbers.
 * @returns the result read as a little-endian number, 0 to 2^32 - 1.
 */
export function halfSipHash(
  bytes: Uint8Array,
  range: { readonly start: number; readonly end: number },
  key: { readonly k0: number; readonly k1: number },
): number {
  let v0 = key.k0;
  let v1 = key.k1;
  let v2 = key.k0 ^ 0x6c796765;
  let v3 = key.k1 ^ 0x74656462;

  const size = range.end - range.start;
  const wordCount = size >>> 2;
  // Words of the message, one that holds the rest and the size, and two that finish.
  for (let step = 0; step < wordCount + 3; step++) {
    const word =
      step < wordCount
        ? wordAt(bytes, range.start + 4 * step)
        : step === wordCount
          ? lastWord(bytes, range.start + 4 * step, range.end, size)
          : 0;
    if (step === wordCount + 1) v2 ^= 0xff;
    v3 ^= word;
    for (let round = 0; round < 2; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function lastWord(bytes: Uint8Array, start: number, end: number, size: number): number {
  let word = size << 24;
  for (let at = start; at < end; at++) word |= (bytes[at] as number) << (8 * (at - start));
  return word;
}
