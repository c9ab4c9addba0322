import { describe, expect, test } from 'vitest';
import { MiB } from '../../../../src/base/units.ts';
import { noChanges } from '../../../../src/core/format/manifest.ts';
import type { Changes, Totals } from '../../../../src/core/format/records.ts';
import { defaultTripwires, noHistory, trippedWires } from '../../../../src/core/policy/tripwire.ts';

const noTotals: Totals = {
  ...{ files: 100, directories: 1, others: 0, bytes: 100 * MiB, bytesRead: 0, bytesAdded: 0 },
  ...{ filesNew: 0, filesChanged: 0, filesUnmodified: 100, filesUnstable: 0 },
  ...{ chunksNew: 0, durationMs: 1 },
};

/** The first snapshot: text, which compresses. */
const first = { snapshots: 1, bytesNew: 100 * MiB, bytesDense: 5 * MiB };

function wires(changes: Partial<Changes>, totals: Partial<Totals> = {}, before = first) {
  const manifest = {
    changes: { ...noChanges, filesCompared: 100, ...changes },
    totals: { ...noTotals, ...totals },
  };
  return trippedWires(manifest, before).map(({ wire }) => wire);
}

describe('tripwires', () => {
  test('nothing is suspect in a first snapshot', () => {
    const changes = { namesSuspect: 50, canariesBroken: 1 };
    expect(wires(changes, { filesChanged: 100 }, noHistory)).toEqual([]);
  });

  test('an ordinary day trips nothing', () => {
    const changes = { filesDeleted: 2, bytesNew: 2 * MiB };
    expect(wires(changes, { filesChanged: 5, bytesRead: 3 * MiB })).toEqual([]);
  });

  test('files encrypted in place are rewritten and dense', () => {
    const changes = { bytesNew: 90 * MiB, bytesDense: 90 * MiB };
    const totals = { filesChanged: 90, bytesRead: 90 * MiB };
    expect(wires(changes, totals)).toEqual(['changed', 'entropy']);
  });

  test('files that were only touched are not rewritten', () => {
    expect(wires({ bytesNew: 0 }, { filesChanged: 100, bytesRead: 100 * MiB })).toEqual([]);
  });

  test('a renamed directory is not deleted', () => {
    const totals = { filesNew: 80, bytesRead: 80 * MiB };
    expect(wires({ filesDeleted: 80, bytesNew: 1 * MiB }, totals)).toEqual([]);
  });

  test('files that went without a new place are deleted', () => {
    expect(wires({ filesDeleted: 80 })).toEqual(['deleted']);
    expect(wires({ filesDeleted: 49 })).toEqual([]);
  });

  test('encrypted copies under new names are dense, and the old ones gone', () => {
    const changes = { filesDeleted: 60, bytesNew: 60 * MiB, bytesDense: 60 * MiB };
    const totals = { filesNew: 60, bytesRead: 60 * MiB };
    expect(wires(changes, totals)).toEqual(['deleted', 'entropy']);
  });

  test('photos that come in addition are dense, and nothing else', () => {
    const changes = { bytesNew: 80 * MiB, bytesDense: 80 * MiB };
    expect(wires(changes, { filesNew: 300, bytesRead: 80 * MiB })).toEqual([]);
  });

  test('an archive of photos stays as dense as it was', () => {
    const photos = { snapshots: 1, bytesNew: 100 * MiB, bytesDense: 98 * MiB };
    const changes = { bytesNew: 40 * MiB, bytesDense: 40 * MiB };
    const totals = { filesChanged: 40, bytesRead: 40 * MiB };
    expect(wires(changes, totals, photos)).toEqual([]);
  });

  test('one file with a suspect name is a curiosity, three are not', () => {
    expect(wires({ namesSuspect: 2 })).toEqual([]);
    expect(wires({ namesSuspect: 3 })).toEqual(['names']);
  });

  test('one broken canary is enough', () => {
    expect(wires({ filesCompared: 1, canariesBroken: 1 })).toEqual(['canary']);
  });

  test('a handful of files proves nothing', () => {
    expect(wires({ filesCompared: 9, filesDeleted: 9 }, { filesChanged: 9 })).toEqual([]);
  });

  test('zero per cent switches a wire off', () => {
    const off = { changedPercent: 0, deletedPercent: 0, entropyPercent: 0 };
    const changes = { ...noChanges, filesCompared: 100, filesDeleted: 50, bytesNew: 90 * MiB };
    const manifest = {
      changes: { ...changes, bytesDense: 90 * MiB },
      totals: { ...noTotals, filesChanged: 50 },
    };
    expect(trippedWires(manifest, first, off)).toEqual([]);
    expect(trippedWires(manifest, first, defaultTripwires)).toHaveLength(3);
  });

  test('each wire says what it has caught in words', () => {
    const manifest = {
      changes: { ...noChanges, filesCompared: 200, filesDeleted: 150 },
      totals: noTotals,
    };
    expect(trippedWires(manifest, first)).toEqual([
      { wire: 'deleted', reason: '75 % of 200 files are gone' },
    ]);
  });
});
