import { fromHex, toHex } from '../../../src/base/bytes.ts';

/** A value as JSON can hold it: bytes stand as { "hex": ".." }, what is undefined is left out. */
export function toPlain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { hex: toHex(value) };
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, toPlain(field)]));
}

/** The other half of `toPlain`. */
export function fromPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value);
  const [[name, field] = []] = fields;
  if (fields.length === 1 && name === 'hex' && typeof field === 'string') {
    return fromHex(field) as Uint8Array;
  }
  return Object.fromEntries(fields.map(([key, inner]) => [key, fromPlain(inner)]));
}
