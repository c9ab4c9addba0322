import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assert } from '../../src/base/assert.ts';
import { type AgentKey, idOf } from '../../src/core/ids.ts';
import type { RaftEntry, RaftStored, RaftWrite } from '../../src/core/protocol/raft/types.ts';
import type { ControlJournal } from '../../src/ports/control-journal.ts';
import { MemoryControlJournal } from '../support/memory-control-journal.ts';

export function sampleKey(n: number): AgentKey {
  return idOf<AgentKey>(new Uint8Array(32).fill(n));
}

export function sampleStored(): RaftStored {
  return {
    hard: { generation: 1, term: 0, votedFor: undefined },
    snapshot: {
      index: 0,
      term: 0,
      config: { voters: [sampleKey(1), sampleKey(2), sampleKey(3)], learners: [sampleKey(4)] },
      state: new Uint8Array(),
    },
    entries: [],
  };
}

/** Entries that differ from those of other indexes and terms. */
export function sampleEntries(from: number, to: number, term = 1): RaftEntry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({
    index: from + i,
    term,
    kind: 'command' as const,
    payload: new Uint8Array(20 + i).fill(from + i + 16 * term),
  }));
}

export function sampleSnapshot(index: number, term = 1): RaftStored['snapshot'] {
  const config = { voters: [sampleKey(1), sampleKey(5)], learners: [] };
  return { index, term, config, state: new Uint8Array(50).fill(index) };
}

/** A journal that was created, its agent being stopped; `open` starts the agent. */
export type JournalPlace = AsyncDisposable & { open(): Promise<ControlJournal> };

/** What every ControlJournal promises. `create` gives a new one at a place of its own. */
export function controlJournalContract(
  name: string,
  create: (initial: RaftStored) => Promise<JournalPlace>,
): void {
  /** What is stored after these writes, each awaited. */
  async function storedAfter(...writes: RaftWrite[]): Promise<RaftStored> {
    await using place = await create(sampleStored());
    {
      await using journal = await place.open();
      for (const write of writes) await journal.write(write);
    }
    await using journal = await place.open();
    expect(journal.damage).toBeUndefined();
    return journal.stored;
  }

  describe(`${name} as a ControlJournal`, () => {
    const initial = sampleStored();

    test('a new journal holds what it was created with', async () => {
      expect(await storedAfter()).toEqual(initial);
      const full = {
        hard: { generation: 3, term: 9, votedFor: sampleKey(2) },
        snapshot: sampleSnapshot(5),
        entries: sampleEntries(6, 9),
      };
      await using place = await create(full);
      await using journal = await place.open();
      expect(journal.stored).toEqual(full);
    });

    test('a hard state is there after opening again, with and without a vote', async () => {
      const voted = { generation: 2 ** 40, term: Number.MAX_SAFE_INTEGER, votedFor: sampleKey(3) };
      expect(await storedAfter({ hard: voted })).toEqual({ ...initial, hard: voted });
      const hard = { generation: 1, term: 5, votedFor: undefined };
      expect(await storedAfter({ hard: voted }, { hard })).toEqual({ ...initial, hard });
    });

    test('entries of every kind come back as they were', async () => {
      const entries: RaftEntry[] = [
        { index: 1, term: 1, kind: 'noop', payload: new Uint8Array() },
        { index: 2, term: 1, kind: 'config', payload: new Uint8Array([1, 0]) },
        { index: 3, term: 4, kind: 'command', payload: new Uint8Array(1_100_000).fill(7) },
      ];
      expect(await storedAfter({ append: entries })).toEqual({ ...initial, entries });
    });

    test('truncation drops the entries from its index on, and the append takes their place', async () => {
      const stored = await storedAfter(
        { append: sampleEntries(1, 6) },
        { truncateFrom: 4, append: sampleEntries(4, 5, 2) },
      );
      expect(stored.entries).toEqual([...sampleEntries(1, 3), ...sampleEntries(4, 5, 2)]);
    });

    test('a snapshot of the own log keeps the entries after it', async () => {
      const snapshot = sampleSnapshot(3);
      const stored = await storedAfter({ append: sampleEntries(1, 6) }, { snapshot });
      expect(stored).toEqual({ ...initial, snapshot, entries: sampleEntries(1, 6).slice(3) });
    });

    test('a snapshot that the log does not match drops all entries', async () => {
      const snapshot = sampleSnapshot(3, 2);
      const stored = await storedAfter({ append: sampleEntries(1, 6) }, { snapshot });
      expect(stored).toEqual({ ...initial, snapshot });
      const far = sampleSnapshot(100);
      expect(await storedAfter({ append: sampleEntries(1, 6) }, { snapshot: far })).toEqual({
        ...initial,
        snapshot: far,
      });
    });

    test('a snapshot of a newer generation replaces all of the log, also one that reached further', async () => {
      const hard = { generation: 2, term: 0, votedFor: undefined };
      for (const index of [0, 2, 3, 9]) {
        const snapshot = sampleSnapshot(index);
        const append = sampleEntries(index + 1, index + 2);
        const stored = await storedAfter(
          { append: sampleEntries(1, 6) },
          { snapshot: sampleSnapshot(3) },
          { hard, snapshot, append },
        );
        expect(stored).toEqual({ hard, snapshot, entries: append });
      }
    });

    test('one write takes hard state, snapshot, truncation and append in this order', async () => {
      const hard = { generation: 1, term: 3, votedFor: undefined };
      const snapshot = sampleSnapshot(3);
      const append = sampleEntries(5, 7, 3);
      const stored = await storedAfter(
        { append: sampleEntries(1, 6) },
        { hard, snapshot, truncateFrom: 5, append },
      );
      const kept = sampleEntries(1, 6).slice(3, 4);
      expect(stored).toEqual({ hard, snapshot, entries: [...kept, ...append] });
    });

    test('writes that overlap are taken in the order in which they came', async () => {
      await using place = await create(initial);
      const entries = sampleEntries(1, 20);
      {
        await using journal = await place.open();
        await Promise.all(entries.map((entry) => journal.write({ append: [entry] })));
      }
      await using journal = await place.open();
      expect(journal.stored.entries).toEqual(entries);
    });

    test('what was stored at the opening is not changed by writes', async () => {
      await using place = await create(initial);
      await using journal = await place.open();
      await journal.write({ append: sampleEntries(1, 3) });
      expect(journal.stored).toEqual(initial);
    });

    test('a write that does not fit the log is a bug, and changes nothing', async () => {
      await using place = await create(initial);
      {
        await using journal = await place.open();
        await journal.write({ append: sampleEntries(1, 3) });
        await expect(journal.write({ append: sampleEntries(5, 5) })).rejects.toThrow('no gap');
        await expect(journal.write({ append: sampleEntries(3, 3) })).rejects.toThrow('no gap');
        await journal.write({ snapshot: sampleSnapshot(2) });
        for (const write of [{ truncateFrom: 2 }, { snapshot: sampleSnapshot(1) }]) {
          await expect(journal.write(write)).rejects.toThrow('not taken back');
        }
        await journal.write({ append: sampleEntries(4, 4) });
      }
      await using journal = await place.open();
      expect(journal.stored.entries).toEqual([
        ...sampleEntries(1, 3).slice(2),
        ...sampleEntries(4, 4),
      ]);
    });

    test('a closed journal takes no writes', async () => {
      await using place = await create(initial);
      const journal = await place.open();
      await journal[Symbol.asyncDispose]();
      await expect(journal.write({})).rejects.toMatchObject({ code: 'io-error' });
    });

    test('any sequence of writes and openings leads to what the journal in memory leads to', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          await using place = await create(initial);
          const model = MemoryControlJournal.create(initial);
          let journal = await place.open();
          for (const make of steps) {
            const write = make(model.durable);
            if (write === 'open again') {
              await journal[Symbol.asyncDispose]();
              journal = await place.open();
              expect(journal.stored).toEqual(model.durable);
            } else await Promise.all([model.write(write), journal.write(write)]);
          }
          await journal[Symbol.asyncDispose]();
          await using last = await place.open();
          expect(last.stored).toEqual(model.durable);
        }),
        { numRuns: 25, seed: 1 },
      );
    });
  });
}

type Step = (stored: RaftStored) => RaftWrite | 'open again';

/** A write that fits whatever is stored, or an opening. */
const step: fc.Arbitrary<Step> = fc
  .record({
    isOpening: fc.boolean(),
    hard: fc.option(fc.nat({ max: 5 })),
    compact: fc.option(fc.double({ min: 0, max: 1.3, noNaN: true })),
    cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    count: fc.nat({ max: 6 }),
  })
  .map((drawn) => (stored) => {
    if (drawn.isOpening && drawn.hard === null) return 'open again';
    return fittingWrite(stored, drawn);
  });

function fittingWrite(
  stored: RaftStored,
  drawn: { hard: number | null; compact: number | null; cut: number | null; count: number },
): RaftWrite {
  const term = stored.hard.term + (drawn.hard ?? 0);
  const vote = drawn.hard === null || drawn.hard === 0 ? undefined : sampleKey(drawn.hard);
  let { index } = stored.snapshot;
  let last = index + stored.entries.length;
  let snapshot: RaftStored['snapshot'] | undefined;
  if (drawn.compact !== null) {
    index += Math.round(drawn.compact * stored.entries.length);
    const own = [stored.snapshot, ...stored.entries].find((one) => one.index === index);
    snapshot = sampleSnapshot(index, own?.term ?? term + 1);
    if (own === undefined) last = index;
  }
  const from = drawn.cut === null ? last + 1 : index + 1 + Math.round(drawn.cut * (last - index));
  assert(from > index, 'a drawn write fits');
  return {
    ...(drawn.hard === null ? {} : { hard: { generation: 1, term, votedFor: vote } }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(drawn.cut === null ? {} : { truncateFrom: from }),
    append: sampleEntries(from, from + drawn.count - 1, term),
  };
}
