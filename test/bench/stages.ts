import { createCipheriv, createSecretKey } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import zlib from 'node:zlib';
import { Blake3Hasher } from '@napi-rs/blake-hash';
import { openShardStore } from '../../src/adapters/fs/shard-store.ts';
import { openKeyValue } from '../../src/adapters/level/key-value.ts';
import { KiB, MiB } from '../../src/base/units.ts';
import { Chunker } from '../../src/core/coding/chunker.ts';
import { encodePack } from '../../src/core/coding/pack-coding.ts';
import { encodeParity, reconstruct } from '../../src/core/coding/reed-solomon.ts';
import { KeyedHasher } from '../../src/core/crypto/hash.ts';
import { openFrame, sealFrame } from '../../src/core/format/frame.ts';
import { packIdOf } from '../../src/core/format/shard.ts';
import { type AgentKey, type DatasetId, idOf } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import { filesBelow, keystream } from './corpus-files.ts';
import { networking } from './network-stages.ts';

export type Stage = {
  readonly name: string;
  readonly words: string;
  readonly bytes: number;
  readonly run: () => unknown;
  readonly limit: () => unknown;
  readonly limitWords: string;
  readonly isTimedByClock?: boolean;
};

/** Larger than the processor's caches of one core, as in a backup. */
const size = 16 * MiB;
const frameSize = limits.frameSizeTarget;

/** The stages, and what they left on the disk. */
export async function stagesOf(
  directory: string,
): Promise<{ readonly all: readonly Stage[] } & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const text = programText();
  const noise = new Uint8Array(keystream('noise', size));
  const file = join(directory, 'input');
  fs.writeFileSync(file, noise);
  const all = [
    ...reading(file, noise),
    ...sealing(text, noise),
    ...coding(noise),
    ...(await storing(directory, noise, stack)),
    ...(await networking(noise, stack)),
  ];
  return { all, [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose]() };
}

/** Source code of this project's dependencies: what trees are full of. */
function programText(): Uint8Array {
  const root = join(import.meta.dirname, '../../node_modules');
  const parts: Buffer[] = [];
  let at = 0;
  for (const path of filesBelow(root)) {
    if (!/\.(?:js|ts|md|json)$/.test(path)) continue;
    const bytes = fs.readFileSync(path);
    parts.push(bytes);
    at += bytes.length;
    if (at >= size) break;
  }
  return new Uint8Array(Buffer.concat(parts).subarray(0, size));
}

function reading(file: string, noise: Uint8Array): Stage[] {
  const into = Buffer.alloc(size);
  const small = Buffer.alloc(MiB);
  const cutKey = new Uint8Array(keystream('cut', 40));
  const rule = { min: 16 * KiB, average: 64 * KiB, max: 256 * KiB, cutKey };
  const chunker = new Chunker(rule);
  const cuts = cutsOf(chunker, noise);
  const key = keystream('key', 32);
  const hasher = new KeyedHasher(new Uint8Array(key));
  const native = Blake3Hasher.newKeyed(key);
  return [
    {
      name: 'read',
      words: 'read a cached file',
      bytes: size,
      run: () => readWhole(file, into),
      limit: () => noise.slice(),
      limitWords: 'copying into fresh memory',
    },
    {
      name: 'chunk',
      words: 'chunk, 64 KiB',
      bytes: size,
      run: () => cutsOf(chunker, noise),
      limit: () => zlib.crc32(noise),
      limitWords: 'CRC-32 in native code',
    },
    {
      name: 'hash',
      words: 'chunk ids: keyed BLAKE3',
      bytes: size,
      run: () => {
        let start = 0;
        for (const end of cuts) {
          hasher.hash(noise.subarray(start, end));
          start = end;
        }
      },
      limit: () => {
        native.reset();
        native.update(noise);
        return native.digestBuffer();
      },
      limitWords: 'BLAKE3 of 16 MiB at once',
    },
    {
      name: 'small-read',
      words: 'read pieces of 1 MiB into one buffer',
      bytes: size,
      run: () => {
        const fd = fs.openSync(file, 'r');
        for (let at = 0; at < size; at += MiB) fs.readSync(fd, small, 0, MiB, at);
        fs.closeSync(fd);
      },
      limit: () => noise.slice(),
      limitWords: 'copying into fresh memory',
    },
  ];
}

function readWhole(file: string, into: Buffer): void {
  const fd = fs.openSync(file, 'r');
  fs.readSync(fd, into, 0, size, 0);
  fs.closeSync(fd);
}

function cutsOf(chunker: Chunker, bytes: Uint8Array): number[] {
  const cuts: number[] = [];
  for (let start = 0; start < bytes.length; ) {
    start = chunker.next(bytes, start, bytes.length, true) as number;
    cuts.push(start);
  }
  return cuts;
}

function sealing(text: Uint8Array, noise: Uint8Array): Stage[] {
  const key = new Uint8Array(keystream('pack key', 32));
  const context = { type: 'data', dataset: key.slice(0, 16), salt: key.slice(16) } as const;
  const framesOf = (bytes: Uint8Array): Uint8Array[] =>
    Array.from({ length: size / frameSize }, (_, i) =>
      bytes.slice(i * frameSize, (i + 1) * frameSize),
    );
  const seal = (plain: Uint8Array, i: number, level: number): Uint8Array =>
    sealFrame({ plain, key, context: { ...context, index: BigInt(i) }, level });
  const texts = framesOf(text);
  const noises = framesOf(noise);
  const sealed = texts.map((frame, i) => seal(frame, i, 3));
  const secret = createSecretKey(key);
  const packed = texts.map((frame) => zlib.zstdCompressSync(frame));
  return [
    ...[1, 3].map((level) => ({
      name: `zstd-${level}`,
      words: `compress and seal text, level ${level}`,
      bytes: size,
      run: () => texts.map((frame, i) => seal(frame, i, level)),
      limit: () =>
        texts.map((frame) =>
          zlib.zstdCompressSync(frame, {
            chunkSize: frame.length + 8 * KiB,
            pledgedSrcSize: frame.length,
            params: { [zlib.constants.ZSTD_c_compressionLevel]: level },
          }),
        ),
      limitWords: `zstd ${level} alone`,
    })),
    {
      name: 'seal',
      words: 'seal what cannot be compressed',
      bytes: size,
      run: () => noises.map((frame, i) => seal(frame, i, 3)),
      limit: () =>
        noises.map((frame, i) => {
          const cipher = createCipheriv('aes-256-gcm', secret, Buffer.alloc(12, i));
          cipher.update(frame);
          return cipher.final();
        }),
      limitWords: 'AES-256-GCM alone',
    },
    {
      name: 'open',
      words: 'open frames of text',
      bytes: size,
      run: () =>
        sealed.map((frame, i) =>
          openFrame({
            sealed: frame,
            key,
            context: { ...context, index: BigInt(i) },
            plainSizeMax: limits.frameSizeMax,
          }),
        ),
      limit: () =>
        packed.map((frame) => zlib.zstdDecompressSync(frame, { chunkSize: limits.frameSizeMax })),
      limitWords: 'zstd alone',
    },
  ];
}

function coding(noise: Uint8Array): Stage[] {
  const split = (k: number): Uint8Array[] =>
    Array.from({ length: k }, (_, i) => noise.slice((i * size) / k, ((i + 1) * size) / k));
  const codeStages = (k: number, m: number): Stage[] => {
    const data = split(k);
    const shards = [...data, ...encodeParity(data, m)];
    const present = shards.map((bytes, index) => ({ index, bytes })).slice(m);
    const wanted = Array.from({ length: m }, (_, i) => i);
    return [
      {
        name: `encode-${k}+${m}`,
        words: `parity of ${k}+${m}`,
        bytes: size,
        run: () => encodeParity(data, m),
        limit: () => noise.slice(),
        limitWords: 'copying into fresh memory',
      },
      {
        name: `rebuild-${k}+${m}`,
        words: `rebuild ${m} of ${k}+${m}`,
        bytes: size,
        run: () => reconstruct({ k, m, present, wanted }),
        limit: () => noise.slice(),
        limitWords: 'copying into fresh memory',
      },
    ];
  };
  const hasher = Blake3Hasher.newKeyed(keystream('leaf', 32));
  return [
    ...codeStages(4, 2),
    ...codeStages(8, 3),
    {
      name: 'encode-pack',
      words: 'a pack into shards of 4+2, leaves hashed',
      bytes: size,
      run: () => encodePack({ parts: [noise], k: 4, m: 2 }),
      limit: () => {
        for (let at = 0; at < 1.5 * size; at += limits.leafSize) {
          hasher.reset();
          hasher.update(noise.subarray(at % size, (at % size) + limits.leafSize));
          hasher.digestBuffer();
        }
      },
      limitWords: 'BLAKE3 of the leaves alone',
    },
  ];
}

async function storing(
  directory: string,
  noise: Uint8Array,
  stack: AsyncDisposableStack,
): Promise<Stage[]> {
  const index = stack.use(await openKeyValue(join(directory, 'index')));
  const shards = join(directory, 'shards');
  fs.mkdirSync(shards);
  const log = { log: () => {} };
  const store = stack.use(
    await openShardStore({ directory: shards, index, keyPrefix: 's/', reserveBytes: 0, log }),
  );
  let count = 0;
  const store1 = async (): Promise<void> => {
    const bytes = noise.slice();
    new DataView(bytes.buffer).setUint32(0, ++count);
    const { roots, leaves } = encodePack({ parts: [bytes], k: 1, m: 0 });
    const code = { k: 1, m: 0, packSize: size };
    const head = {
      ...code,
      pack: packIdOf({ ...code, roots }),
      roots,
      index: 0,
      leaves: leaves[0] as Uint8Array,
      dataset: idOf<DatasetId>(new Uint8Array(16)),
      writer: idOf<AgentKey>(new Uint8Array(32)),
      type: 'data' as const,
    };
    const writer = await store.write(head);
    for (let at = 0; at < size; at += MiB) await writer.append(bytes.subarray(at, at + MiB));
    await writer.finish();
    await store.sync();
    await store.remove(head.pack, 0);
  };
  const raw = (): void => {
    const fd = fs.openSync(join(directory, 'raw'), 'w');
    for (let at = 0; at < size; at += MiB) fs.writeSync(fd, noise, at, MiB);
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    fs.rmSync(join(directory, 'raw'));
  };
  return [
    {
      name: 'store',
      words: 'store a shard of 16 MiB durably',
      bytes: size,
      run: store1,
      limit: raw,
      limitWords: 'write and fsync',
      isTimedByClock: true,
    },
  ];
}
