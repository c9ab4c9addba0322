import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import {
  type CatalogRecord,
  encodeCatalogRecord,
} from '../../../src/core/format/catalog-record.ts';
import { encodeEntry } from '../../../src/core/format/tree.ts';
import type { DatasetId } from '../../../src/core/ids.ts';
import { DatasetIndex } from '../../../src/services/dataset-index.ts';
import { MemoryKeyValue } from '../../support/memory-key-value.ts';
import { entryWith } from '../../support/tree-entries.ts';

const home = '01'.repeat(16) as DatasetId;
const work = '02'.repeat(16) as DatasetId;

let store: MemoryKeyValue;
let index: DatasetIndex;

beforeEach(async () => {
  store = new MemoryKeyValue();
  index = await DatasetIndex.open(store, home);
});

describe('directories', () => {
  const record: CatalogRecord = {
    entries: [
      {
        ctimeNs: 5n,
        inode: 6n,
        device: 7n,
        mtimeNs: 8n,
        size: 9,
        isSettled: true,
        packs: [1],
        packBytes: [9],
        record: encodeEntry(entryWith({ name: utf8('a') })),
      },
    ],
    tree: [new Uint8Array(32).fill(1)],
    packs: [2],
  };
  const encoded = encodeCatalogRecord(record);
  const empty: CatalogRecord = { entries: [], tree: [], packs: [] };

  test('are remembered by their paths, the newest record of each', async () => {
    await index.rememberDirectories([
      { path: utf8('/a'), encoded },
      { path: utf8('/b'), encoded },
    ]);
    await index.rememberDirectories([{ path: utf8('/a'), encoded: encodeCatalogRecord(empty) }]);
    const again = await DatasetIndex.open(store, home);
    expect(again.directory(utf8('/a'))).toEqual(empty);
    expect(again.directory(utf8('/b'))).toEqual(record);
    expect(again.directory(utf8('/c'))).toBeUndefined();
    expect((await DatasetIndex.open(store, work)).directory(utf8('/b'))).toBeUndefined();
  });

  test('whose record is damaged count as never seen', async () => {
    await index.rememberDirectories([{ path: utf8('/a'), encoded }]);
    const all = [new Uint8Array(0), new Uint8Array(60).fill(0xff)] as const;
    for await (const { key, value } of store.range(...all)) {
      await store.batch([{ type: 'put', key, value: value.subarray(0, -3) }]);
    }
    expect(index.directory(utf8('/a'))).toBeUndefined();
  });
});
