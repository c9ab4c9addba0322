import { expect, test } from 'vitest';
import type { PackEntry } from '../../../src/core/format/facts.ts';
import { shardSizeOf } from '../../../src/core/format/shard.ts';
import { limits } from '../../../src/core/limits.ts';
import { stripedSpansOf } from '../../../src/services/stripe-reader.ts';
import { buildSnapshot, file, peerAt, type SampleSnapshot } from '../../support/build-snapshot.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { expectSame } from '../../support/same-bytes.ts';

const step = 100_000;

function packOf(snapshot: SampleSnapshot): PackEntry {
  return snapshot.entries.get(snapshot.dataPacks[0] as never) as PackEntry;
}

/** All of a pack in parts of 100 kB, all asked for at once, as a restore prefetches. */
async function readInParts(snapshot: SampleSnapshot, reader = snapshot.packReader()) {
  const { pack, size } = packOf(snapshot);
  // Whoever does not answer is found out first.
  await reader.read(pack, 0, size);
  snapshot.network.pulls.length = 0;
  const offsets = Array.from({ length: Math.ceil(size / step) }, (_, i) => i * step);
  const parts = offsets.map((at) => reader.read(pack, at, Math.min(step, size - at)));
  return Buffer.concat(await Promise.all(parts));
}

test('of a pack with missing data shards everything is fetched once', async () => {
  const snapshot = await buildSnapshot({ big: file(4_000_000) }, { clock: new ManualClock() });
  const wanted = await snapshot.packReader().read(packOf(snapshot).pack, 0, packOf(snapshot).size);
  snapshot.network.faults.set(peerAt(0), 'unreachable').set(peerAt(1), 'unreachable');
  const bytes = await readInParts(snapshot);
  expectSame(bytes, wanted);
  const { k, size } = packOf(snapshot);
  const stripes = Math.ceil(
    shardSizeOf({ k, packSize: size }) / (limits.pullLeavesMax * limits.leafSize),
  );
  // What was read to find out who answers may still be there.
  expect(snapshot.network.pulls.length).toBeLessThanOrEqual(k * stripes);
});

test('a holder that goes meanwhile is made good by the others', async () => {
  const snapshot = await buildSnapshot({ big: file(4_000_000) }, { clock: new ManualClock() });
  const entry = packOf(snapshot);
  const wanted = await snapshot.packReader().read(entry.pack, 0, entry.size);
  snapshot.network.faults.set(peerAt(0), 'unreachable');
  const reader = snapshot.packReader();
  await reader.read(entry.pack, 0, step);
  snapshot.network.faults.set(peerAt(2), 'unreachable');
  expectSame(await reader.read(entry.pack, 0, entry.size), wanted);
});

test('a spoiled shard is not taken for the one that it should be', async () => {
  const snapshot = await buildSnapshot({ big: file(4_000_000) }, { clock: new ManualClock() });
  const entry = packOf(snapshot);
  const wanted = await snapshot.packReader().read(entry.pack, 0, entry.size);
  snapshot.network.faults.set(peerAt(0), 'unreachable').set(peerAt(3), 'flipped');
  const reader = snapshot.packReader();
  expectSame(await reader.read(entry.pack, 0, entry.size), wanted);
  expectSame(await readInParts(snapshot, reader), wanted);
});

test('too few shards are an error that names what is missing', async () => {
  const snapshot = await buildSnapshot({ big: file(700_000) }, { clock: new ManualClock() });
  const { pack, size } = packOf(snapshot);
  for (const i of [0, 1, 3]) snapshot.network.faults.set(peerAt(i), 'unreachable');
  const reader = snapshot.packReader();
  for (let i = 0; i < 2; i++) {
    await expect(reader.read(pack, 0, size)).rejects.toMatchObject({ code: 'too-few-shards' });
  }
});

test('striped spans cover a range, each within one stripe of one shard', () => {
  const k = 3;
  const shardSize = 20 * limits.leafSize;
  const entry = { k, m: 2, size: k * shardSize } as PackEntry;
  const spans = [...stripedSpansOf(entry, shardSize - 1, 2)];
  expect(spans).toEqual([
    { row: 0, leaf: 16, count: 4 },
    { row: 1, leaf: 0, count: 16 },
  ]);
  const all = [...stripedSpansOf(entry, 0, entry.size)];
  expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(k * 20);
});
