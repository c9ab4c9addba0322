import { describe, expect, test } from 'vitest';
import { KiB, MiB } from '../../../../src/base/units.ts';
import {
  type DatasetShape,
  ShapeCounter,
  shapeOf,
} from '../../../../src/core/policy/data-shape.ts';
import { madeUpTree } from '../../../../src/core/policy/made-up-tree.ts';
import { sampleManifest, sampleDataset } from '../../../support/sample-cluster.ts';

const bounds = { bytesMax: 10 * MiB, filesMax: 1000 };

/** mulberry32: any numbers will do, and the same ones each time. */
function drawing(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shape(change: Partial<DatasetShape> = {}): DatasetShape {
  const counts = { files: 500, directories: 50, bytes: 5 * MiB };
  return { ...counts, densePermille: 250, changedPermille: 20, ...change };
}

describe('a made-up tree', () => {
  test('has as many files and bytes as the dataset, where they fit', () => {
    const { files, bytes, scale } = madeUpTree(shape(), bounds, drawing());
    expect(files).toHaveLength(500);
    expect(bytes).toBeGreaterThan(4.9 * MiB);
    expect(bytes).toBeLessThan(5.1 * MiB);
    expect(scale).toBeCloseTo(1, 1);
    expect(new Set(files.map(({ path }) => path)).size).toBe(500);
  });

  test('is smaller where the dataset does not fit, and says how much', () => {
    const large = shape({ files: 2_000_000, directories: 100_000, bytes: 1000 * MiB });
    const { files, bytes, scale } = madeUpTree(large, bounds, drawing());
    expect(files.length).toBeLessThanOrEqual(bounds.filesMax);
    expect(bytes).toBeLessThan(1.1 * bounds.bytesMax);
    expect(scale).toBeGreaterThan(90);
  });

  test('has enough files for tripwires when the dataset has one', () => {
    const one = shape({ files: 1, directories: 1, bytes: 100 });
    expect(madeUpTree(one, bounds, drawing()).files.length).toBeGreaterThanOrEqual(20);
  });

  test('is as hard to compress, and has the sizes and depths that were looked at', () => {
    const known = shape({ sizes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], depths: [0, 0, 0, 1] });
    const { files } = madeUpTree(known, bounds, drawing());
    const dense = files.filter(({ isDense }) => isDense).length;
    expect(dense / files.length).toBeCloseTo(0.25, 1);
    expect(files.every(({ path }) => path.split('/').length === 4)).toBe(true);
    expect(Math.max(...files.map(({ size }) => size))).toBeLessThan(32 * KiB);
  });
});

describe('the shape of a dataset', () => {
  const { id } = sampleDataset('web');
  const totals = { ...sampleManifest(id, undefined).totals, files: 100, bytes: 1000 };

  test('comes from the counts of its snapshots, and leaves the first out of what changes', () => {
    const none = sampleManifest(id, undefined).changes;
    const first = { totals: { ...totals, filesChanged: 0 }, changes: none };
    const changes = { ...none, filesCompared: 100, bytesNew: 400, bytesDense: 100 };
    const second = { totals: { ...totals, filesChanged: 5 }, changes };
    expect(shapeOf([])).toBeUndefined();
    expect(shapeOf([first, second])).toEqual({
      ...{ files: 100, directories: totals.directories, bytes: 1000 },
      ...{ densePermille: 250, changedPermille: 50 },
    });
  });

  test('holds no name, also when its entries were looked at', () => {
    const counter = new ShapeCounter();
    counter.add({ kind: 'directory', path: '/srv', size: 0 });
    counter.add({ kind: 'file', path: '/srv/secret.txt', size: 1000 });
    counter.add({ kind: 'file', path: '/srv/empty', size: 0 });
    const known = counter.of(shape());
    expect(known).toMatchObject({ depths: [0, 2] });
    expect(known.sizes?.[0]).toBe(1);
    expect(known.sizes?.[9]).toBe(1);
    expect(JSON.stringify(known)).not.toContain('secret');
  });
});
