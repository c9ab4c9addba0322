import { assert } from '../../base/assert.ts';
import { concat, equal } from '../../base/bytes.ts';
import { MiB } from '../../base/units.ts';
import { hashSize, type KeyedHasher } from '../crypto/hash.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { malformed } from './field.ts';
import { type JournalSummary, putSummary, summarySize, takeSummary } from './journal-summary.ts';

// A record of the control journal, integers big-endian; one write is one record, so it is there or it is not:
// head: "HFJR" ‖ version 1 (1) ‖ kind (1) ‖ 0 (2) ‖ size of body (4) ‖ summary (80)
//       ‖ hash of the record before (32) ‖ hash of the body (32) ‖ hash of all before it in the head (32)
// body: see journal-body.ts
// All hashes are BLAKE3 keyed with the journal's salt. An entry's payload comes from another agent and may
// look like a record; without the salt it cannot be one. The last hash of the head stands for the record.

/** `base` holds a snapshot and begins a segment; `entries` changes the entries after it. */
export type JournalRecordKind = 'base' | 'entries';

export type JournalRecordHead = {
  readonly kind: JournalRecordKind;
  readonly summary: JournalSummary;
  /** Hash of the record before, 32 bytes; zeros for the first of a journal. */
  readonly previous: Uint8Array;
  readonly bodySize: number;
  readonly bodyHash: Uint8Array;
  /** 32 bytes. */
  readonly hash: Uint8Array;
};

/** What a search for records looks for. */
export const recordMagic = 'HFJR';
/** Bytes of a head. */
export const recordHeadSize = 12 + summarySize + 3 * hashSize;
/** A snapshot of the control log's state is far smaller; reading one must not fill the memory. */
export const recordBodySizeMax = 256 * MiB;

const kinds: readonly JournalRecordKind[] = ['base', 'entries'];

/** The bytes of a record and its hash (32 bytes). @param hasher keyed with the journal's salt. */
export function encodeRecord(
  hasher: KeyedHasher,
  record: {
    readonly kind: JournalRecordKind;
    readonly summary: JournalSummary;
    readonly previous: Uint8Array;
    readonly body: Uint8Array;
  },
): { readonly bytes: Uint8Array; readonly hash: Uint8Array } {
  assert(record.body.length <= recordBodySizeMax, 'a record of the control journal has its limit');
  assert(record.previous.length === hashSize, 'a hash is 32 bytes');
  const writer = new LayoutWriter(recordHeadSize - hashSize)
    .text(recordMagic)
    .byte(1)
    .byte(kinds.indexOf(record.kind) + 1)
    .zeros(2)
    .uint32(record.body.length);
  const head = putSummary(writer, record.summary)
    .put(record.previous)
    .put(hasher.hash(record.body))
    .done();
  const hash = hasher.hash(head);
  return { bytes: concat([head, hash, record.body]), hash };
}

/**
 * The head at the start of these bytes, as copies; undefined when no sound one stands there.
 * @throws HoldfastError bad-encoding when it is sound, but of a version that is not known here.
 */
export function decodeRecordHead(
  hasher: KeyedHasher,
  bytes: Uint8Array,
): JournalRecordHead | undefined {
  if (bytes.length < recordHeadSize) return undefined;
  const hash = bytes.slice(recordHeadSize - hashSize, recordHeadSize);
  const hashed = bytes.slice(0, recordHeadSize - hashSize);
  if (!equal(hasher.hash(hashed), hash)) return undefined;
  const reader = new LayoutReader(hashed, 'a record of the control journal');
  reader.magic(recordMagic);
  reader.versionOne();
  const kind = kinds[reader.byte() - 1];
  if (kind === undefined) throw malformed('a record of the control journal has an unknown kind');
  reader.zeros(2);
  const bodySize = reader.uint32();
  const summary = takeSummary(reader);
  const previous = reader.take(hashSize);
  return { kind, summary, previous, bodySize, bodyHash: reader.take(hashSize), hash };
}
