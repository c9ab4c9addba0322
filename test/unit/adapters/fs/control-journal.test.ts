import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  createControlJournal,
  openControlJournal,
} from '../../../../src/adapters/fs/control-journal.ts';
import {
  controlJournalContract,
  sampleEntries,
  sampleStored,
} from '../../../contract/control-journal.ts';
import { MemoryControlJournal } from '../../../support/memory-control-journal.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

controlJournalContract('the journal on disk', async (initial) => {
  const scratch = scratchDirectory();
  const path = join(scratch.path, 'control');
  await createControlJournal(path, initial);
  return {
    open: () => openControlJournal(path),
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  };
});

controlJournalContract('the journal in memory', async (initial) => {
  let journal = MemoryControlJournal.create(initial);
  return {
    open: async () => {
      journal = journal.crash();
      return journal;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
});

describe('the journal in memory', () => {
  test('loses in a crash what had not resolved, and nothing else', async () => {
    const journal = MemoryControlJournal.create(sampleStored());
    await journal.write({ append: sampleEntries(1, 2) });
    const lost = journal.write({ append: sampleEntries(3, 3) });
    const after = journal.crash();
    await expect(lost).rejects.toMatchObject({ code: 'io-error' });
    expect(after.stored.entries).toEqual(sampleEntries(1, 2));
    expect(after.damage).toBeUndefined();
  });

  test('reports a damaged entry until the log has grown past it', async () => {
    const journal = MemoryControlJournal.create(sampleStored());
    await journal.write({ append: sampleEntries(1, 5) });
    journal.damageEntry(3);
    const found = journal.crash();
    expect(found.stored.entries).toEqual(sampleEntries(1, 2));
    await found.write({ append: sampleEntries(3, 4) });
    const again = found.crash();
    expect([found.damage?.lostUpTo, again.damage?.lostUpTo]).toEqual([5, 5]);
    await again.write({ append: sampleEntries(5, 5, 1) });
    expect(again.crash().damage).toBeUndefined();
  });

  test('takes no more writes once one has failed', async () => {
    const journal = MemoryControlJournal.create(sampleStored());
    journal.failNext('disk-full');
    await expect(journal.write({})).rejects.toMatchObject({ code: 'disk-full' });
    await expect(journal.write({})).rejects.toThrow('an earlier write failed');
    await journal.crash().write({ append: sampleEntries(1, 1) });
  });
});
