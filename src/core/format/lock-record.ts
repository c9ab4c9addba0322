import { equal } from '../../base/bytes.ts';
import { hash } from '../crypto/hash.ts';
import { idBytes, idOf, type StatementHash } from '../ids.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';

/** Bytes of one record of the lock ledger. */
export const lockRecordSize = 80;

const checkSize = 16;
const halfRange = 2 ** 32;

/** A lock as it stands in the ledger: its place (from 1), the snapshot, three times. */
export type LockEntry = {
  readonly sequence: number;
  readonly snapshot: StatementHash;
  readonly sinceMs: number;
  readonly complianceMs: number;
  readonly governanceMs: number;
};

/** Sequence (8) ‖ snapshot (32) ‖ since (8) ‖ compliance (8) ‖ governance (8) ‖ check (16). */
export function encodeLockRecord(entry: LockEntry): Uint8Array {
  const writer = new LayoutWriter(lockRecordSize);
  putNumber(writer, entry.sequence).put(idBytes(entry.snapshot));
  for (const ms of [entry.sinceMs, entry.complianceMs, entry.governanceMs]) putNumber(writer, ms);
  const record = writer.put(new Uint8Array(checkSize)).done();
  record.set(checkOf(record), lockRecordSize - checkSize);
  return record;
}

/** The lock in a record; undefined when its check does not fit, so that nothing of it is known. */
export function decodeLockRecord(record: Uint8Array): LockEntry | undefined {
  if (record.length !== lockRecordSize) return undefined;
  if (!equal(record.subarray(lockRecordSize - checkSize), checkOf(record))) return undefined;
  const reader = new LayoutReader(record, 'a lock');
  const number = (): number => reader.uint32() * halfRange + reader.uint32();
  const sequence = number();
  const snapshot = idOf<StatementHash>(reader.take(32));
  const [sinceMs, complianceMs, governanceMs] = [number(), number(), number()];
  return { sequence, snapshot, sinceMs, complianceMs, governanceMs };
}

function checkOf(record: Uint8Array): Uint8Array {
  return hash('lock', record.subarray(0, lockRecordSize - checkSize)).subarray(0, checkSize);
}

function putNumber(writer: LayoutWriter, value: number): LayoutWriter {
  return writer.uint32(Math.floor(value / halfRange)).uint32(value % halfRange);
}
