import { printable } from '../base/bytes.ts';

/** A path for people, and its bytes where the text does not give them back. */
export function pathFields(path: Uint8Array): { path: string; pathBase64?: string } {
  const text = printable(path);
  const isExact = Buffer.from(text).equals(path);
  return isExact
    ? { path: text }
    : { path: text, pathBase64: Buffer.from(path).toString('base64') };
}
