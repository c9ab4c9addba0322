import { toHex } from '../../../src/base/bytes.ts';
import { toPlain } from './plain-value.ts';

/** Bytes of one format, and what a decoder must say of them. */
export type Vector = {
  readonly format: string;
  readonly what: string;
  /** Hexadecimal; either this or `text`. */
  readonly bytes?: string;
  readonly text?: string;
  /** "ok", or how they are refused. */
  readonly outcome: string;
  readonly id?: string;
  /** What they mean: encoding it gives the bytes. */
  readonly value?: unknown;
};

export const badEncoding = { outcome: 'bad-encoding' };
export const badSignature = { outcome: 'bad-signature' };
export const damaged = { outcome: 'damaged' };

export class VectorList {
  readonly all: Vector[] = [];

  /** `more`: what the bytes mean and what they are known by, or how they are refused. */
  add(
    format: string,
    what: string,
    content: Uint8Array | string,
    more: { readonly outcome?: string; readonly id?: string; readonly value?: unknown },
  ): void {
    const { value, ...rest } = more;
    const meaning = value === undefined ? {} : { value: toPlain(value) };
    const stored = typeof content === 'string' ? { text: content } : { bytes: toHex(content) };
    this.all.push({ format, what, outcome: 'ok', ...rest, ...meaning, ...stored });
  }
}

/** The bytes with one bit changed; a negative place counts from the end. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const place = at < 0 ? bytes.length + at : at;
  return bytes.with(place, (bytes[place] as number) ^ 1);
}
