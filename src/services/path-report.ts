import { equal, printable, utf8 } from '../base/bytes.ts';

/**
 * A path for people and programs: text that any terminal shows as it is, and the bytes in base64 wherever
 * the text is not exactly them (no UTF-8, control characters, backslashes).
 */
export function pathReport(path: Uint8Array): { path: string; pathBase64?: string } {
  const text = printable(path);
  if (equal(utf8(text), path)) return { path: text };
  return { path: text, pathBase64: btoa(Array.from(path, (b) => String.fromCharCode(b)).join('')) };
}
