import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { holeSizeMin, runAt } from '../../../../src/adapters/fs/file-runs.ts';
import { KiB, MiB } from '../../../../src/base/units.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

test('runs do not depend on where in them the question is asked', async (context) => {
  await using scratch = scratchDirectory();
  const fd = openSync(join(scratch.path, 'sparse'), 'w+');
  try {
    const block = new Uint8Array(16 * KiB).fill(1);
    // Data to 16 KiB, a hole of less than holeSizeMin, data from 48 to 64 KiB, a hole to 1 MiB, data, a short hole.
    for (const at of [0, 48 * KiB, MiB]) writeSync(fd, block, 0, block.length, at);
    const size = MiB + 40 * KiB;
    ftruncateSync(fd, size);
    if (fstatSync(fd).blocks * 512 > 512 * KiB) context.skip('this file system keeps no holes');
    const at = (offset: number) => runAt(fd, { offset, limit: size, size });
    for (const offset of [0, 5, 16 * KiB, 20 * KiB, 48 * KiB, 64 * KiB - 1]) {
      expect(at(offset)).toEqual({ kind: 'data', end: 64 * KiB });
    }
    expect(at(64 * KiB)).toEqual({ kind: 'hole', end: MiB });
    expect(MiB - 64 * KiB).toBeGreaterThan(holeSizeMin);
    expect(at(MiB)).toEqual({ kind: 'data', end: size });
    expect(at(MiB + 20 * KiB)).toEqual({ kind: 'data', end: size });
  } finally {
    closeSync(fd);
  }
});
