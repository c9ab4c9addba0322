import { describe, expect, test } from 'vitest';
import type { PackEntry } from '../../../../src/core/format/facts.ts';
import type { IndexRecord } from '../../../../src/core/format/index-segment.ts';
import { shardSizeOf } from '../../../../src/core/format/shard.ts';
import type { AgentKey, DatasetId, PackId } from '../../../../src/core/ids.ts';
import { chooseCode } from '../../../../src/core/policy/code-choice.ts';
import { DatasetIndex } from '../../../../src/services/dataset-index.ts';
import type { ManifestRecord } from '../../../../src/services/ledger.ts';
import type { Survey, SurveyedPack } from '../../../../src/services/repair/pack-survey.ts';
import { chunkSizes, datasetSizes } from '../../../../src/services/stats/dataset-sizes.ts';
import { MemoryKeyValue } from '../../../support/memory-key-value.ts';
import { packIdAt } from '../../core/format/samples.ts';

const [home, work] = ['01', '02'].map((one) => one.repeat(16) as DatasetId) as [
  DatasetId,
  DatasetId,
];
const [first, second, stranger] = ['a1', 'a2', 'a3'].map((one) => one.repeat(32) as AgentKey) as [
  AgentKey,
  AgentKey,
  AgentKey,
];

function snapshot(dataset: DatasetId, bytes: number): ManifestRecord {
  return { manifest: { dataset, totals: { bytes } } } as ManifestRecord;
}

function surveyed(
  entry: PackEntry,
  record: ManifestRecord,
  masks: [AgentKey, number][],
): [PackId, SurveyedPack] {
  const words = new Map(masks.map(([agent, mask]) => [agent, { sequence: 1, mask }]));
  return [entry.pack, { entry, record, first: record, words }];
}

function surveyOf(packs: readonly [PackId, SurveyedPack][]): Survey {
  return {
    packs: new Map(packs),
    records: [],
    usersOf: () => [],
    missingLists: 0,
    missingFacts: [],
    freeBytes: new Map(),
  };
}

describe('what datasets take', () => {
  const data: PackEntry = { pack: packIdAt(1), k: 2, m: 1, type: 'data', size: 1_000_000 };
  const metadata: PackEntry = { pack: packIdAt(2), k: 1, m: 0, type: 'metadata', size: 9_000 };

  test('is counted by dataset, and by who has signed for it; who is no member counts nothing', () => {
    const records = [snapshot(home, 5_000_000), snapshot(home, 5_500_000), snapshot(work, 7)];
    const [of] = records as [ManifestRecord];
    const survey = surveyOf([
      surveyed(data, of, [
        [first, 0b011],
        [second, 0b100],
        [stranger, 0b111],
      ]),
      surveyed(metadata, of, [
        [first, 1],
        [second, 1],
      ]),
    ]);
    const { datasets, signedBytes } = datasetSizes(records, survey, {
      isMember: (key) => key !== stranger,
      codeFor: () => chooseCode({ siteCount: 5, surviveSites: 2 }),
    });
    const shard = shardSizeOf({ k: 2, packSize: data.size });
    const copy = shardSizeOf({ k: 1, packSize: metadata.size });
    expect(datasets.get(home)).toEqual({
      ...{ snapshots: 2, restoredBytes: 10_500_000, packs: 2 },
      ...{ packBytes: 1_009_000, dataPackBytes: 1_000_000, hotDataBytes: 0 },
      ...{ storedBytes: 3 * shard + 2 * copy, storedDataBytes: 3 * shard, oldCodeBytes: 1_000_000 },
    });
    expect(datasets.get(work)).toMatchObject({ snapshots: 1, packs: 0, storedBytes: 0 });
    expect([...signedBytes]).toEqual([
      [first, 2 * shard + copy],
      [second, shard + copy],
    ]);
  });
});

describe('what a source has stored', () => {
  test('is counted without its metadata, and without packs that no snapshot needs', async () => {
    const index = await DatasetIndex.open(new MemoryKeyValue(), home);
    const add = async (pack: number, type: PackEntry['type'], lengths: number[]): Promise<void> => {
      const entry: PackEntry = { pack: packIdAt(pack), k: 2, m: 1, type, size: 100_000 };
      const records = lengths.map(
        (length, i): IndexRecord => ({
          id: new Uint8Array(32).fill(16 * pack + i),
          ...{ pack: entry.pack, frame: i, frameOffset: 100 + 1000 * i, frameSize: 500 },
          ...{ offset: 0, length },
        }),
      );
      await index.addPack(index.takeOrdinal(), entry, records);
    };
    await add(1, 'data', [700, 800]);
    await add(2, 'data', [900]);
    await add(3, 'metadata', [100]);
    const clock = { sleep: async () => undefined };
    const sizes = await chunkSizes(index, (pack) => pack !== packIdAt(2), clock);
    expect(sizes).toEqual({ chunks: 2, chunkBytes: 1500, frameBytes: 1000 });
  });
});
