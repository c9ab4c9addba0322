import { describe, expect, test } from 'vitest';
import type { PackEntry } from '../../../src/core/format/facts.ts';
import type { IndexRecord } from '../../../src/core/format/index-segment.ts';
import type { DatasetId } from '../../../src/core/ids.ts';
import type { FrameRef } from '../../../src/services/frame-reader.ts';
import {
  buildSnapshot,
  file,
  noise,
  peerAt,
  type SampleSnapshot,
} from '../../support/build-snapshot.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { expectSame } from '../../support/same-bytes.ts';

const frameCount = 6;
const frameBytes = 100_000;

/** One file of six frames, two chunks each. */
async function sample(): Promise<{
  snapshot: SampleSnapshot;
  refs: FrameRef[];
  chunks: IndexRecord[];
  idKey: Uint8Array;
}> {
  const clock = new ManualClock();
  const tree = { big: file(frameCount * frameBytes, 9) };
  const snapshot = await buildSnapshot(tree, { clock, frameChunks: 2 });
  const reader = await snapshot.open();
  const entry = await reader.resolve([new TextEncoder().encode('big')]);
  const found = entry.content.flatMap(({ id }) => (id && reader.find(id)) ?? []);
  const refs = [...new Map(found.map((record) => [record.frame, record])).values()];
  snapshot.network.pulls.length = 0;
  return { snapshot, refs, chunks: found, idKey: reader.root.idKey };
}

function plainOf(frame: number): Uint8Array {
  return noise(frameCount * frameBytes, 9).subarray(frame * frameBytes, (frame + 1) * frameBytes);
}

/** Leaves asked for, all shards together. */
function leavesPulled(snapshot: SampleSnapshot): number {
  return snapshot.network.pulls.reduce((sum, { request }) => sum + request.count, 0);
}

describe('FrameReader', () => {
  test('opens each frame', async () => {
    const { snapshot, refs } = await sample();
    const frames = snapshot.frameReader();
    expect(refs).toHaveLength(frameCount);
    for (const ref of refs) expectSame(await frames.frame(ref), plainOf(ref.frame));
  });

  test('frames asked for at once share one read and one pack key', async () => {
    const { snapshot, refs } = await sample();
    let opened = 0;
    const { sealer } = snapshot;
    const counting = {
      ...sealer,
      open: (...args: Parameters<typeof sealer.open>) => {
        opened++;
        return sealer.open(...args);
      },
    };
    Object.assign(snapshot, { sealer: counting });
    const frames = snapshot.frameReader();
    const [first] = refs as [FrameRef];
    const results = await Promise.all([
      frames.frame(first),
      frames.frame(first),
      frames.frame(first),
    ]);
    expect(results[1]).toBe(results[0]);
    expect(results[2]).toBe(results[0]);
    for (const ref of refs) await frames.frame(ref);
    expect(opened).toBe(1);
  });

  test('neighbouring frames that are prefetched become one range', async () => {
    const alone = await sample();
    const one = alone.snapshot.frameReader();
    for (const ref of alone.refs) await one.frame(ref);
    const { snapshot, refs } = await sample();
    const frames = snapshot.frameReader();
    frames.prefetch(refs);
    for (const ref of refs) expectSame(await frames.frame(ref), plainOf(ref.frame));
    expect(snapshot.network.pulls.length).toBeLessThan(alone.snapshot.network.pulls.length);
    expect(leavesPulled(snapshot)).toBeLessThan(leavesPulled(alone.snapshot));
  });

  test('chunks that are announced are hashed where their frame is opened, others are not', async () => {
    const { snapshot, chunks, idKey } = await sample();
    const frames = snapshot.frameReader();
    const announced = chunks.slice(0, 3);
    frames.prefetch(announced, idKey);
    for (const record of chunks) {
      const frame = await frames.opened(record);
      const known = announced.includes(record) ? record.id : undefined;
      expect(frame.idOf(record, idKey)).toEqual(known);
      expect(frame.idOf({ ...record, length: record.length - 1 }, idKey)).toBeUndefined();
      expect(frame.idOf(record, new Uint8Array(32))).toBeUndefined();
    }
  });

  test('the cache keeps its bound, and what it dropped is read again', async () => {
    const { snapshot, refs } = await sample();
    const cacheBytesMax = 2 * frameBytes + 10;
    const frames = snapshot.frameReader(snapshot.packReader(), { cacheBytesMax });
    for (const ref of [...refs, ...refs]) {
      expectSame(await frames.frame(ref), plainOf(ref.frame));
      expect(frames.cachedBytes).toBeLessThanOrEqual(cacheBytesMax);
    }
    const pulls = snapshot.network.pulls.length;
    await frames.frame(refs.at(-1) as FrameRef);
    expect(snapshot.network.pulls.length).toBe(pulls);
    await frames.frame(refs[0] as FrameRef);
    expect(snapshot.network.pulls.length).toBeGreaterThan(pulls);
  });

  test('frames that fell out of the cache give their memory back when their user says so', async () => {
    const { snapshot, refs } = await sample();
    const frames = snapshot.frameReader(snapshot.packReader(), {
      cacheBytesMax: 2 * frameBytes + 10,
    });
    const [first, second] = refs as [FrameRef, FrameRef, ...FrameRef[]];
    const old = await frames.frame(first);
    for (const ref of refs.slice(1)) await frames.frame(ref);
    const giveBack = frames.retired();
    expectSame(old, plainOf(first.frame));
    const again = await frames.frame(first);
    giveBack();
    expect(old.length).toBe(0);
    expectSame(again, plainOf(first.frame));
    expectSame(await frames.frame(second), plainOf(second.frame));
  });

  test('a lost shard takes only its own frames along when a range is prefetched', async () => {
    const { snapshot, refs } = await sample();
    for (const i of [2, 3, 4]) snapshot.network.faults.set(peerAt(i), 'missing');
    const frames = snapshot.frameReader();
    frames.prefetch(refs);
    const results = await Promise.allSettled(refs.map((ref) => frames.frame(ref)));
    expect(results.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'fulfilled', 'fulfilled'],
      ...['fulfilled', 'rejected', 'rejected'],
    ]);
    const failed = results.at(-1) as PromiseRejectedResult;
    expect(failed.reason).toMatchObject({ code: 'too-few-shards' });
  });

  test('a wrong key is told from damage', async () => {
    const { snapshot, refs } = await sample();
    const frames = snapshot.frameReader(snapshot.packReader(), { identities: ['OTHER'] });
    await expect(frames.frame(refs[0] as FrameRef)).rejects.toMatchObject({ code: 'wrong-key' });
    const two = snapshot.frameReader(snapshot.packReader(), {
      identities: ['OTHER', 'IDENTITY-1'],
    });
    expectSame(await two.frame(refs[0] as FrameRef), plainOf(0));
  });

  test('a pack of another dataset or type is refused', async () => {
    const { snapshot, refs } = await sample();
    const [ref] = refs as [FrameRef];
    const other = snapshot.frameReader(snapshot.packReader(), {
      dataset: 'ee'.repeat(16) as DatasetId,
    });
    await expect(other.frame(ref)).rejects.toMatchObject({ code: 'corrupt' });
    const entry = snapshot.entries.get(ref.pack) as PackEntry;
    snapshot.entries.set(ref.pack, { ...entry, type: 'metadata' });
    await expect(snapshot.frameReader().frame(ref)).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('a frame taken for another, or cut elsewhere, does not open', async () => {
    const { snapshot, refs } = await sample();
    const [first, second] = refs as [FrameRef, FrameRef];
    const frames = snapshot.frameReader();
    await expect(frames.frame({ ...second, frame: first.frame })).rejects.toMatchObject({
      code: 'corrupt',
    });
    const shifted = { ...second, frameOffset: second.frameOffset + 1 };
    await expect(frames.frame(shifted)).rejects.toMatchObject({ code: 'corrupt' });
    const huge = { ...second, frameSize: 2 ** 21 };
    await expect(frames.frame(huge)).rejects.toMatchObject({ code: 'corrupt' });
    expectSame(await frames.frame(second), plainOf(second.frame));
  });

  test('one asker’s signal does not end the read of another', async () => {
    const { snapshot, refs } = await sample();
    const frames = snapshot.frameReader();
    const controller = new AbortController();
    const impatient = frames.frame(refs[0] as FrameRef, { signal: controller.signal });
    const patient = frames.frame(refs[0] as FrameRef);
    controller.abort(new Error('enough'));
    await expect(impatient).rejects.toThrow('enough');
    expectSame(await patient, plainOf(0));
  });

  test('closing ends what is being read', async () => {
    const { snapshot, refs } = await sample();
    for (const peer of snapshot.peers) snapshot.network.faults.set(peer, 'stalled');
    const frames = snapshot.frameReader();
    const reading = frames.frame(refs[0] as FrameRef);
    reading.catch(() => {});
    await frames[Symbol.asyncDispose]();
    await expect(reading).rejects.toMatchObject({ code: 'interrupted' });
    expect(frames.cachedBytes).toBe(0);
  });
});
