import { decodeConfig, encodeConfig } from '../protocol/raft/config-codec.ts';
import type { RaftEntry, RaftSnapshot } from '../protocol/raft/types.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { malformed } from './field.ts';
import { putNumber, takeNumber } from './layout-number.ts';

// Bodies of the control journal's records, integers big-endian:
// base:    index (8) ‖ term (8) ‖ size of configuration (2) ‖ configuration ‖ state
// entries: truncateFrom or 0 (8) ‖ count (4) ‖ count × entry
// entry:   index (8) ‖ term (8) ‖ kind (1) ‖ 0 (3) ‖ size of payload (4) ‖ payload

/** What a record changes of the entries, in this order. */
export type EntriesChange = {
  readonly truncateFrom: number | undefined;
  readonly append: readonly RaftEntry[];
};

/** Bytes of an entry in a body, beside its payload. */
export const entryOverhead = 24;

const kinds: readonly RaftEntry['kind'][] = ['noop', 'config', 'command'];

/** The body of a `base` record. */
export function encodeBase(snapshot: RaftSnapshot): Uint8Array {
  const config = encodeConfig(snapshot.config);
  const writer = new LayoutWriter(18 + config.length + snapshot.state.length);
  putNumber(putNumber(writer, snapshot.index), snapshot.term);
  return writer.uint16(config.length).put(config).put(snapshot.state).done();
}

/** The snapshot in exactly these bytes; its state is a view of them. @throws HoldfastError bad-encoding */
export function decodeBase(body: Uint8Array): RaftSnapshot {
  const reader = new LayoutReader(body, 'a snapshot in the control journal');
  const [index, term] = [takeNumber(reader), takeNumber(reader)];
  const config = decodeConfig(reader.take(reader.uint16()));
  return { index, term, config, state: reader.take(reader.left) };
}

/** The body of an `entries` record. */
export function encodeEntries(change: EntriesChange): Uint8Array {
  const payloads = change.append.reduce((sum, entry) => sum + entry.payload.length, 0);
  const writer = new LayoutWriter(12 + change.append.length * entryOverhead + payloads);
  putNumber(writer, change.truncateFrom ?? 0).uint32(change.append.length);
  for (const entry of change.append) {
    putNumber(putNumber(writer, entry.index), entry.term);
    writer.byte(kinds.indexOf(entry.kind) + 1).zeros(3);
    writer.uint32(entry.payload.length).put(entry.payload);
  }
  return writer.done();
}

/** The change in exactly these bytes; payloads are views of them. @throws HoldfastError bad-encoding */
export function decodeEntries(body: Uint8Array): EntriesChange {
  const reader = new LayoutReader(body, 'entries in the control journal');
  const truncateFrom = takeNumber(reader) || undefined;
  const count = reader.uint32();
  const append: RaftEntry[] = [];
  for (let i = 0; i < count; i++) append.push(takeEntry(reader));
  reader.end();
  return { truncateFrom, append };
}

function takeEntry(reader: LayoutReader): RaftEntry {
  const [index, term] = [takeNumber(reader), takeNumber(reader)];
  const kind = kinds[reader.byte() - 1];
  if (kind === undefined) throw malformed('an entry in the control journal has an unknown kind');
  reader.zeros(3);
  return { index, term, kind, payload: reader.take(reader.uint32()) };
}
