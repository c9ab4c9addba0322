import { expect, test } from 'vitest';
import { hash } from '../../../../src/core/crypto/hash.ts';
import {
  decodeGrantPart,
  factPartSizeMax,
  inlinePartSizeMax,
  keyParts,
  listParts,
  type SnapshotKeys,
} from '../../../../src/core/format/grant.ts';
import {
  type DatasetId,
  type FactHash,
  idOf,
  type PackId,
  type StatementHash,
} from '../../../../src/core/ids.ts';

const dataset = 'd0'.repeat(16) as DatasetId;

function keysOf(seed: number, count: number): SnapshotKeys {
  const number = (i: number): Uint8Array => new Uint8Array(new Uint32Array([seed, i]).buffer);
  const keys = Array.from({ length: count }, (_, i): [PackId, Uint8Array] => [
    idOf(hash('pack', number(i))),
    hash('fact', number(i)),
  ]);
  return {
    dataset,
    snapshot: idOf<StatementHash>(hash('statement', number(0))),
    keys: new Map(keys),
  };
}

function joined(parts: readonly Uint8Array[]): Map<StatementHash, Map<PackId, Uint8Array>> {
  const all = new Map<StatementHash, Map<PackId, Uint8Array>>();
  for (const part of parts.map(decodeGrantPart)) {
    if (part.kind !== 'keys') throw new Error('keys were expected');
    for (const { snapshot, keys } of part.snapshots) {
      all.set(snapshot, new Map([...(all.get(snapshot) ?? []), ...keys]));
    }
  }
  return all;
}

test('keys of several snapshots are one part when they fit, and are read back', () => {
  const snapshots = [keysOf(1, 3), keysOf(2, 1)];
  const parts = keyParts(snapshots, inlinePartSizeMax);
  expect(parts).toHaveLength(1);
  expect(joined(parts)).toEqual(new Map(snapshots.map(({ snapshot, keys }) => [snapshot, keys])));
});

test('more keys are cut into parts of at most the size, and none is lost', () => {
  const snapshots = [keysOf(1, 700), keysOf(2, 1500), keysOf(3, 2)];
  const parts = keyParts(snapshots, 40_000);
  expect(parts.length).toBeGreaterThan(3);
  for (const part of parts) expect(part.length).toBeLessThanOrEqual(40_000);
  expect(joined(parts)).toEqual(new Map(snapshots.map(({ snapshot, keys }) => [snapshot, keys])));
});

test('a list of facts is cut alike', () => {
  const facts = Array.from({ length: 4000 }, (_, i) =>
    idOf<FactHash>(hash('fact', new Uint8Array(new Uint32Array([i]).buffer))),
  );
  const parts = listParts(facts, factPartSizeMax);
  expect(parts.length).toBe(3);
  const read = parts
    .map(decodeGrantPart)
    .flatMap((part) => (part.kind === 'list' ? part.facts : []));
  expect(read).toEqual(facts);
});

test('a part that is cut short, goes on, or names more than it holds is refused', () => {
  const [good = new Uint8Array()] = keyParts([keysOf(1, 2)], inlinePartSizeMax);
  for (let size = 0; size < good.length; size++) {
    expect(() => decodeGrantPart(good.subarray(0, size))).toThrow();
  }
  expect(() => decodeGrantPart(Uint8Array.of(...good, 0))).toThrow(/too many/);
  for (const at of [0, 4, 5, 6, 8, 60]) {
    const bad = good.slice();
    bad[at] = (bad[at] as number) ^ 0x80;
    expect(() => decodeGrantPart(bad), `byte ${at}`).toThrow();
  }
});
