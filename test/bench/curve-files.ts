import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openKeyValue } from '../../src/adapters/level/key-value.ts';
import { collect } from '../../src/adapters/system/allocator.ts';
import { systemClock } from '../../src/adapters/system/runtime.ts';
import { Semaphore } from '../../src/base/concurrency.ts';
import { type DatasetId, idOf } from '../../src/core/ids.ts';
import { ContentSink } from '../../src/services/content-sink.ts';
import { DatasetIndex } from '../../src/services/dataset-index.ts';
import { FileReader } from '../../src/services/file-reader.ts';
import { Selection } from '../../src/services/selection.ts';
import { TreeScan } from '../../src/services/tree-scan.ts';
import type { BenchArguments } from './arguments.ts';
import { type Curve, steps } from './curve.ts';
import { sizeOf } from './restic.ts';
import { PlannedSource, plannedChunking } from './planned-source.ts';

/** Many small files that no disk holds: what the scan and its catalog cost, up to five million. */
export async function curveOfFiles(
  { scale, work }: BenchArguments,
  signal: AbortSignal,
): Promise<Curve> {
  const points: number[][] = [];
  for (const count of steps(10_000, Math.max(10_000, 5_000_000 * scale))) {
    signal.throwIfAborted();
    const directory = join(work, `files-${count}`);
    mkdirSync(directory, { recursive: true });
    await using store = await openKeyValue(directory);
    const index = await DatasetIndex.open(store, idOf<DatasetId>(new Uint8Array(16).fill(1)));
    const first = await scan(index, count, signal);
    const again = await scan(index, count, signal);
    points.push([count, first.seconds, again.seconds, sizeOf(directory) / 1e6, again.memory / 1e6]);
  }
  const columns = [
    'files',
    'first scan, s',
    'unchanged, s',
    'catalog on disk, MB',
    'heap after it, MB',
  ] as const;
  return { id: 'files', title: 'Files', columns, points };
}

async function scan(
  index: DatasetIndex,
  count: number,
  signal: AbortSignal,
): Promise<{ seconds: number; memory: number }> {
  const source = new PlannedSource(count);
  const ordinal = index.takeOrdinal();
  // What becomes of the bytes is measured elsewhere.
  const writer = { add: () => ordinal, flush: async () => {}, bytesInProgress: 0 };
  const place = async (): Promise<void> => {};
  const writers = { data: writer, metadata: writer };
  const sink = new ContentSink({
    index,
    writers,
    place,
    bytesInFlightMax: Number.POSITIVE_INFINITY,
  });
  const shared = { source, sink, signal };
  const none = { excludes: [], excludeIfPresent: [], excludeLargerThan: undefined };
  const flags = { excludeCaches: false, oneFileSystem: false };
  const tree = new TreeScan({
    ...shared,
    index,
    reader: new FileReader({
      ...shared,
      chunking: plannedChunking,
      lanes: 2,
      onProgress: () => {},
    }),
    selection: new Selection({ ...none, ...flags, paths: [new TextEncoder().encode('/all')] }),
    idKey: plannedChunking.idKey,
    clock: systemClock(),
    pendingFiles: new Semaphore(4096),
    pendingDirectories: new Semaphore(512),
    force: false,
    signal,
    onProblem: (_, reason) => {
      throw new Error(reason);
    },
    onProgress: () => {},
  });
  const started = performance.now();
  const top = await source.open();
  await tree.run(top);
  const entry = { pack: source.packOf(ordinal), k: 1, m: 0, type: 'data', size: 1000 } as const;
  if (index.pack(ordinal) === undefined) await index.addPack(ordinal, entry, []);
  for (let i = 0; i < tree.finished.length; i += 256) {
    await index.rememberDirectories(tree.finished.slice(i, i + 256));
  }
  const seconds = (performance.now() - started) / 1000;
  return { seconds, memory: heapInUse() };
}

/** Bytes that a collection leaves: what a scan has thrown away lies around for long in a heap that was large. */
function heapInUse(): number {
  collect();
  return process.memoryUsage().heapUsed;
}
