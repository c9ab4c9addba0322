import { afterAll, describe, expect, test } from 'vitest';
import { inlineCompute } from '../../../../src/adapters/compute/inline.ts';
import { openComputePool } from '../../../../src/adapters/compute/pool.ts';
import { concat, utf8 } from '../../../../src/base/bytes.ts';
import { encodePack } from '../../../../src/core/coding/pack-coding.ts';
import { leafHashes } from '../../../../src/core/coding/merkle.ts';
import { KeyedHasher } from '../../../../src/core/crypto/hash.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { limits } from '../../../../src/core/limits.ts';
import { type FrameContext, sealFrame } from '../../../../src/core/format/frame.ts';
import { byteStream } from '../../../support/byte-stream.ts';

const key = byteStream('key', 32);
const context: FrameContext = {
  type: 'metadata',
  dataset: byteStream('dataset', 16),
  salt: byteStream('salt', 16),
  index: 1n,
};
const text = utf8('the same line again and again\n'.repeat(4000));

describe.each([
  ['inline', inlineCompute()],
  ['on threads', openComputePool({ threads: 2 })],
])('compute %s', (_, compute) => {
  afterAll(() => compute[Symbol.asyncDispose]());

  test('seals and opens frames as the core does', async () => {
    const sealed = await compute.sealFrame({ plain: text.slice(), key, context, level: 3 });
    expect(sealed).toEqual(sealFrame({ plain: text, key, context, level: 3 }));
    const job = { sealed: sealed.slice(), key, context, plainSizeMax: text.length };
    expect(await compute.openFrame(job)).toEqual({ plain: text, ids: new Uint8Array(0) });
  });

  test('hashes the chunks of a frame that are asked for, and no others', async () => {
    const idKey = byteStream('ids', 32);
    const hasher = new KeyedHasher(idKey);
    const sealed = sealFrame({ plain: text, key, context, level: 3 });
    const places = [
      { offset: 100, length: 5000 },
      { offset: 0, length: 100 },
      // Leads outside: what is there is not so long.
      { offset: text.length - 10, length: 50 },
    ];
    const job = { sealed, key, context, plainSizeMax: text.length, chunks: { idKey, places } };
    const { ids } = await compute.openFrame(job);
    const expected = [text.slice(100, 5100), text.slice(0, 100), text.slice(-10)];
    expect(ids).toEqual(concat(expected.map((bytes) => hasher.hash(bytes))));
  });

  test.each([
    ['that are right', undefined, 0],
    ['of which the first is wrong', 0, 5],
    ['of which the last, a short one, is wrong', 3, 3 * limits.leafSize + 7],
  ])('checks leaves %s', async (_words, bad, at) => {
    const bytes = byteStream('leaves', 3 * limits.leafSize + 100);
    const hashes = leafHashes(bytes, limits.leafSize);
    const sent = bytes.slice();
    if (bad !== undefined) sent[at] = (sent[at] as number) ^ 1;
    const expected = sent.slice();
    expect(await compute.checkLeaves({ bytes: sent, hashes })).toEqual({ bytes: expected, bad });
  });

  test('counts a leaf for which there is no hash as wrong, and a hash without a leaf', async () => {
    const bytes = byteStream('leaves', 2 * limits.leafSize);
    const hashes = leafHashes(bytes, limits.leafSize);
    const fewer = { bytes: bytes.slice(), hashes: hashes.slice(0, 32) };
    expect((await compute.checkLeaves(fewer)).bad).toBe(1);
    const more = { bytes: bytes.slice(0, limits.leafSize), hashes };
    expect((await compute.checkLeaves(more)).bad).toBe(1);
  });

  test.each([
    [4, 2],
    [1, 3],
    [3, 0],
  ])('encodes a pack for a %i + %i code as the core does', async (k, m) => {
    const pack = byteStream('pack', 300_001);
    const encoded = await compute.encode({ parts: [pack.slice()], k, m });
    expect(encoded).toEqual(encodePack({ parts: [pack], k, m }));
  });

  test('rebuilds shards in the order wanted', async () => {
    const { shards } = encodePack({ parts: [byteStream('pack', 90_000)], k: 2, m: 2 });
    const present = [3, 1].map((index) => ({
      index,
      bytes: (shards[index] as Uint8Array).slice(),
    }));
    const rebuilt = await compute.reconstruct({ k: 2, m: 2, present, wanted: [2, 0] });
    expect(rebuilt).toEqual([shards[2], shards[0]]);
  });

  test('leaves key and context to the caller, for the next frame', async () => {
    const seal = () => compute.sealFrame({ plain: text.slice(), key, context, level: 1 });
    expect(await seal()).toEqual(await seal());
    expect([key.length, context.dataset.length, context.salt.length]).toEqual([32, 16, 16]);
  });

  test('takes parts of larger arrays and leaves the rest alone', async () => {
    const whole = new Uint8Array(text.length + 100).fill(7);
    whole.set(text, 50);
    const plain = whole.subarray(50, 50 + text.length);
    const sealed = await compute.sealFrame({ plain, key, context, level: 3 });
    expect(sealed).toEqual(sealFrame({ plain: text, key, context, level: 3 }));
    expect(whole.subarray(0, 50)).toEqual(new Uint8Array(50).fill(7));
  });

  test('does many jobs at once, each with its own answer', async () => {
    const packs = Array.from({ length: 40 }, (_value, i) => byteStream(`pack ${i}`, 1000 + i));
    const encoded = await Promise.all(
      packs.map((pack) => compute.encode({ parts: [pack.slice()], k: 2, m: 1 })),
    );
    const joined = encoded.map(({ shards }, i) => concat(shards.slice(0, 2)).subarray(0, 1000 + i));
    expect(joined).toEqual(packs);
  });

  test('fails with the operating error of the job, and goes on', async () => {
    const sealed = sealFrame({ plain: text, key, context, level: 3 });
    const job = { sealed, key: byteStream('other', 32), context, plainSizeMax: text.length };
    const failure = await compute.openFrame(job).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HoldfastError);
    expect(failure).toMatchObject({ code: 'corrupt', details: { frame: 'frame 1' } });
    const { shards } = await compute.encode({ parts: [Uint8Array.of(1)], k: 1, m: 0 });
    expect(shards[0]?.[0]).toBe(1);
  });

  test('fails with an assertion for a bug of the caller', async () => {
    const job = { k: 2, m: 1, present: [], wanted: [0] };
    await expect(compute.reconstruct(job)).rejects.toMatchObject({
      name: 'AssertionError',
      message: 'k shards are needed to rebuild',
    });
  });
});
