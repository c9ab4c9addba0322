import { assert } from '../../base/assert.ts';
import { equal, utf8 } from '../../base/bytes.ts';
import { sign, verify } from '../crypto/signature.ts';
import { codeOf } from '../errors.ts';
import { type AgentKey, idBytes } from '../ids.ts';
import { LayoutWriter } from './byte-layout.ts';
import { malformed } from './field.ts';
import { putNumber } from './layout-number.ts';
import {
  decodeNote,
  encodeNote,
  fromBase64,
  isNoteText,
  type NoteSignature,
  noteKeyId,
  type SignatureType,
  toBase64,
} from './signed-note.ts';

/**
 * The head of a Merkle log, as in https://c2sp.org/tlog-checkpoint: the text of a signed note, of three lines
 * or more. The logs themselves are those of merkle-log.ts.
 */
export type Checkpoint = {
  /** Names the log; one line, not empty. */
  readonly origin: string;
  /** Entries, up to 2^53 - 1. */
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** Lines that are not empty. They are signed with the rest; what a signature says of them is for the log to define. */
  readonly extensions: readonly string[];
};

/** A key whose signatures are looked for. */
export type CheckpointKey = {
  /** As it stands in the signature line. */
  readonly name: string;
  readonly key: AgentKey;
  /** `ed25519` for the log's own signature, `cosignature` for one with a time. */
  readonly type: SignatureType;
};

export type CheckpointSignature = {
  readonly by: CheckpointKey;
  /** Of a cosignature: seconds since 1970, from the signer's clock. */
  readonly timeSeconds: number | undefined;
};

/** What became of checking a checkpoint. */
export type CheckpointVerdict =
  | {
      readonly kind: 'verified';
      readonly checkpoint: Checkpoint;
      /** One for each distinct key, in the order of the note. */
      readonly signatures: readonly CheckpointSignature[];
    }
  | { readonly kind: 'bad-encoding'; readonly reason: string }
  | { readonly kind: 'other-origin'; readonly origin: string }
  /** A line of a known key does not verify. */
  | { readonly kind: 'bad-signature'; readonly by: CheckpointKey }
  | { readonly kind: 'too-few'; readonly found: number; readonly needed: number };

const signatureSize = 64;

/** The text that is signed. What is not allowed in one is a bug. */
export function encodeCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, root, extensions } = checkpoint;
  assert([origin, ...extensions].every(isLine), 'a line of a checkpoint is one line and not empty');
  assert(Number.isSafeInteger(size) && size >= 0, 'a log has a whole number of entries');
  assert(root.length === 32, 'a root is 32 bytes');
  return [origin, size, toBase64(root), ...extensions, ''].join('\n');
}

/** The checkpoint in exactly this text. @throws HoldfastError bad-encoding */
export function decodeCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = '', ...rest] = text.split('\n');
  if (rest.pop() !== '') throw malformed('a checkpoint does not end with its third line or later');
  if (![origin, ...rest].every(isLine)) throw malformed('a checkpoint has a line that is empty');
  if (!/^(0|[1-9][0-9]*)$/.test(size) || !Number.isSafeInteger(Number(size))) {
    throw malformed('a checkpoint has a size that is no number of entries');
  }
  const bytes = fromBase64(root);
  if (bytes?.length !== 32) throw malformed('a checkpoint has a root that is no hash');
  return { origin, size: Number(size), root: bytes, extensions: rest };
}

/** The log's signature over the text of a checkpoint. @param secret 32 bytes, of the key */
export function signCheckpoint(text: string, by: CheckpointKey, secret: Uint8Array): NoteSignature {
  assert(by.type === 'ed25519', 'a signature without a time is of the plain type');
  return { name: by.name, keyId: keyIdOf(by), bytes: sign(secret, utf8(text)) };
}

/**
 * A cosignature over the text of a checkpoint (https://c2sp.org/tlog-cosignature, type Ed25519): "at this
 * time, this was the largest tree of this log that I have seen, and it is consistent with all before".
 * Whoever signs has checked that. @param secret 32 bytes, of the key
 */
export function cosignCheckpoint(
  text: string,
  options: { by: CheckpointKey; secret: Uint8Array; timeSeconds: number },
): NoteSignature {
  const { by, secret, timeSeconds } = options;
  assert(by.type === 'cosignature', 'a signature with a time is a cosignature');
  const writer = putNumber(new LayoutWriter(8 + signatureSize), timeSeconds);
  const bytes = writer.put(sign(secret, cosigned(text, timeSeconds))).done();
  return { name: by.name, keyId: keyIdOf(by), bytes };
}

/** A checkpoint with its signatures, as it is kept and sent. */
export function encodeSignedCheckpoint(text: string, signatures: readonly NoteSignature[]): string {
  return encodeNote({ text, signatures });
}

/**
 * Checks a signed checkpoint: it is of this log, and at least `threshold` distinct public keys among `keys`
 * have signed it, however many lines, names and types each has used. Lines of other keys are ignored, as the
 * specification demands; a line of a known key that does not verify refuses the whole. Never throws for what
 * the text holds.
 */
export function verifyCheckpoint(
  signed: string,
  expected: {
    readonly origin: string;
    readonly keys: readonly CheckpointKey[];
    /** From 1. */
    readonly threshold: number;
  },
): CheckpointVerdict {
  assert(Number.isSafeInteger(expected.threshold) && expected.threshold >= 1, 'one key signs');
  const parts = partsOf(signed);
  if ('reason' in parts) return { kind: 'bad-encoding', reason: parts.reason };
  const { text, lines, checkpoint } = parts;
  if (checkpoint.origin !== expected.origin) {
    return { kind: 'other-origin', origin: checkpoint.origin };
  }
  const known = expected.keys.map((by) => ({ by, keyId: keyIdOf(by) }));
  const found = new Map<AgentKey, CheckpointSignature>();
  for (const line of lines) {
    for (const { by, keyId } of known) {
      if (line.name !== by.name || !equal(line.keyId, keyId)) continue;
      const signature = verifiedLine(text, line, by);
      if (signature === undefined) return { kind: 'bad-signature', by };
      if (!found.has(by.key)) found.set(by.key, signature);
    }
  }
  if (found.size < expected.threshold) {
    return { kind: 'too-few', found: found.size, needed: expected.threshold };
  }
  return { kind: 'verified', checkpoint, signatures: [...found.values()] };
}

type Parts = { text: string; lines: readonly NoteSignature[]; checkpoint: Checkpoint };

function partsOf(signed: string): Parts | { reason: string } {
  try {
    const { text, signatures } = decodeNote(signed);
    return { text, lines: signatures, checkpoint: decodeCheckpoint(text) };
  } catch (error) {
    if (codeOf(error) !== 'bad-encoding') throw error;
    return { reason: (error as Error).message };
  }
}

function verifiedLine(
  text: string,
  { bytes }: NoteSignature,
  by: CheckpointKey,
): CheckpointSignature | undefined {
  const key = idBytes(by.key);
  if (by.type === 'ed25519') {
    return verify(key, utf8(text), bytes) ? { by, timeSeconds: undefined } : undefined;
  }
  const timeSeconds = timeOf(bytes);
  if (timeSeconds === undefined) return undefined;
  const isGood = verify(key, cosigned(text, timeSeconds), bytes.subarray(8));
  return isGood ? { by, timeSeconds } : undefined;
}

/** Undefined beyond 2^53 - 1, which no clock shows. */
function timeOf(bytes: Uint8Array): number | undefined {
  if (bytes.length !== 8 + signatureSize) return undefined;
  const time = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(0);
  return time <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(time) : undefined;
}

function cosigned(text: string, timeSeconds: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${timeSeconds}\n${text}`);
}

function keyIdOf(by: CheckpointKey): Uint8Array {
  return noteKeyId(by.name, by.type, idBytes(by.key));
}

function isLine(text: string): boolean {
  return text !== '' && !text.includes('\n') && isNoteText(text);
}
