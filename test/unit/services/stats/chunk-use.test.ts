import { describe, expect, test } from 'vitest';
import type { PackId } from '../../../../src/core/ids.ts';
import { ChunkUseCount } from '../../../../src/services/stats/chunk-use.ts';
import {
  directory,
  file,
  noise,
  SampleSnapshot,
  type SampleTree,
} from '../../../support/build-snapshot.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const chunkSize = 10_000;
const tree: SampleTree = {
  'one.bin': file(30_000, 1),
  'listed.bin': { kind: 'file', content: noise(60_000, 2), hasList: true },
  below: directory({ 'same.bin': file(30_000, 1), 'sparse.bin': sparse(20_000, 3) }),
};

function sparse(size: number, seed: number): SampleTree[string] {
  return { kind: 'file', content: [noise(size, seed), 1_000_000] };
}

/** A snapshot whose data pack also holds so many chunks that nothing in it refers to. */
async function sampleWith(deadChunks: number): Promise<SampleSnapshot> {
  const sample = new SampleSnapshot({ clock: new ManualClock(), chunkSize, frameChunks: 4 });
  for (let i = 0; i < deadChunks; i++) sample.store(noise(chunkSize, 100 + i), 0);
  return sample.finish(sample.storeTree(tree));
}

async function counted(...samples: SampleSnapshot[]): Promise<ChunkUseCount> {
  const count = new ChunkUseCount();
  for (const sample of samples) {
    await count.add({ reader: await sample.open(), frames: sample.frameReader() }, {});
  }
  return count;
}

function isData(...samples: SampleSnapshot[]): (pack: PackId) => boolean {
  return (pack) => samples.some(({ dataPacks }) => dataPacks.includes(pack));
}

describe('what a snapshot needs of its packs', () => {
  test('is everything when nothing else was stored: content that occurs twice counts once', async () => {
    const sample = await sampleWith(0);
    const use = (await counted(sample)).result(isData(sample));
    expect(use).toMatchObject({ chunks: 3 + 6 + 2, chunkBytes: 110_000 });
    expect(use).toMatchObject({ deadChunks: 0, deadChunkBytes: 0, deadFrameBytes: 0 });
    expect(use.frameBytes).toBeGreaterThan(110_000);
  });

  test('leaves out what lies in its packs and is in none of its files', async () => {
    const sample = await sampleWith(5);
    const use = (await counted(sample)).result(isData(sample));
    expect(use).toMatchObject({ chunks: 16, deadChunks: 5, deadChunkBytes: 5 * chunkSize });
    // Noise does not compress: what is dead takes a little more than its bytes.
    expect(use.deadFrameBytes / use.deadChunkBytes).toBeCloseTo(1, 1);
  });

  test('counts packs that two snapshots share once', async () => {
    const [first, second] = [await sampleWith(5), await sampleWith(5)];
    const one = (await counted(first)).result(isData(first));
    // The same chunks in the same packs: nothing is counted twice.
    expect((await counted(first, second)).result(isData(first, second))).toEqual(one);
  });

  test('counts the packs asked for alone', async () => {
    const sample = await sampleWith(5);
    const count = await counted(sample);
    expect(count.result(() => false)).toMatchObject({ chunks: 0, deadFrameBytes: 0 });
    const metadata = count.result((pack) => pack === sample.metadataPack);
    expect(metadata).toMatchObject({ deadChunks: 0 });
    expect(metadata.chunks).toBeGreaterThan(0);
  });
});
