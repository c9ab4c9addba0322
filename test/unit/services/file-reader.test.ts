import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { concat, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { hash } from '../../../src/core/crypto/hash.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import type {
  FileFacts,
  ReadBatch,
  ReadRequest,
  ReadResult,
  Source,
  SourceDirectory,
} from '../../../src/ports/source.ts';
import type { ContentSink } from '../../../src/services/content-sink.ts';
import { FileReader } from '../../../src/services/file-reader.ts';
import { sampleChunking } from '../../support/scan-bench.ts';

const directory = {} as SourceDirectory;
const facts: FileFacts = {
  mode: 0o100644,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeNs: 1n,
  ctimeNs: 1n,
  inode: 1n,
  device: 1n,
  rdev: 0n,
  linkCount: 1,
};

/** Names of files in each batch that was read, and the file contents, one chunk a part. */
let batches: string[][];
let files: Map<string, string[]>;
let change: (name: string, result: ReadResult & { outcome: 'read' }) => ReadResult;
let stored: string[];
let sinkFailure: Error | undefined;
let stop: AbortController;
let underWay: number;
let mostUnderWay: number;

beforeEach(() => {
  batches = [];
  files = new Map();
  change = (_, result) => result;
  stored = [];
  sinkFailure = undefined;
  stop = new AbortController();
  underWay = 0;
  mostUnderWay = 0;
});

async function read(requests: readonly ReadRequest[]): Promise<ReadBatch> {
  mostUnderWay = Math.max(mostUnderWay, ++underWay);
  await setImmediate();
  underWay--;
  const names = requests.map(({ name }) => fromUtf8(name) as string);
  batches.push(names);
  const parts: Uint8Array[] = [];
  let at = 0;
  const results = requests.map(({ offset }, i): ReadResult => {
    const content = files.get(names[i] as string);
    const part = content?.[offset];
    if (content === undefined || part === undefined) return { outcome: 'vanished' };
    const bytes = utf8(part);
    parts.push(bytes);
    const extent = { kind: 'chunk' as const, offset: at, length: bytes.length };
    at += bytes.length;
    const next = offset + 1 < content.length ? offset + 1 : undefined;
    const extents = [{ ...extent, id: hash('fact', bytes) }];
    return change(names[i] as string, {
      outcome: 'read',
      facts,
      xattrs: [],
      isStable: true,
      extents,
      next,
    });
  });
  return { slab: concat(parts), results };
}

function readerOf(lanes = 1): FileReader {
  const sink = {
    ready: async () => {
      if (sinkFailure !== undefined) throw sinkFailure;
    },
    store: (_type: string, _id: Uint8Array, bytes: Uint8Array) => {
      if (sinkFailure !== undefined) throw sinkFailure;
      stored.push(fromUtf8(bytes) as string);
      return { ordinal: stored.length, isNew: true };
    },
  };
  return new FileReader({
    source: { read } as Partial<Source> as Source,
    chunking: sampleChunking,
    sink: sink as Partial<ContentSink> as ContentSink,
    lanes,
    signal: stop.signal,
    onProgress: () => {},
  });
}

function ask(reader: FileReader, names: readonly string[], size = 10) {
  return Promise.all(names.map((name) => reader.read(directory, utf8(name), size)));
}

describe('files', () => {
  test('asked for together are read together, and stored in that order', async () => {
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) files.set(name, [`content of ${name}`]);
    const contents = await ask(readerOf(), names);
    expect(batches).toEqual([names]);
    expect(stored).toEqual(names.map((name) => `content of ${name}`));
    expect(contents.map((one) => one.outcome === 'stored' && one.extents[0]?.id)).toEqual(
      names.map((name) => hash('fact', utf8(`content of ${name}`))),
    );
  });

  test('fill a slab by their size, and a batch by their number', async () => {
    const names = Array.from({ length: 1200 }, (_, i) => `${i}`);
    for (const name of names) files.set(name, [name]);
    await ask(readerOf(), names);
    expect(batches.map(({ length }) => length)).toEqual([...new Array(18).fill(64), 48]);
    batches = [];
    await ask(readerOf(), ['1', '2', '3'], 1_500_000);
    expect(batches).toEqual([['1', '2'], ['3']]);
  });

  test('are read in no more lanes than allowed', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `${i}`);
    for (const name of names) files.set(name, [name]);
    await ask(readerOf(2), names, 4_000_000);
    expect(mostUnderWay).toBe(2);
    expect(stored.toSorted()).toEqual(names.toSorted());
  });

  test('that have grown since they were listed are read in parts after all', async () => {
    files.set('small', ['s']);
    files.set('grown', ['one', 'two', 'three']);
    const [, grown] = await ask(readerOf(), ['small', 'grown']);
    expect(stored).toEqual(['s', 'one', 'two', 'three']);
    expect(grown).toMatchObject({ outcome: 'stored', isStable: true, bytesRead: 11 });
  });

  test('that vanish in the middle are not stored as if they were whole', async () => {
    files.set('large', ['one', 'two', 'three']);
    change = (_, result) => {
      if (result.next === 2) files.set('large', ['one']);
      return result;
    };
    expect(await ask(readerOf(), ['large'], 9_000_000)).toEqual([{ outcome: 'vanished' }]);
  });
});

describe('a file that changes while it is read', () => {
  test('is read again, and is stored once it holds still', async () => {
    let attempts = 0;
    files.set('a', ['first']);
    files.set('b', ['other']);
    change = (name, result) => {
      if (name !== 'a' || ++attempts === 3) return result;
      return { ...result, isStable: false };
    };
    const [a, b] = await ask(readerOf(), ['a', 'b']);
    expect(a).toMatchObject({ outcome: 'stored', isStable: true });
    expect(b).toMatchObject({ outcome: 'stored', isStable: true });
    expect(stored.toSorted()).toEqual(['first', 'other']);
    expect(attempts).toBe(3);
  });

  test('is given up after three attempts, and said to be unstable', async () => {
    files.set('a', ['first']);
    change = (_, result) => ({ ...result, isStable: false });
    expect(await ask(readerOf(), ['a'])).toMatchObject([{ outcome: 'stored', isStable: false }]);
    expect(batches).toHaveLength(3);
  });

  test('between two of its parts counts as changed', async () => {
    files.set('a', ['one', 'two']);
    let mtimeNs = 1n;
    change = (_, result) => ({ ...result, facts: { ...facts, mtimeNs: mtimeNs++ } });
    const [a] = await ask(readerOf(), ['a'], 9_000_000);
    expect(a).toMatchObject({ outcome: 'stored', isStable: false });
    expect(batches).toHaveLength(6);
  });
});

describe('the end of the work', () => {
  test('by a signal reaches everybody who waits', async () => {
    for (const name of ['a', 'b']) files.set(name, [name]);
    const reader = readerOf();
    const asked = ['a', 'b'].map((name) => reader.read(directory, utf8(name), 4_000_000));
    stop.abort(new HoldfastError('interrupted', 'stopped'));
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  test('by a failure to store reaches everybody, and the reader is not left hanging', async () => {
    for (const name of ['a', 'b', 'c']) files.set(name, [name]);
    sinkFailure = new HoldfastError('disk-full', 'no room');
    const reader = readerOf();
    const asked = ['a', 'b'].map((name) => reader.read(directory, utf8(name), 4_000_000));
    for (const one of asked) await expect(one).rejects.toThrow('no room');
    sinkFailure = undefined;
    expect(await ask(reader, ['c'])).toMatchObject([{ outcome: 'stored' }]);
  });
});
