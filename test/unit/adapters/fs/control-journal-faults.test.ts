import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  createControlJournal,
  openControlJournal,
} from '../../../../src/adapters/fs/control-journal.ts';
import { type JournalScan, scanSegment } from '../../../../src/adapters/fs/control-journal-scan.ts';
import { codeOf } from '../../../../src/core/errors.ts';
import { recordHeadSize } from '../../../../src/core/format/journal-record.ts';
import {
  headerSize,
  markSize,
  recordsOffset,
} from '../../../../src/core/format/journal-segment.ts';
import type { RaftStored, RaftWrite } from '../../../../src/core/protocol/raft/types.ts';
import {
  sampleEntries,
  sampleKey,
  sampleSnapshot,
  sampleStored,
} from '../../../contract/control-journal.ts';
import { end, startNode } from '../../../support/child-process.ts';
import { MemoryControlJournal } from '../../../support/memory-control-journal.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';
import { canMount, smallDisk } from '../../../support/small-disk.ts';

const writes: readonly RaftWrite[] = [
  { hard: { generation: 1, term: 1, votedFor: sampleKey(1) }, append: sampleEntries(1, 3) },
  { append: sampleEntries(4, 5) },
  { hard: { generation: 1, term: 2, votedFor: undefined } },
  { truncateFrom: 5, append: sampleEntries(5, 6, 2) },
  { hard: { generation: 1, term: 3, votedFor: sampleKey(2) }, append: sampleEntries(7, 7, 3) },
];

describe('the control journal after a crash', () => {
  test('a write cut short at any byte leaves the old state or the new one', async () => {
    await using disk = await journalWith(writes.slice(0, -1));
    const before = readFileSync(disk.segment);
    const [old, fresh] = [await statesAfter(writes.slice(0, -1)), await statesAfter(writes)];
    await write(disk.path, writes.at(-1) as RaftWrite);
    const after = readFileSync(disk.segment);
    // The mark of the last record is written after its sync: a crash before that finds the one before.
    const unmarked = Buffer.concat([
      before.subarray(0, recordsOffset),
      after.subarray(recordsOffset),
    ]);
    for (let size = before.length; size <= after.length; size++) {
      writeFileSync(disk.segment, unmarked.subarray(0, size));
      const found = await reopen(disk.path);
      expect(found).toEqual({ stored: size < after.length ? old.at(-1) : fresh.at(-1) });
    }
    expect(after.length - before.length).toBeGreaterThan(200);
    // The last opening found the whole record and marked it: from then on its loss is one.
    truncateSync(disk.segment, after.length - 1);
    expect((await reopen(disk.path)).damage?.lostUpTo).toBe(7);
  });

  test('a torn write is removed, and writing goes on after it', async () => {
    await using disk = await journalWith(writes);
    const sound = readFileSync(disk.segment);
    for (const rest of [new Uint8Array(5000), new Uint8Array(9).fill(7), Buffer.from('HFJRHFJR')]) {
      appendFileSync(disk.segment, rest);
      expect(await reopen(disk.path)).toEqual({ stored: (await statesAfter(writes)).at(-1) });
      expect(readFileSync(disk.segment)).toHaveLength(sound.length);
    }
    await write(disk.path, { append: sampleEntries(8, 8, 3) });
    expect((await reopen(disk.path)).stored?.entries).toHaveLength(8);
  });

  test('a torn write that holds a copy of an earlier record is still torn', async () => {
    await using disk = await journalWith(writes);
    const records = readFileSync(disk.segment).subarray(recordsOffset);
    appendFileSync(disk.segment, Buffer.concat([new Uint8Array(10), records]));
    expect(await reopen(disk.path)).toEqual({ stored: (await statesAfter(writes)).at(-1) });
  });

  test('acknowledged writes survive a process that is killed', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'control');
    await createControlJournal(path, sampleStored());
    const program = join(import.meta.dirname, '../../../support/control-journal-writer.ts');
    let acknowledged = 0;
    for (let round = 0; round < 4; round++) {
      const child = startNode([program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
      const goal = acknowledged + 11 + 5 * round;
      for await (const text of child.stdout as AsyncIterable<Buffer>) {
        acknowledged = Number(text.toString().trim().split('\n').at(-1));
        if (acknowledged >= goal) child.kill('SIGKILL');
      }
      await end(child, 'SIGKILL');
      expect(child.signalCode).toBe('SIGKILL');
      const { stored, damage } = await reopen(path);
      const last = (stored?.snapshot.index ?? 0) + (stored?.entries.length ?? 0);
      expect(damage).toBeUndefined();
      expect(last).toBeGreaterThanOrEqual(acknowledged);
      expect(stored?.hard.term).toBe(last);
      expect(stored?.snapshot.index).toBeGreaterThanOrEqual(Math.floor(acknowledged / 16) * 16);
    }
    expect(acknowledged).toBeGreaterThan(40);
  });

  test('a crash anywhere in a change of segments leaves the old state or the new one', async () => {
    await using disk = await journalWith(writes);
    const last = (await statesAfter(writes)).at(-1) as RaftStored;
    await using other = scratchDirectory();
    cpSync(disk.path, other.path, { recursive: true });
    await write(disk.path, { snapshot: sampleSnapshot(4) });
    const [oldName, newName] = [...readdirSync(other.path), ...readdirSync(disk.path)] as [
      string,
      string,
    ];
    // Before the rename there is a temporary file beside the old segment, after it both segments.
    renameSync(join(disk.path, newName), join(disk.path, `${newName}.0.tmp`));
    cpSync(join(other.path, oldName), join(disk.path, oldName));
    cpSync(disk.path, join(other.path, 'both'), { recursive: true });
    expect(await reopen(disk.path)).toEqual({ stored: last });
    expect(readdirSync(disk.path)).toEqual([oldName]);
    rmSync(disk.path, { recursive: true });
    cpSync(join(other.path, 'both'), disk.path, { recursive: true });
    renameSync(join(disk.path, `${newName}.0.tmp`), join(disk.path, newName));
    const stored = { ...last, snapshot: sampleSnapshot(4), entries: last.entries.slice(4) };
    expect(await reopen(disk.path)).toEqual({ stored });
    expect(readdirSync(disk.path)).toEqual([newName]);
  });
});

describe('the control journal on a damaged disk', () => {
  test('no flipped byte makes it open to what was never written, or hides that something is lost', async () => {
    await using disk = await journalWith(writes);
    const sound = readFileSync(disk.segment);
    const states = await statesAfter(writes);
    const counts = { sound: 0, damaged: 0, lost: 0, torn: 0 };
    for (const at of meaningful(sound.length)) {
      const bad = Buffer.from(sound);
      bad[at] = (bad[at] as number) ^ (1 << (at % 8));
      const found = await scanOf(disk.segment, bad);
      counts[found.kind]++;
      if (found.kind === 'sound') expect(found.state.stored()).toEqual(states.at(-1));
      if (found.kind === 'damaged') expectPartOf(found, states);
    }
    // Each mark alone is spared; header and snapshot are not; records are.
    expect(counts.sound).toBe(2 * markSize);
    expect(counts.lost).toBe(firstRecordEnd(sound) - recordsOffset + headerSize);
    expect(counts.damaged).toBe(sound.length - firstRecordEnd(sound));
  });

  test('a file that lost its end at any byte is reported, with the hard state that it had', async () => {
    await using disk = await journalWith(writes);
    const sound = readFileSync(disk.segment);
    const states = await statesAfter(writes);
    for (let size = 0; size < sound.length; size += size < recordsOffset ? 1023 : 1) {
      const found = await scanOf(disk.segment, sound.subarray(0, size));
      expect(found.kind).toBe(size < firstRecordEnd(sound) ? 'lost' : 'damaged');
      if (found.kind === 'damaged') expectPartOf(found, states);
    }
  });

  test('a damaged segment is kept aside as it was, and one that is lost stays as it is', async () => {
    await using disk = await journalWith(writes);
    const sound = readFileSync(disk.segment);
    for (const at of [sound.length - 1, firstRecordEnd(sound) + 5]) {
      resetTo(disk.path, disk.segment, sound);
      flip(disk.segment, at);
      const bad = readFileSync(disk.segment);
      const { stored, damage } = await reopen(disk.path);
      expect(damage?.lostUpTo).toBe(7);
      expect(readFileSync(`${disk.segment}.damaged`)).toEqual(bad);
      // The second opening sees what the first one left.
      const again = await reopen(disk.path);
      expect(again.stored).toEqual(stored);
      expect(again.damage?.lostUpTo).toBe(7);
    }
    for (const at of [10, recordsOffset + 5]) {
      resetTo(disk.path, disk.segment, sound);
      flip(disk.segment, at);
      const bad = readFileSync(disk.segment);
      await expectLost(disk.path);
      await expectLost(disk.path);
      expect(readFileSync(disk.segment)).toEqual(bad);
    }
  });

  test('damage is reported at every opening until the log has grown past it', async () => {
    await using disk = await journalWith(writes);
    const hard = (await statesAfter(writes)).at(-1)?.hard;
    flip(
      disk.segment,
      readFileSync(disk.segment).indexOf(sampleEntries(4, 5)[0]?.payload as Uint8Array),
    );
    const first = await reopen(disk.path);
    expect(first.damage).toMatchObject({
      lostUpTo: 7,
      reason: expect.stringContaining('4 durable'),
    });
    expect(first.stored).toEqual({ ...sampleStored(), hard, entries: sampleEntries(1, 3) });
    for (const next of [{ append: sampleEntries(4, 6, 3) }, { snapshot: sampleSnapshot(2) }]) {
      await write(disk.path, next);
      expect((await reopen(disk.path)).damage?.lostUpTo).toBe(7);
    }
    await write(disk.path, { truncateFrom: 5, append: sampleEntries(5, 7, 3) });
    const { stored, damage } = await reopen(disk.path);
    expect(damage).toBeUndefined();
    expect(stored?.entries).toHaveLength(5);
  });

  test('a log that damaged records may have cut stays below what was lost', async () => {
    await using disk = await journalWith([
      { append: sampleEntries(1, 9) },
      { truncateFrom: 4, append: sampleEntries(4, 6, 2) },
      { hard: { generation: 1, term: 3, votedFor: undefined } },
    ]);
    flip(
      disk.segment,
      readFileSync(disk.segment).indexOf(sampleEntries(4, 6, 2)[0]?.payload as Uint8Array),
    );
    const { stored, damage } = await reopen(disk.path);
    expect(damage).toMatchObject({ lostUpTo: 6, lostTerm: 2 });
    expect(stored?.entries).toEqual(sampleEntries(1, 5));
    expect(stored?.hard.term).toBe(3);
  });

  test('a damaged end beside a damaged mark is not taken for a torn write', async () => {
    await using disk = await journalWith(writes);
    const sound = readFileSync(disk.segment);
    flip(disk.segment, sound.length - 1);
    for (const at of [4096, 8192]) flip(disk.segment, at);
    expect((await reopen(disk.path)).code).toBe('corrupt');
    for (const at of [4096, 8192]) {
      writeFileSync(disk.segment, sound);
      flip(disk.segment, sound.length - 1);
      flip(disk.segment, at);
      expect((await reopen(disk.path)).code).toBe('corrupt');
    }
  });

  test('records of one history under the marks of another are refused', async () => {
    await using disk = await journalWith(writes.slice(0, 2));
    const fork = readFileSync(disk.segment);
    await write(disk.path, { append: sampleEntries(6, 6, 2) });
    const one = readFileSync(disk.segment);
    writeFileSync(disk.segment, fork);
    await write(disk.path, { append: sampleEntries(6, 6, 3) });
    const other = readFileSync(disk.segment);
    writeFileSync(
      disk.segment,
      Buffer.concat([one.subarray(0, recordsOffset), other.subarray(recordsOffset)]),
    );
    await expectLost(disk.path);
  });

  test('records of two histories are not joined', async () => {
    await using disk = await journalWith(writes.slice(0, 2));
    const fork = readFileSync(disk.segment);
    await write(disk.path, { append: sampleEntries(6, 6, 2) }, { append: sampleEntries(7, 7, 3) });
    const one = readFileSync(disk.segment);
    writeFileSync(disk.segment, fork);
    await write(disk.path, { append: sampleEntries(6, 6, 3) }, { append: sampleEntries(7, 7, 3) });
    const other = readFileSync(disk.segment);
    const middle = fork.length + (one.length - fork.length) / 2;
    const records = [one.subarray(recordsOffset, middle), other.subarray(middle)];
    writeFileSync(disk.segment, Buffer.concat([other.subarray(0, recordsOffset), ...records]));
    const { stored, damage } = await reopen(disk.path);
    expect(damage?.lostUpTo).toBe(7);
    expect(stored?.entries).toEqual([
      ...sampleEntries(1, 3),
      ...sampleEntries(4, 5),
      ...sampleEntries(6, 6, 2),
    ]);
  });

  test('the hard state is found in a later record when the mark that has it is damaged', async () => {
    await using disk = await journalWith(writes);
    const last = (await statesAfter(writes)).at(-1) as RaftStored;
    const sound = readFileSync(disk.segment);
    for (const at of [4096, 8192]) {
      resetTo(disk.path, disk.segment, sound);
      flip(disk.segment, at);
      flip(disk.segment, firstRecordEnd(sound) + 5);
      const { stored, damage } = await reopen(disk.path);
      expect(stored).toEqual({ ...last, entries: [] });
      expect(damage?.lostUpTo).toBe(7);
    }
  });

  test('a mark that was damaged is sound again after an opening', async () => {
    await using disk = await journalWith(writes);
    for (const at of [4096, 8192]) {
      flip(disk.segment, at);
      await reopen(disk.path);
      appendFileSync(disk.segment, 'half a record');
      expect(await reopen(disk.path)).toEqual({ stored: (await statesAfter(writes)).at(-1) });
    }
  });

  test('what comes after damage is as safe as what came before', async () => {
    await using disk = await journalWith(writes);
    flip(disk.segment, readFileSync(disk.segment).length - 1);
    expect((await reopen(disk.path)).damage?.lostUpTo).toBe(7);
    await write(disk.path, { append: sampleEntries(7, 9, 4) });
    const [name = ''] = readdirSync(disk.path).filter((one) => !one.endsWith('.damaged'));
    const renewed = join(disk.path, name);
    expect(renewed).not.toBe(disk.segment);
    flip(renewed, readFileSync(renewed).length - 1);
    const again = await reopen(disk.path);
    expect(again.damage?.lostUpTo).toBe(9);
    expect(again.stored?.entries).toHaveLength(6);
    expect(readdirSync(disk.path).filter((one) => one.endsWith('.damaged'))).toHaveLength(2);
  });
});

describe('a control journal that is not there', () => {
  test('was never created, and says so', async () => {
    await using scratch = scratchDirectory();
    expect((await reopen(join(scratch.path, 'control'))).code).toBe('not-found');
  });

  test('was created and is lost, whatever part of it is gone', async () => {
    await using disk = await journalWith(writes);
    rmSync(disk.segment);
    await expectLost(disk.path);
    rmSync(disk.path, { recursive: true });
    await expectLost(disk.path);
  });

  test('is not created over one that is or was there', async () => {
    await using disk = await journalWith(writes);
    rmSync(`${disk.path}.created`);
    expect(await codeOfCreate(disk.path)).toBe('state-exists');
    // Opening notices that a crash, or somebody, took the sign away.
    await reopen(disk.path);
    expect(existsSync(`${disk.path}.created`)).toBe(true);
    rmSync(disk.path, { recursive: true });
    expect(await codeOfCreate(disk.path)).toBe('state-exists');
  });

  test('can be created again after a crash before it had its name', async () => {
    await using scratch = scratchDirectory();
    const path = join(scratch.path, 'control');
    await createControlJournal(path, sampleStored());
    const [name = ''] = readdirSync(path);
    renameSync(join(path, name), join(path, `${name}.0.tmp`));
    rmSync(`${path}.created`);
    expect((await reopen(path)).code).toBe('not-found');
    await createControlJournal(path, sampleStored());
    expect(await reopen(path)).toEqual({ stored: sampleStored() });
    expect(readdirSync(path)).toEqual([name]);
  });
});

describe('a control journal that cannot write', () => {
  test.skipIf(!canMount())('takes no more writes once the disk was full', async () => {
    await using disk = smallDisk('256k');
    const path = join(disk.path, 'control');
    await createControlJournal(path, sampleStored());
    const ballast = join(disk.path, 'ballast');
    {
      await using journal = await openControlJournal(path);
      await journal.write({ append: sampleEntries(1, 3) });
      const payload = new Uint8Array(400_000);
      const large = { append: [{ index: 4, term: 1, kind: 'command' as const, payload }] };
      await expect(journal.write(large)).rejects.toMatchObject({ code: 'disk-full' });
      const refused = journal.write({ append: sampleEntries(4, 4) });
      await expect(refused).rejects.toMatchObject({
        code: 'disk-full',
        message: expect.stringContaining('takes no more writes'),
        details: { fatal: true },
      });
    }
    expect(await reopen(path)).toEqual({
      stored: { ...sampleStored(), entries: sampleEntries(1, 3) },
    });
    writeFileSync(ballast, new Uint8Array(150_000));
    {
      await using journal = await openControlJournal(path);
      const snapshot = { ...sampleSnapshot(2), state: new Uint8Array(150_000) };
      await expect(journal.write({ snapshot })).rejects.toMatchObject({ code: 'disk-full' });
      await expect(journal.write({})).rejects.toMatchObject({ code: 'disk-full' });
    }
    rmSync(ballast);
    expect((await reopen(path)).stored?.entries).toHaveLength(3);
    await write(path, { snapshot: sampleSnapshot(2) });
    expect((await reopen(path)).stored?.snapshot).toEqual(sampleSnapshot(2));
  });

  test('takes no more writes once one failed for another reason', async () => {
    await using disk = await journalWith(writes);
    {
      await using journal = await openControlJournal(disk.path);
      renameSync(disk.path, `${disk.path}.away`);
      await expect(journal.write({ snapshot: sampleSnapshot(4) })).rejects.toThrow('cannot write');
      renameSync(`${disk.path}.away`, disk.path);
      await expect(journal.write({})).rejects.toThrow('takes no more writes since one failed');
    }
    expect(await reopen(disk.path)).toEqual({ stored: (await statesAfter(writes)).at(-1) });
  });
});

type Opened = Partial<{
  stored: RaftStored;
  damage: { lostUpTo: number; lostTerm?: number | undefined; reason: string };
  code: string;
}>;

/** A journal with these writes in it. `segment`: its only file. */
async function journalWith(all: readonly RaftWrite[]) {
  const scratch = scratchDirectory();
  const path = join(scratch.path, 'control');
  await createControlJournal(path, sampleStored());
  await write(path, ...all);
  const segment = join(path, readdirSync(path)[0] as string);
  return { path, segment, [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose]() };
}

async function write(path: string, ...all: readonly RaftWrite[]): Promise<void> {
  await using journal = await openControlJournal(path);
  for (const one of all) await journal.write(one);
}

async function reopen(path: string): Promise<Opened> {
  try {
    await using journal = await openControlJournal(path);
    const { stored, damage } = journal;
    return damage === undefined ? { stored } : { stored, damage };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { code };
  }
}

/** The state before all writes and after each one. */
async function statesAfter(all: readonly RaftWrite[]): Promise<RaftStored[]> {
  const model = MemoryControlJournal.create(sampleStored());
  const states = [model.durable];
  for (const one of all) {
    await model.write(one);
    states.push(model.durable);
  }
  return states;
}

/** The newest hard state, and a log that stood there once, cut below what is said to be lost. */
function expectPartOf(
  { state, newest }: Extract<JournalScan, { kind: 'damaged' }>,
  states: readonly RaftStored[],
): void {
  state.lose(newest.summary);
  const { hard, snapshot, entries } = state.stored();
  const last = states.at(-1) as RaftStored;
  expect({ hard, snapshot }).toEqual({ hard: last.hard, snapshot: last.snapshot });
  expect(state.lostUpTo).toBe(last.entries.length);
  expect(entries.length).toBeLessThan(last.entries.length);
  expect(states.map((one) => one.entries.slice(0, entries.length))).toContainEqual(entries);
}

async function scanOf(segment: string, bytes: Uint8Array): Promise<JournalScan> {
  writeFileSync(segment, bytes);
  const file = await open(segment);
  try {
    return await scanSegment(file, 1);
  } finally {
    await file.close();
  }
}

/** Where the snapshot ends, as the format in journal-record.ts says. */
function firstRecordEnd(segment: Buffer): number {
  return recordsOffset + recordHeadSize + segment.readUInt32BE(recordsOffset + 8);
}

async function expectLost(path: string): Promise<void> {
  await expect(openControlJournal(path)).rejects.toMatchObject({
    code: 'corrupt',
    next: expect.stringContaining('join again under a new identity'),
  });
}

async function codeOfCreate(path: string): Promise<string | undefined> {
  return createControlJournal(path, sampleStored()).then(() => undefined, codeOf);
}

/** All bytes but the zeros that fill the blocks of header and marks. */
function* meaningful(size: number): Generator<number> {
  for (let at = 0; at < headerSize; at++) yield at;
  for (const mark of [4096, 8192]) for (let at = 0; at < markSize; at++) yield mark + at;
  for (let at = recordsOffset; at < size; at++) yield at;
}

/** The only segment again, with these bytes. */
function resetTo(path: string, segment: string, bytes: Uint8Array): void {
  for (const name of readdirSync(path)) rmSync(join(path, name));
  writeFileSync(segment, bytes);
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}
