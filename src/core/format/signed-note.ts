import { createHash } from 'node:crypto';
import { assert } from '../../base/assert.ts';
import { concat, utf8 } from '../../base/bytes.ts';
import { malformed } from './field.ts';

/** A text that keys have signed: https://c2sp.org/signed-note */
export type SignedNote = {
  /** Ends with a newline. */
  readonly text: string;
  /** In the order of the note; at least one. */
  readonly signatures: readonly NoteSignature[];
};

export type NoteSignature = {
  /** Name of the key: not empty, without spaces and "+". */
  readonly name: string;
  /** 4 bytes that tell keys and signature types of one name apart. */
  readonly keyId: Uint8Array;
  /** What follows the key id; its length and meaning are those of the type. */
  readonly bytes: Uint8Array;
};

/** A type of signature, by the byte that C2SP has assigned to it. */
export const signatureTypes = { ed25519: 0x01, cosignature: 0x04 } as const;
export type SignatureType = keyof typeof signatureTypes;

/** Characters of a note; ours have at most some hundred signatures of about 150. */
export const noteSizeMax = 256 * 1024;
/** The specification wants at least 16 accepted. */
export const noteSignaturesMax = 512;

const linePattern = /^— (\S+) ([A-Za-z0-9+/]+={0,2})$/u;

/** The key id: SHA-256(name ‖ newline ‖ type ‖ public key), its first 4 bytes. @param publicKey 32 bytes */
export function noteKeyId(name: string, type: SignatureType, publicKey: Uint8Array): Uint8Array {
  assert(publicKey.length === 32, 'an Ed25519 public key is 32 bytes');
  const bytes = [utf8(`${name}\n`), Uint8Array.of(signatureTypes[type]), publicKey];
  return new Uint8Array(createHash('sha256').update(concat(bytes)).digest().subarray(0, 4));
}

/** True when a text may name a key. */
export function isKeyName(name: string): boolean {
  // U+0085 is a space to Unicode, though not to regular expressions.
  return /^[^\s+\u0085]+$/u.test(name) && isNoteText(name);
}

/** The note as a text. What is not allowed in one is a bug. */
export function encodeNote(note: SignedNote): string {
  assert(note.text.endsWith('\n') && isNoteText(note.text), 'the text of a note is made of lines');
  const lines = note.signatures.map(({ name, keyId, bytes }) => {
    assert(isKeyName(name) && keyId.length === 4, 'a note signature names its key');
    return `— ${name} ${toBase64(concat([keyId, bytes]))}\n`;
  });
  return `${note.text}\n${lines.join('')}`;
}

/** The parts of a note; the signatures are not verified. @throws HoldfastError bad-encoding */
export function decodeNote(encoded: string): SignedNote {
  if (encoded.length > noteSizeMax) throw malformed(`a signed note is over ${noteSizeMax} long`);
  if (!isNoteText(encoded)) throw malformed('a signed note has control characters');
  // The text may have empty lines too: the last one ends it.
  const end = encoded.lastIndexOf('\n\n');
  if (end < 0) throw malformed('a signed note has no empty line after its text');
  const lines = encoded.slice(end + 2).split('\n');
  if (lines.pop() !== '' || lines.length === 0) throw malformed('a signed note has no signature');
  if (lines.length > noteSignaturesMax) throw malformed('a signed note has too many signatures');
  return { text: encoded.slice(0, end + 1), signatures: lines.map(decodeLine) };
}

function decodeLine(line: string): NoteSignature {
  const [, name = '', base64 = ''] = linePattern.exec(line) ?? [];
  const bytes = fromBase64(base64);
  if (!isKeyName(name) || bytes === undefined || bytes.length < 5) {
    throw malformed('a signed note has a line that is no signature');
  }
  return { name, keyId: bytes.slice(0, 4), bytes: bytes.slice(4) };
}

/** Valid Unicode without control characters other than newline. */
export function isNoteText(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what the specification forbids
  return text.isWellFormed() && !/[\u0000-\u0009\u000b-\u001f]/.test(text);
}

/** Standard Base64 with padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Bytes of standard Base64; undefined unless the text is exactly what `toBase64` makes of them. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const decoded = atob(text);
  const bytes = new Uint8Array(decoded.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = decoded.charCodeAt(i);
  // Only the last group can have been written in another way: in the bits that it does not need.
  const lastGroup = bytes.subarray(bytes.length - ((bytes.length + 2) % 3) - 1);
  return bytes.length === 0 || text.endsWith(toBase64(lastGroup)) ? bytes : undefined;
}
