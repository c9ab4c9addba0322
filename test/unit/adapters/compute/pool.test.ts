import { describe, expect, test } from 'vitest';
import { openComputePool } from '../../../../src/adapters/compute/pool.ts';
import type { HoldfastError } from '../../../../src/core/errors.ts';
import { type FrameContext, sealFrame } from '../../../../src/core/format/frame.ts';
import { byteStream } from '../../../support/byte-stream.ts';

const context: FrameContext = {
  type: 'data',
  dataset: new Uint8Array(16),
  salt: new Uint8Array(16),
  index: 0n,
};
const frame = { key: new Uint8Array(32), context, plainSizeMax: 10 };

function fragilePool(threads = 1) {
  return openComputePool({ threads, entry: new URL('./fragile-worker.ts', import.meta.url) });
}

function openJob() {
  return { ...frame, sealed: new Uint8Array(20) };
}

function sealJob() {
  return { ...frame, plain: new Uint8Array(20), level: 0 };
}

function encodeJob() {
  return { parts: [byteStream('pack', 10)], k: 1, m: 0 };
}

describe('memory', () => {
  test('of a whole array moves to the thread, and is not copied', async () => {
    await using pool = openComputePool({ threads: 1 });
    const pack = byteStream('pack', 1000);
    const encoded = pool.encode({ parts: [pack], k: 2, m: 1 });
    expect(pack).toHaveLength(0);
    expect((await encoded).shards).toHaveLength(3);
  });

  test('of a part of an array is copied', async () => {
    await using pool = openComputePool({ threads: 1 });
    const whole = byteStream('pack', 1000);
    await pool.encode({ parts: [whole.subarray(0, 999)], k: 2, m: 1 });
    expect(whole).toHaveLength(1000);
  });

  test('around a part of an array moves along when it is given', async () => {
    await using pool = openComputePool({ threads: 1 });
    const whole = byteStream('frame', 1000);
    const job = { ...frame, plain: whole.subarray(100, 900), level: 0 };
    const expected = sealFrame({ ...job, plain: job.plain.slice() });
    const sealed = pool.sealFrame({ ...job, givesBuffer: true });
    expect(whole).toHaveLength(0);
    expect(await sealed).toEqual(expected);
  });

  test('given to two jobs fails the second one only', async () => {
    await using pool = openComputePool({ threads: 1 });
    const job = encodeJob();
    const [first, second] = await Promise.allSettled([pool.encode(job), pool.encode(job)]);
    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected']);
    expect((await pool.encode(encodeJob())).shards).toHaveLength(1);
  });
});

test('the first short jobs are done without a thread, and long ones never', async () => {
  const entry = new URL('./fragile-worker.ts', import.meta.url);
  await using pool = openComputePool({ threads: 1, entry, firstHere: 2 });
  // The thread's ending is what a job meets there; here it meets its own damage.
  const codes: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    await pool.openFrame(openJob()).catch(({ code }: HoldfastError) => codes.push(code));
  }
  expect(codes).toEqual(['corrupt', 'corrupt', 'failed']);
  await using other = openComputePool({ threads: 1, entry, firstHere: 2 });
  // The thread gives a pack back as it is.
  const { shards } = await other.encode({ ...encodeJob(), k: 3 });
  expect(shards).toEqual(encodeJob().parts);
});

describe('short jobs that come at once', () => {
  const checkJob = () => ({ bytes: byteStream('leaf', 100), hashes: new Uint8Array(0) });

  test('go to a thread together, each time its share of what is left, and have outcomes of their own', async () => {
    const entry = new URL('./counting-worker.ts', import.meta.url);
    await using pool = openComputePool({ threads: 2, entry });
    // What a job brings back is how many came with it.
    const all = await Promise.all(Array.from({ length: 9 }, () => pool.checkLeaves(checkJob())));
    expect(all.map(({ bad }) => bad)).toEqual([5, 5, 5, 5, 5, 2, 2, 1, 1]);
    await using real = openComputePool({ threads: 1 });
    const jobs = [
      real.openFrame(openJob()),
      real.checkLeaves(checkJob()),
      real.encode(encodeJob()),
    ];
    const [opened, checked, encoded] = await Promise.allSettled(jobs);
    expect(opened).toMatchObject({ reason: { code: 'corrupt' } });
    expect(checked).toMatchObject({ value: { bad: 0 } });
    expect(encoded?.status).toBe('fulfilled');
  });

  test('with memory that another one has been given fail alone', async () => {
    await using pool = openComputePool({ threads: 1 });
    const job = checkJob();
    const jobs = [job, job, checkJob()].map((one) => pool.checkLeaves(one));
    const outcomes = await Promise.allSettled(jobs);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});

describe('a thread that ends', () => {
  test.each([
    ['by exiting', (pool: ReturnType<typeof fragilePool>) => pool.openFrame(openJob())],
    [
      'by throwing',
      (pool: ReturnType<typeof fragilePool>) =>
        pool.reconstruct({ k: 1, m: 1, present: [], wanted: [] }),
    ],
  ])('%s fails its job and is replaced', async (_, crash) => {
    await using pool = fragilePool();
    const failing = crash(pool);
    const waiting = pool.encode(encodeJob());
    await expect(failing).rejects.toMatchObject({ code: 'failed' });
    expect((await waiting).shards).toEqual(encodeJob().parts);
    await expect(crash(pool)).rejects.toMatchObject({ code: 'failed' });
    expect((await pool.encode(encodeJob())).shards).toEqual(encodeJob().parts);
  });

  test('because its file cannot be loaded fails the job', async () => {
    await using pool = openComputePool({
      threads: 1,
      entry: new URL('./no-such-worker.ts', import.meta.url),
    });
    await expect(pool.encode(encodeJob())).rejects.toMatchObject({ code: 'failed' });
  });
});

describe('closing', () => {
  test('fails the jobs under way, those that wait, and those that come later', async () => {
    const pool = fragilePool(2);
    const jobs = [sealJob(), sealJob(), sealJob()].map((job) => pool.sealFrame(job));
    const outcomes = Promise.allSettled(jobs);
    await pool[Symbol.asyncDispose]();
    jobs.push(pool.sealFrame(sealJob()));
    for (const job of jobs) await expect(job).rejects.toMatchObject({ code: 'interrupted' });
    expect(await outcomes).toHaveLength(3);
  });

  test('twice is harmless', async () => {
    const pool = openComputePool({ threads: 1 });
    await pool.encode(encodeJob());
    await pool[Symbol.asyncDispose]();
    await pool[Symbol.asyncDispose]();
  });
});

test('jobs beyond the queue are refused', async () => {
  const pool = fragilePool();
  const jobs = Array.from({ length: 1026 }, () => pool.sealFrame(sealJob()));
  const outcomes = Promise.allSettled(jobs);
  await expect(jobs[1025]).rejects.toMatchObject({ code: 'limit-exceeded' });
  await pool[Symbol.asyncDispose]();
  const codes = (await outcomes).map((one) => (one.status === 'rejected' ? one.reason.code : 'ok'));
  expect(codes.filter((code) => code === 'limit-exceeded')).toHaveLength(1);
});

test('a pool without threads is refused', () => {
  expect(() => openComputePool({ threads: 0 })).toThrow('a pool has a thread');
});
