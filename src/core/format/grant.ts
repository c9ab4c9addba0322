import { assert } from '../../base/assert.ts';
import { KiB } from '../../base/units.ts';
import {
  type DatasetId,
  type FactHash,
  idBytes,
  idOf,
  type PackId,
  type StatementHash,
} from '../ids.ts';
import { limits } from '../limits.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { integer, malformed } from './field.ts';

/** The keys of one snapshot's packs. */
export type SnapshotKeys = {
  readonly dataset: DatasetId;
  readonly snapshot: StatementHash;
  /** 32 bytes for each pack. */
  readonly keys: ReadonlyMap<PackId, Uint8Array>;
};

/** What one sealed part of a grant says: keys, or where further parts are. */
export type GrantPart =
  | { readonly kind: 'keys'; readonly snapshots: readonly SnapshotKeys[] }
  | { readonly kind: 'list'; readonly facts: readonly FactHash[] };

/** Of a part that stands in a command of the control log. */
export const inlinePartSizeMax = 32 * KiB;
/** Of a part that becomes a fact: sealing adds about 2 KiB. */
export const factPartSizeMax = limits.factSizeMax - 8 * KiB;

const headSize = 12;
const snapshotHeadSize = 52;
const keySize = 64;
const hashSize = 32;

/** Parts of at most `sizeMax` bytes that hold all keys between them; one when everything fits. */
export function keyParts(snapshots: readonly SnapshotKeys[], sizeMax: number): Uint8Array[] {
  const parts: SnapshotKeys[][] = [];
  let current: SnapshotKeys[] = [];
  let size = headSize;
  const close = (): void => {
    if (current.length > 0) parts.push(current);
    current = [];
    size = headSize;
  };
  for (const { dataset, snapshot, keys } of snapshots) {
    const all = [...keys];
    for (let at = 0; at < all.length; ) {
      const room = Math.floor((sizeMax - size - snapshotHeadSize) / keySize);
      if (room < 1) {
        close();
        continue;
      }
      const taken = all.slice(at, at + room);
      current.push({ dataset, snapshot, keys: new Map(taken) });
      size += snapshotHeadSize + taken.length * keySize;
      at += taken.length;
    }
  }
  close();
  return parts.map(encodeKeys);
}

/** Parts of at most `sizeMax` bytes that name all facts between them. */
export function listParts(facts: readonly FactHash[], sizeMax: number): Uint8Array[] {
  const countMax = Math.floor((sizeMax - headSize) / hashSize);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < facts.length; i += countMax)
    parts.push(encodeList(facts.slice(i, i + countMax)));
  return parts;
}

function encodeKeys(snapshots: readonly SnapshotKeys[]): Uint8Array {
  const count = snapshots.reduce((sum, { keys }) => sum + keys.size, 0);
  const size = headSize + snapshots.length * snapshotHeadSize + count * keySize;
  const writer = head(size, 1).uint32(snapshots.length);
  for (const { dataset, snapshot, keys } of snapshots) {
    writer.put(idBytes(dataset)).put(idBytes(snapshot)).uint32(keys.size);
    for (const [pack, key] of keys) {
      assert(key.length === 32, 'the key of a pack has 32 bytes');
      writer.put(idBytes(pack)).put(key);
    }
  }
  return writer.done();
}

function encodeList(facts: readonly FactHash[]): Uint8Array {
  const writer = head(headSize + facts.length * hashSize, 2).uint32(facts.length);
  for (const fact of facts) writer.put(idBytes(fact));
  return writer.done();
}

function head(size: number, kind: number): LayoutWriter {
  return new LayoutWriter(size).text('HFGR').byte(1).byte(kind).zeros(2);
}

/** The part in these bytes, its keys copied. @throws HoldfastError bad-encoding */
export function decodeGrantPart(bytes: Uint8Array): GrantPart {
  const reader = new LayoutReader(bytes, 'a grant');
  reader.magic('HFGR');
  reader.versionOne();
  const kind = reader.byte();
  reader.zeros(2);
  const part = kind === 1 ? keysFrom(reader) : kind === 2 ? listFrom(reader) : undefined;
  if (part === undefined) throw malformed(`a grant has parts of a kind ${kind}`);
  reader.end();
  return part;
}

function keysFrom(reader: LayoutReader): GrantPart {
  const snapshots: SnapshotKeys[] = [];
  for (let left = countFrom(reader, snapshotHeadSize); left > 0; left--) {
    const dataset = idOf<DatasetId>(reader.take(16));
    const snapshot = idOf<StatementHash>(reader.take(32));
    const keys = new Map<PackId, Uint8Array>();
    for (let more = countFrom(reader, keySize); more > 0; more--) {
      const pack = idOf<PackId>(reader.take(32));
      keys.set(pack, reader.take(32).slice());
    }
    snapshots.push({ dataset, snapshot, keys });
  }
  return { kind: 'keys', snapshots };
}

function listFrom(reader: LayoutReader): GrantPart {
  const facts: FactHash[] = [];
  for (let left = countFrom(reader, hashSize); left > 0; left--) {
    facts.push(idOf<FactHash>(reader.take(hashSize)));
  }
  return { kind: 'list', facts };
}

function countFrom(reader: LayoutReader, itemSize: number): number {
  const bounds = { min: 0, max: Math.floor(reader.left / itemSize) };
  return integer(reader.uint32(), bounds, 'count in a grant');
}
