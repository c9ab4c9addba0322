import { shardSizeOf } from '../../core/format/shard.ts';
import type { AgentKey, DatasetId, PackId } from '../../core/ids.ts';
import type { Code } from '../../core/policy/code-choice.ts';
import { bitCount } from '../../core/policy/durability.ts';
import { gainOf } from '../../core/policy/recoding.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { DatasetIndex } from '../dataset-index.ts';
import type { ManifestRecord } from '../ledger.ts';
import type { Survey } from '../repair/pack-survey.ts';

/** What the snapshots of a dataset that are kept take, as any member can tell. */
export type DatasetSizes = {
  readonly snapshots: number;
  /** What restoring every one of them would write. */
  readonly restoredBytes: number;
  readonly packs: number;
  /** Of the packs before coding, the data packs among them. */
  readonly packBytes: number;
  readonly dataPackBytes: number;
  /** Of the shards and copies that members have signed for. */
  readonly storedBytes: number;
  readonly storedDataBytes: number;
  /** The part of it that is there only for full copies. */
  readonly hotDataBytes: number;
  /** Of data packs that would gain by the code of today, before coding. */
  readonly oldCodeBytes: number;
};

/** What a source has stored of its own files, each chunk counted once. */
export type ChunkSizes = {
  readonly chunks: number;
  /** Of file content as it was read. */
  readonly chunkBytes: number;
  /** Of the sealed frames that it lies in. */
  readonly frameBytes: number;
};

type Sum = { -readonly [K in keyof DatasetSizes]: DatasetSizes[K] };

/** Of a dataset without snapshots. */
export const noSizes: DatasetSizes = {
  ...{ snapshots: 0, restoredBytes: 0, packs: 0, packBytes: 0 },
  ...{ dataPackBytes: 0, storedBytes: 0, storedDataBytes: 0 },
  ...{ hotDataBytes: 0, oldCodeBytes: 0 },
};

/** Asked for each pack: answers should be at hand. */
export type SizeQuestions = {
  readonly isMember: (agent: AgentKey) => boolean;
  /** What today's sites allow for the dataset of a snapshot. */
  readonly codeFor: (record: ManifestRecord) => Code;
};

/**
 * Sizes of each dataset, and what each member has signed for in all. `records` are the snapshots that are kept;
 * the survey is of the same.
 */
export function datasetSizes(
  records: readonly ManifestRecord[],
  survey: Survey,
  { isMember, codeFor }: SizeQuestions,
): {
  readonly datasets: ReadonlyMap<DatasetId, DatasetSizes>;
  readonly signedBytes: ReadonlyMap<AgentKey, number>;
} {
  const datasets = new Map<DatasetId, Sum>();
  const signedBytes = new Map<AgentKey, number>();
  const sumOf = (dataset: DatasetId): Sum => {
    const known = datasets.get(dataset) ?? { ...noSizes };
    datasets.set(dataset, known);
    return known;
  };
  for (const { manifest } of records) {
    const sum = sumOf(manifest.dataset);
    sum.snapshots++;
    sum.restoredBytes += manifest.totals.bytes;
  }
  for (const { entry, record, words } of survey.packs.values()) {
    const sum = sumOf(record.manifest.dataset);
    const shardBytes = shardSizeOf({ k: entry.k, packSize: entry.size });
    let stored = 0;
    let hot = 0;
    for (const [agent, { mask = 0, extraMask = 0 }] of words) {
      if (!isMember(agent)) continue;
      const bytes = bitCount(mask) * shardBytes;
      stored += bytes;
      hot += bitCount(extraMask) * shardBytes;
      signedBytes.set(agent, (signedBytes.get(agent) ?? 0) + bytes);
    }
    sum.packs++;
    sum.packBytes += entry.size;
    sum.storedBytes += stored;
    if (entry.type !== 'data') continue;
    sum.dataPackBytes += entry.size;
    sum.storedDataBytes += stored;
    sum.hotDataBytes += hot;
    if (gainOf(entry, codeFor(record)) !== undefined) sum.oldCodeBytes += entry.size;
  }
  return { datasets, signedBytes };
}

/** Data packs of which the source's newest snapshot needs little, and about how much of them it does not need. */
export function mostlyDeadSizes(
  index: Pick<DatasetIndex, 'pack' | 'mostlyDead'>,
  isNeeded: (pack: PackId) => boolean,
): { packs: number; bytes: number; unusedBytes: number } {
  const sum = { packs: 0, bytes: 0, unusedBytes: 0 };
  for (const [ordinal, { usedBytes, chunkBytes }] of index.mostlyDead.marks()) {
    const entry = index.pack(ordinal)?.entry;
    if (entry === undefined || !isNeeded(entry.pack)) continue;
    sum.packs++;
    sum.bytes += entry.size;
    sum.unusedBytes += Math.round((entry.size * (chunkBytes - usedBytes)) / chunkBytes);
  }
  return sum;
}

/** By the source's own index: content of those data packs that are needed. Lets others have their turn between packs. */
export async function chunkSizes(
  index: Pick<DatasetIndex, 'packs' | 'sizes'>,
  isNeeded: (pack: PackId) => boolean,
  clock: Pick<Clock, 'sleep'>,
): Promise<ChunkSizes> {
  const sum = { chunks: 0, chunkBytes: 0, frameBytes: 0 };
  // A copy: a backup may add packs meanwhile.
  for (const { ordinal, entry } of [...index.packs()]) {
    if (entry.type !== 'data' || !isNeeded(entry.pack)) continue;
    const { chunks, chunkBytes, frameBytes } = index.sizes(ordinal);
    sum.chunks += chunks;
    sum.chunkBytes += chunkBytes;
    sum.frameBytes += frameBytes;
    await clock.sleep(0);
  }
  return sum;
}
