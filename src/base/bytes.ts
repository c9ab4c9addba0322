/** Of each byte its two digits, as character codes. */
const hexCodes = Uint16Array.from({ length: 512 }, (_, at) => {
  const digit = at % 2 === 0 ? at >> 5 : (at >> 1) & 15;
  return '0123456789abcdef'.charCodeAt(digit);
});
/** Bytes at a time: the stack must bear them. */
const textStep = 1024;

/**
 * Lower-case hexadecimal text, two characters a byte. Made in one piece: V8 keeps a text that was put together bit
 * by bit as a tree of its pieces, ten times as large, and ids stand in memory by the thousand.
 */
export function toHex(bytes: Uint8Array): string {
  if (bytes.length <= textStep) return hexOf(bytes);
  let text = '';
  for (let at = 0; at < bytes.length; at += textStep) {
    text += hexOf(bytes.subarray(at, at + textStep));
  }
  return text;
}

/** Where the texts of ids and hashes are made, by their lengths: a new array costs more than the text. */
const places = Array.from({ length: 33 }, (_, size) => new Uint16Array(2 * size));

function hexOf(bytes: Uint8Array): string {
  const codes = places[bytes.length] ?? new Uint16Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const at = 2 * (bytes[i] as number);
    codes[2 * i] = hexCodes[at] as number;
    codes[2 * i + 1] = hexCodes[at + 1] as number;
  }
  return String.fromCharCode.apply(null, codes as unknown as number[]);
}

/** Of each character code below 103 its value as a digit, or 255. */
const digitValues = Uint8Array.from({ length: 103 }, (_, code) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(code).toLowerCase());
  return value < 0 ? 255 : value;
});

/** Bytes of an even-length hexadecimal text; undefined when the text is not that. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = digitValues[text.charCodeAt(2 * i)] ?? 255;
    const low = digitValues[text.charCodeAt(2 * i + 1)] ?? 255;
    if (high > 15 || low > 15) return undefined;
    bytes[i] = (high << 4) | low;
  }
  return bytes;
}

/** One new array with the parts one after another. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Same length and content. Not constant-time: for public values only. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Order by unsigned byte value, shorter first among equals: the order of file names in trees. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const encoder = new TextEncoder();

/** UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Text of UTF-8 bytes; undefined when the bytes are not valid UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Controls, C1 among them, and what moves text about: separators of lines, overrides of direction. */
const unprintable = /[\\\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Text for people and terminals: valid UTF-8 as it is, other bytes and controls as \xNN. */
export function printable(bytes: Uint8Array): string {
  const text = fromUtf8(bytes);
  if (text !== undefined) {
    return text.replace(unprintable, (c) => (c === '\\' ? '\\\\' : escaped(utf8(c))));
  }
  let out = '';
  for (const byte of bytes) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    out += isPlain ? String.fromCharCode(byte) : escaped(Uint8Array.of(byte));
  }
  return out;
}

function escaped(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\x${hexOf(Uint8Array.of(byte))}`).join('');
}

/**
 * Gives the memory of an array back now instead of at some later collection: a backup turns over gigabytes,
 * and each thread's collector would let tens of megabytes wait. The caller owns the whole buffer, and
 * nobody uses it (or any view of it) afterwards: it has length 0 from then on.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}

/** `release` where the array has its memory to itself; a view of something larger stays as it is. */
export function releaseOwn(bytes: Uint8Array): void {
  if (bytes.byteLength === bytes.buffer.byteLength) release(bytes);
}

/** Node keeps small results of native code in pools of at most this size. */
export const pooledSizeMax = 64 * 1024;

/**
 * Gives the memory of a large result of native code back, of which nobody uses anything any more: the next one then
 * lies in memory that is warm, which makes it four times as fast to fill. Small results share their memory, and stay.
 */
export function releaseResult(bytes: Uint8Array): void {
  if (bytes.buffer.byteLength > pooledSizeMax) release(bytes);
}

/** One character a byte: a map key of any bytes. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += textStep) {
    // Not spread: walking an iterator takes three times as long.
    const step = bytes.subarray(i, i + textStep) as unknown as number[];
    text += String.fromCharCode.apply(null, step);
  }
  return text;
}
