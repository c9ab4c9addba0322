import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  finish,
  framed,
  StreamReader,
  writeAll,
  writeFrame,
} from '../../../../src/adapters/libp2p/stream-io.ts';
import { MiB } from '../../../../src/base/units.ts';
import { StreamPair } from './stream-pair.ts';

const idleMs = 5000;

test('bytes arrive as they were sent, in reads of any size', async () => {
  await using pair = await StreamPair.open();
  const { near, far } = await pair.stream();
  using reader = new StreamReader(far);
  const sent = Uint8Array.from(randomBytes(3 * MiB + 17));
  const writing = writeAll(near, sent, idleMs);
  const hash = createHash('sha256');
  for (let left = sent.length, size = 1; left > 0; left -= size) {
    size = Math.min(left, size * 3);
    hash.update(await reader.readExactly(size, idleMs));
  }
  await writing;
  expect(hash.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
});

test('a reader that does not read holds the writer back, in bounded memory, and then gets everything', async () => {
  await using pair = await StreamPair.open();
  const { near, far } = await pair.stream();
  using reader = new StreamReader(far);
  const block = Uint8Array.from(randomBytes(MiB));
  const blocks = 32;
  let written = 0;
  const writing = (async () => {
    for (; written < blocks; written++) await writeAll(near, block, 60_000);
    await near.close();
  })();
  await new Promise((resolve) => setTimeout(resolve, 500));
  // A window of 4 MiB, 1 MiB in the reader, a little more than 1 MiB in the writer, and the socket.
  expect(written).toBeLessThan(16);
  expect(near.writeBufferLength).toBeLessThan(2 * MiB);
  expect(far.readBufferLength).toBeLessThan(9 * MiB);
  for (let i = 0; i < blocks; i++) {
    const read = await reader.readExactly(block.length, idleMs);
    expect(Buffer.compare(read, block)).toBe(0);
  }
  expect(await reader.isAtEnd(idleMs)).toBe(true);
  await writing;
});

test('frames come one by one, and then the end', async () => {
  await using pair = await StreamPair.open();
  const { near, far } = await pair.stream();
  using reader = new StreamReader(far);
  await writeFrame(near, Uint8Array.of(1, 2, 3), idleMs);
  await writeFrame(near, new Uint8Array(), idleMs);
  await near.close();
  const bounds = { sizeMax: 3, idleMs };
  expect(await reader.readFrame(bounds)).toEqual(Uint8Array.of(1, 2, 3));
  expect(await reader.readFrame(bounds)).toEqual(new Uint8Array());
  expect(await reader.readFrame(bounds)).toBeUndefined();
});

test('what the peer sent before it closed both halves can still be read', async () => {
  await using pair = await StreamPair.open();
  const { near, far } = await pair.stream();
  using reader = new StreamReader(near);
  const sent = Uint8Array.from(randomBytes(2 * MiB));
  await near.close();
  await writeAll(far, sent, idleMs);
  await far.close();
  await expect.poll(() => near.status).toBe('closed');
  expect(Buffer.compare(await reader.readExactly(sent.length, idleMs), sent)).toBe(0);
  expect(await reader.isAtEnd(idleMs)).toBe(true);
});

test('a frame over its limit is refused before it is read', async () => {
  await using pair = await StreamPair.open();
  const { near, far } = await pair.stream();
  using reader = new StreamReader(far);
  await writeAll(near, framed(new Uint8Array(4)).subarray(0, 4), idleMs);
  const read = reader.readFrame({ sizeMax: 3, idleMs });
  await expect(read).rejects.toMatchObject({ code: 'limit-exceeded' });
});

test('a stream that ends inside a frame, and one that is reset, fail the read', async () => {
  await using pair = await StreamPair.open();
  const half = await pair.stream();
  using halfReader = new StreamReader(half.far);
  await writeAll(half.near, framed(new Uint8Array(9)).subarray(0, 7), idleMs);
  await half.near.close();
  const short = halfReader.readFrame({ sizeMax: 9, idleMs });
  await expect(short).rejects.toMatchObject({ code: 'peer-unreachable' });

  const cut = await pair.stream();
  using cutReader = new StreamReader(cut.far);
  const read = cutReader.readFrame({ sizeMax: 9, idleMs });
  cut.near.abort(new Error('no more'));
  await expect(read).rejects.toMatchObject({ code: 'peer-unreachable' });
  await expect(writeAll(cut.near, Uint8Array.of(1), idleMs)).rejects.toMatchObject({
    code: 'peer-unreachable',
  });
});

test('a reset fails a writer that waits', async () => {
  await using pair = await StreamPair.open();
  const { near, far } = await pair.stream();
  using _reader = new StreamReader(far);
  const writing = writeAll(near, new Uint8Array(32 * MiB), 60_000);
  const rejection = expect(writing).rejects.toMatchObject({ code: 'peer-unreachable' });
  await new Promise((resolve) => setTimeout(resolve, 100));
  far.abort(new Error('no more'));
  await rejection;
});

test('silence ends a read, and a peer that takes nothing ends a write', async () => {
  await using pair = await StreamPair.open();
  const { near, far } = await pair.stream();
  using reader = new StreamReader(far);
  await expect(reader.readExactly(1, 50)).rejects.toMatchObject({ code: 'timeout' });
  const writing = writeAll(near, new Uint8Array(32 * MiB), 300);
  await expect(writing).rejects.toMatchObject({ code: 'timeout' });
});

test('a disposed reader ends the read that waits', async () => {
  await using pair = await StreamPair.open();
  const { far } = await pair.stream();
  const reader = new StreamReader(far);
  const read = reader.readExactly(1, idleMs);
  reader[Symbol.dispose]();
  await expect(read).rejects.toMatchObject({ code: 'peer-unreachable' });
});

test('finished streams are gone on both sides', async () => {
  await using pair = await StreamPair.open();
  for (let i = 0; i < 20; i++) {
    const { near, far } = await pair.stream();
    using nearReader = new StreamReader(near);
    using farReader = new StreamReader(far);
    await Promise.all([finish(near, nearReader, idleMs), finish(far, farReader, idleMs)]);
  }
  await expect.poll(() => pair.openStreams()).toBe(0);
});

test('a stream whose peer says too much, or never ends, is reset', async () => {
  await using pair = await StreamPair.open();
  const loud = await pair.stream();
  using loudReader = new StreamReader(loud.far);
  await writeAll(loud.near, Uint8Array.of(1), idleMs);
  await finish(loud.far, loudReader, idleMs);
  expect(loud.far.status).toBe('aborted');
  const endless = await pair.stream();
  using endlessReader = new StreamReader(endless.far);
  await finish(endless.far, endlessReader, 50);
  expect(endless.far.status).toBe('aborted');
  await expect.poll(() => pair.openStreams()).toBe(0);
});
