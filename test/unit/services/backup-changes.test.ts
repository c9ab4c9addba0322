import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import { noHistory, trippedWires, withSnapshot } from '../../../src/core/policy/tripwire.ts';
import { BackupBench } from '../../support/backup-run.ts';
import { BackupCluster, type BackupSite } from '../../support/backup-site.ts';
import { noise } from '../../support/build-snapshot.ts';
import { PlantedTree } from '../../support/planted-tree.ts';
import { TroubledSource } from '../../support/scan-bench.ts';

const source = new TroubledSource();
afterAll(() => source[Symbol.asyncDispose]());

let cluster: BackupCluster;
let bench: BackupBench;
let tree: PlantedTree;

beforeEach(async () => {
  tree = new PlantedTree();
  source.trouble = {};
  cluster = await BackupCluster.open(1, { surviveSites: 0 });
  bench = new BackupBench(cluster.sites[0] as BackupSite, source);
});

afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
  await tree[Symbol.asyncDispose]();
});

const fileCount = 24;

function text(i: number): Buffer {
  return Buffer.from(`line ${i} of a text that repeats itself\n`.repeat(3000));
}

function removeDocs(): void {
  rmSync(`${tree.path}/docs`, { recursive: true });
}

function plantTexts(): void {
  for (let i = 0; i < fileCount; i++) tree.write(`docs/${i}.txt`, text(i));
}

async function changes(options: { canaries?: string[] } = {}) {
  const { record } = await bench.run([tree.path], options);
  if (record === undefined) throw new Error('the backup left no snapshot');
  return record.manifest;
}

describe('what a snapshot says of its changes', () => {
  test('a first one compares with nothing', async () => {
    plantTexts();
    const { changes: first } = await changes();
    expect(first).toMatchObject({ filesCompared: 0, filesDeleted: 0, canariesBroken: 0 });
    expect(first.bytesNew).toBeGreaterThan(1_000_000);
    expect(first.bytesDense).toBe(0);
  });

  test('an unchanged tree was compared whole, and differs in nothing', async () => {
    plantTexts();
    await changes();
    expect((await changes()).changes).toMatchObject({
      ...{ filesCompared: fileCount, filesDeleted: 0, bytesNew: 0, bytesDense: 0 },
    });
  });

  test('a directory that is gone counts with every file in it', async () => {
    plantTexts();
    tree.write('docs/deep/er/one', text(100));
    tree.write('kept', text(101));
    await changes();
    removeDocs();
    expect((await changes()).changes).toMatchObject({
      filesCompared: fileCount + 2,
      filesDeleted: fileCount + 1,
    });
  });

  test('files encrypted in place under new names trip three wires', async () => {
    plantTexts();
    const first = await changes();
    for (let i = 0; i < fileCount; i++) {
      tree.remove(`docs/${i}.txt`);
      tree.write(`docs/${i}.txt.lockbit`, noise(100_000, i));
    }
    tree.write('docs/HOW_TO_DECRYPT.txt', Buffer.from('pay'));
    const second = await changes();
    expect(second.changes).toMatchObject({
      ...{ filesCompared: fileCount, filesDeleted: fileCount, namesSuspect: fileCount + 1 },
    });
    expect(second.changes.bytesDense).toBeGreaterThan(2_000_000);
    const wires = trippedWires(second, withSnapshot(noHistory, first.changes)).map(
      ({ wire }) => wire,
    );
    expect(wires).toEqual(['names', 'deleted', 'entropy']);
  });

  test('a canary is broken by another content or by its end, and by nothing else', async () => {
    plantTexts();
    const canaries = [`${tree.path}/docs/3.txt`, `${tree.path}/docs/4.txt`];
    await changes({ canaries });
    tree.write('docs/3.txt', text(3));
    expect((await changes({ canaries })).changes.canariesBroken).toBe(0);
    tree.write('docs/3.txt', text(333));
    expect((await changes({ canaries })).changes.canariesBroken).toBe(1);
    removeDocs();
    expect((await changes({ canaries })).changes.canariesBroken).toBe(2);
  });

  test('files that a directory refuses to list are not called deleted', async () => {
    plantTexts();
    await changes();
    const onList = (path: string): void => {
      if (path.endsWith('docs')) throw new HoldfastError('failed', 'permission denied');
    };
    source.trouble = { onList };
    expect((await changes()).changes.filesDeleted).toBe(0);
  });
});
