import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { PackEntry } from '../../../src/core/format/facts.ts';
import { limits } from '../../../src/core/limits.ts';
import type { PackReader } from '../../../src/services/pack-reader.ts';
import { buildSnapshot, file, peerAt, type SampleSnapshot } from '../../support/build-snapshot.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import type { Fault } from '../../support/pull-network.ts';
import { expectSame } from '../../support/same-bytes.ts';

const size = 700_000;

async function sample(clock = new ManualClock()): Promise<SampleSnapshot> {
  return buildSnapshot({ big: file(size) }, { clock });
}

/** The pack as its data shards have it. */
async function packBytes(snapshot: SampleSnapshot): Promise<Uint8Array> {
  const [pack] = snapshot.dataPacks;
  const entry = snapshot.entries.get(pack as never) as PackEntry;
  return snapshot.packReader().read(entry.pack, 0, entry.size);
}

function packOf(snapshot: SampleSnapshot): PackEntry {
  return snapshot.entries.get(snapshot.dataPacks[0] as never) as PackEntry;
}

async function readAll(snapshot: SampleSnapshot, reader: PackReader): Promise<Uint8Array> {
  const entry = packOf(snapshot);
  return reader.read(entry.pack, 0, entry.size);
}

function subsets(n: number, k: number): number[][] {
  const all = Array.from({ length: 2 ** n }, (_, bits) =>
    Array.from({ length: n }, (_, i) => i).filter((i) => bits & (1 << i)),
  );
  return all.filter((subset) => subset.length === k);
}

describe('PackReader', () => {
  test('reads a pack from its data shards alone', async () => {
    const snapshot = await sample();
    const reader = snapshot.packReader();
    const bytes = await readAll(snapshot, reader);
    expect(bytes.subarray(0, 4)).toEqual(new TextEncoder().encode('HFPK'));
    expect(new TextDecoder().decode(bytes.subarray(-4))).toBe('HFPE');
    expect(new Set(snapshot.network.pulls.map(({ peer }) => peer))).toEqual(
      new Set([peerAt(0), peerAt(1), peerAt(2)]),
    );
    expect(reader.stats).toMatchObject({ packsDecoded: 0, sites: ['site-0', 'site-1', 'site-2'] });
  });

  test('every k of the n shards give the same bytes', async () => {
    const snapshot = await sample();
    const wanted = await packBytes(snapshot);
    for (const alive of subsets(5, 3)) {
      snapshot.network.faults.clear();
      for (let i = 0; i < 5; i++) {
        if (!alive.includes(i)) snapshot.network.faults.set(peerAt(i), 'unreachable');
      }
      const reader = snapshot.packReader();
      expectSame(await readAll(snapshot, reader), wanted, `from ${alive.join()}`);
      expect(reader.stats.packsDecoded).toBe([0, 1, 2].every((i) => alive.includes(i)) ? 0 : 1);
    }
  });

  test('cold shards are left alone as long as enough others are at hand', async () => {
    const snapshot = await sample();
    const wanted = await packBytes(snapshot);
    const entry = packOf(snapshot);
    const holders = snapshot.holders(entry.pack).map((holder) => {
      return holder.index < 2 ? { ...holder, isCold: true } : holder;
    });
    const source = { locate: () => ({ entry, holders }) };
    snapshot.network.pulls.length = 0;
    expectSame(await readAll(snapshot, snapshot.packReader({ source })), wanted);
    const asked = () => new Set(snapshot.network.pulls.map(({ peer }) => peer));
    expect(asked()).toEqual(new Set([peerAt(2), peerAt(3), peerAt(4)]));
    snapshot.network.faults.set(peerAt(4), 'unreachable');
    expectSame(await readAll(snapshot, snapshot.packReader({ source })), wanted);
    expect(asked().size).toBe(5);
  });

  test('any range of a pack is what stands there, also across shards and leaves', async () => {
    const snapshot = await sample();
    const wanted = await packBytes(snapshot);
    const shard = Math.ceil(wanted.length / 3 / 64) * 64;
    const ranges = [
      [0, 1],
      [shard - 1, 2],
      [limits.leafSize - 1, 2],
      [shard - 100, shard + 200],
      [2 * shard + 5, wanted.length - 2 * shard - 5],
      [wanted.length - 1, 1],
    ] as const;
    for (const lost of [undefined, 1, 2]) {
      if (lost !== undefined) snapshot.network.faults.set(peerAt(lost), 'missing');
      const reader = snapshot.packReader();
      for (const [offset, length] of ranges) {
        const bytes = await reader.read(packOf(snapshot).pack, offset, length);
        expectSame(bytes, wanted.subarray(offset, offset + length));
      }
    }
  });

  test('parts of one range come in arrays of their own, also across shards, with gaps between them', async () => {
    const snapshot = await sample();
    const wanted = await packBytes(snapshot);
    const shard = Math.ceil(wanted.length / 3 / 64) * 64;
    const parts = [
      { offset: 7, size: 1 },
      { offset: shard - 90, size: 200 },
      { offset: shard + 110, size: limits.leafSize },
      { offset: wanted.length - 5, size: 5 },
    ];
    const read = await snapshot.packReader().readParts(packOf(snapshot).pack, parts);
    expect(read.length).toBe(parts.length);
    for (const [i, { offset, size }] of parts.entries()) {
      expectSame(read[i] as Uint8Array, wanted.subarray(offset, offset + size));
      expect(read[i]?.buffer.byteLength).toBe(size);
    }
  });

  test.each<Fault>(['flipped', 'short', 'forged', 'other-head', 'other-shard'])(
    'an answer that is %s is found out, logged with its peer, and decoded around',
    async (fault) => {
      const snapshot = await sample();
      const wanted = await packBytes(snapshot);
      snapshot.network.faults.set(peerAt(1), fault);
      const reader = snapshot.packReader();
      expectSame(await readAll(snapshot, reader), wanted);
      expect(reader.stats.packsDecoded).toBe(1);
      expect(reader.stats.corruptAnswers).toBeGreaterThan(0);
      expect(snapshot.log.lines[0]?.context).toMatchObject({
        pack: packOf(snapshot).pack,
        index: 1,
        peer: peerAt(1),
      });
    },
  );

  test.each<Fault>(['cut', 'missing', 'unreachable'])(
    'a peer that is %s is replaced by decoding',
    async (fault) => {
      const snapshot = await sample();
      const wanted = await packBytes(snapshot);
      snapshot.network.faults.set(peerAt(0), fault);
      expectSame(await readAll(snapshot, snapshot.packReader()), wanted);
    },
  );

  test('a peer that spoiled a shard is not asked for it again', async () => {
    const snapshot = await sample();
    snapshot.network.faults.set(peerAt(1), 'flipped');
    const reader = snapshot.packReader();
    await readAll(snapshot, reader);
    snapshot.network.pulls.length = 0;
    await readAll(snapshot, reader);
    expect(snapshot.network.pulls.some(({ peer }) => peer === peerAt(1))).toBe(false);
  });

  test('fewer than k shards end in too-few-shards that names the pack, the count and the peers', async () => {
    const snapshot = await sample();
    const { pack } = packOf(snapshot);
    snapshot.network.faults.set(peerAt(0), 'unreachable');
    snapshot.network.faults.set(peerAt(1), 'flipped');
    snapshot.network.faults.set(peerAt(3), 'missing');
    const failure = await readAll(snapshot, snapshot.packReader()).catch((error) => error);
    expect(failure).toBeInstanceOf(HoldfastError);
    expect(failure).toMatchObject({ code: 'too-few-shards', details: { pack, had: 2, needed: 3 } });
    expect(failure.message).toContain(pack.slice(0, 8));
    expect(failure.message).toContain('2 of the 3');
    for (const [index, why] of [
      [0, 'peer-unreachable'],
      [1, 'corrupt'],
      [3, 'not-found'],
    ] as const) {
      expect(failure.message).toContain(`site-${index}/${peerAt(index).slice(0, 8)}: ${why}`);
    }
  });

  test('data shards that are left are read even when the pack as a whole is lost', async () => {
    const snapshot = await sample();
    const wanted = await packBytes(snapshot);
    for (const i of [2, 3, 4]) snapshot.network.faults.set(peerAt(i), 'missing');
    const reader = snapshot.packReader();
    await expect(readAll(snapshot, reader)).rejects.toMatchObject({ code: 'too-few-shards' });
    const half = Math.floor(wanted.length / 2);
    expectSame(await reader.read(packOf(snapshot).pack, 0, half), wanted.subarray(0, half));
  });

  test('what was lost is tried again once its peers may be back', async () => {
    const clock = new ManualClock();
    const snapshot = await sample(clock);
    const wanted = await packBytes(snapshot);
    for (const peer of snapshot.peers) snapshot.network.faults.set(peer, 'unreachable');
    const reader = snapshot.packReader();
    await expect(readAll(snapshot, reader)).rejects.toMatchObject({ code: 'too-few-shards' });
    snapshot.network.faults.clear();
    snapshot.network.pulls.length = 0;
    await expect(readAll(snapshot, reader)).rejects.toMatchObject({ code: 'too-few-shards' });
    expect(snapshot.network.pulls).toEqual([]);
    await clock.advance(10_000);
    expectSame(await readAll(snapshot, reader), wanted);
  });

  test('a stalled peer is overtaken after a second of the clock', async () => {
    const clock = new ManualClock();
    const snapshot = await sample(clock);
    const wanted = await packBytes(snapshot);
    snapshot.network.faults.set(peerAt(1), 'stalled');
    const reader = snapshot.packReader();
    const reading = readAll(snapshot, reader);
    let isDone = false;
    void reading.then(() => {
      isDone = true;
    });
    await clock.advance(900);
    expect(isDone).toBe(false);
    await clock.advance(200);
    expect(isDone).toBe(true);
    expectSame(await reading, wanted);
    expect(reader.stats.hedges).toBeGreaterThan(0);
  });

  test('a stalled peer holds up one read, not every one', async () => {
    const clock = new ManualClock();
    const snapshot = await sample(clock);
    snapshot.network.faults.set(peerAt(1), 'stalled');
    const reader = snapshot.packReader();
    const first = readAll(snapshot, reader);
    await clock.advance(1100);
    await first;
    await readAll(snapshot, reader);
    expect(clock.monotonicMs()).toBe(1100);
  });

  test('patience grows with the time that answers take', async () => {
    const clock = new ManualClock();
    const snapshot = await sample(clock);
    for (const peer of snapshot.peers) snapshot.network.delaysMs.set(peer, 800);
    const reader = snapshot.packReader();
    const first = readAll(snapshot, reader);
    await clock.advance(5000);
    await first;
    snapshot.network.faults.set(peerAt(1), 'stalled');
    const hedgesBefore = reader.stats.hedges;
    const second = readAll(snapshot, reader);
    await clock.advance(2300);
    expect(reader.stats.hedges).toBe(hedgesBefore);
    await clock.advance(5000);
    await second;
    expect(reader.stats.hedges).toBeGreaterThan(hedgesBefore);
  });

  test('members are asked who holds the pack when receipts name too few', async () => {
    const snapshot = await sample();
    const wanted = await packBytes(snapshot);
    const all = snapshot.holders(packOf(snapshot).pack);
    snapshot.holders = () => all.slice(0, 1);
    let probes = 0;
    const probe = async () => {
      probes++;
      return all.slice(2);
    };
    const reader = snapshot.packReader({ probe });
    expectSame(await readAll(snapshot, reader), wanted);
    await readAll(snapshot, reader);
    expect(probes).toBe(1);
  });

  test('with one data shard any copy will do', async () => {
    const snapshot = await buildSnapshot(
      { a: file(300_000) },
      { k: 1, m: 2, clock: new ManualClock() },
    );
    const wanted = await packBytes(snapshot);
    snapshot.network.faults.set(peerAt(0), 'flipped');
    snapshot.network.faults.set(peerAt(1), 'missing');
    const reader = snapshot.packReader();
    expectSame(await readAll(snapshot, reader), wanted);
    expect(reader.stats).toMatchObject({ packsDecoded: 0, sites: ['site-2'] });
  });

  test('a cancelled read ends with the signal’s reason', async () => {
    const snapshot = await sample();
    for (const peer of snapshot.peers) snapshot.network.faults.set(peer, 'stalled');
    const controller = new AbortController();
    const { pack, size: packSize } = packOf(snapshot);
    const reading = snapshot.packReader().read(pack, 0, packSize, { signal: controller.signal });
    controller.abort(new HoldfastError('interrupted', 'stopped'));
    await expect(reading).rejects.toMatchObject({ code: 'interrupted' });
  });

  test('a reference outside of the pack is corrupt, an unknown pack is not found', async () => {
    const snapshot = await sample();
    const { pack, size: packSize } = packOf(snapshot);
    const reader = snapshot.packReader();
    await expect(reader.read(pack, packSize - 1, 2)).rejects.toMatchObject({ code: 'corrupt' });
    const unknown = '00'.repeat(32) as typeof pack;
    await expect(reader.read(unknown, 0, 1)).rejects.toMatchObject({ code: 'not-found' });
  });
});
