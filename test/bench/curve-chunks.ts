import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openKeyValue } from '../../src/adapters/level/key-value.ts';
import type { IndexRecord } from '../../src/core/format/index-segment.ts';
import { type DatasetId, idOf, type PackId } from '../../src/core/ids.ts';
import { DatasetIndex } from '../../src/services/dataset-index.ts';
import type { BenchArguments } from './arguments.ts';
import { type Curve, steps } from './curve.ts';
import { sizeOf } from './restic.ts';

const chunksPerPack = 256;
const lookups = 2000;

/** What a source's index takes in memory and on disk, and how long it is asked, up to ten million chunks. */
export async function curveOfChunks(
  { scale, work }: BenchArguments,
  signal: AbortSignal,
): Promise<Curve> {
  const directory = join(work, 'chunks');
  mkdirSync(directory, { recursive: true });
  await using store = await openKeyValue(directory);
  const index = await DatasetIndex.open(store, idOf<DatasetId>(new Uint8Array(16).fill(1)));
  const points: number[][] = [];
  let packs = 0;
  for (const count of steps(10_000, Math.max(10_000, 10_000_000 * scale))) {
    for (; packs * chunksPerPack < count; packs++) {
      signal.throwIfAborted();
      await addPack(index, packs);
    }
    const before = memory();
    for (let i = 0; i < count; i++) if (index.find(idAt(i % lookups)) === undefined) break;
    const started = performance.now();
    await index.rememberIds();
    const loadMs = performance.now() - started;
    const bytes = Math.max(0, memory() - before);
    const asked = performance.now();
    for (let i = 0; i < lookups; i++) index.find(idAt(-1 - i));
    const askUs = (1000 * (performance.now() - asked)) / lookups;
    index.forgetIds();
    points.push([count, bytes / 1e6, sizeOf(directory) / 1e6, loadMs, askUs]);
  }
  const columns = [
    'chunks',
    'memory while a backup runs, MB',
    'disk, MB',
    'to bring into memory, ms',
    'a chunk that is not known, us',
  ] as const;
  return { id: 'chunks', title: 'Index of chunks', columns, points };
}

function memory(): number {
  return process.memoryUsage().arrayBuffers;
}

function idAt(i: number): Uint8Array {
  return new Uint8Array(createHash('sha256').update(String(i)).digest());
}

async function addPack(index: DatasetIndex, number: number): Promise<void> {
  const pack = idOf<PackId>(idAt(-1_000_000_000 - number));
  const records = Array.from({ length: chunksPerPack }, (_, i): IndexRecord => {
    const place = { frame: i >> 3, frameOffset: 1000 + (i >> 3) * 4000, frameSize: 4000 };
    const id = idAt(number * chunksPerPack + i);
    return { id, pack, ...place, offset: (i & 7) * 65_536, length: 65_536 };
  });
  const entry = { pack, k: 1, m: 0, type: 'data', size: 16_000_000 } as const;
  await index.addPack(index.takeOrdinal(), entry, records);
}
