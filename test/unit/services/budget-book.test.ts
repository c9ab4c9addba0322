import { beforeEach, describe, expect, test } from 'vitest';
import { dayMs } from '../../../src/base/units.ts';
import type { ShardHead } from '../../../src/core/format/shard.ts';
import type { Budget } from '../../../src/core/policy/policy-terms.ts';
import { BudgetBook, type Excess, readBudgets } from '../../../src/services/budget-book.ts';
import { collectingLog } from '../../support/collecting-log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const stored = new Map<string, Uint8Array>();
const records = {
  read: async (name: string) => stored.get(name),
  write: async (name: string, record: Uint8Array) => void stored.set(name, record),
  remove: async (name: string) => void stored.delete(name),
  names: async () => [...stored.keys()],
};

let budget: Budget | undefined;
let ofWriter: Pick<Budget, 'perDay' | 'total'>;
let nowMs: number;
let over: string[];
const log = collectingLog();

beforeEach(() => {
  stored.clear();
  budget = { perDay: 100, total: 250, over: 'refuse' };
  ofWriter = {};
  nowMs = 20_000 * dayMs;
  over = [];
});

async function open(): Promise<BudgetBook> {
  const options = {
    ...{ records, log, clock: new ManualClock() },
    budgetFor: () => budget,
    nowMs: () => nowMs,
    onOver: ({ reason }: Excess) => void over.push(reason),
    writerBudgetFor: () => ofWriter,
  };
  return new BudgetBook(options, await readBudgets(records, log));
}

const head = (packSize: number, writer = 'aa', dataset = 'bb') =>
  ({ writer, dataset, packSize }) as unknown as ShardHead;

function store(book: BudgetBook, size: number, writer?: string): void {
  book.require(head(size, writer));
  book.charge(head(size, writer));
}

describe('a budget', () => {
  test('refuses what goes beyond a day, and leaves other sources alone', async () => {
    const book = await open();
    store(book, 60);
    expect(() => store(book, 60)).toThrow(
      'its budget is 100 B a day (datasets[].budget.perDay); 60 B were stored today',
    );
    store(book, 60, 'cc');
    store(book, 40);
  });

  test('begins anew with each day of conservative time, which no clock of a source moves', async () => {
    const book = await open();
    store(book, 100);
    nowMs -= 3 * dayMs;
    expect(() => store(book, 1)).toThrow('a day');
    nowMs += 4 * dayMs;
    store(book, 100);
  });

  test('has a total, which shrinks when packs go', async () => {
    const book = await open();
    for (let i = 0; i < 2; i++) {
      store(book, 100);
      nowMs += dayMs;
    }
    expect(() => store(book, 60)).toThrow(
      '250 B in all (datasets[].budget.total); 200 B are stored, and a pack of 60 B is to come',
    );
    book.refund('aa' as never, 'bb' as never, 100);
    store(book, 60);
  });

  test('is known after a restart', async () => {
    const book = await open();
    store(book, 100);
    await book.flush();
    expect(() => store(book, 1)).toThrow('a day');
    const again = await open();
    expect(() => again.require(head(1))).toThrow('a day');
  });

  test('with quarantine takes as much again, tells once, and then refuses', async () => {
    budget = { perDay: 100, over: 'quarantine' };
    const book = await open();
    for (let i = 0; i < 4; i++) store(book, 50);
    expect(over).toEqual([expect.stringContaining('100 B a day')]);
    expect(book.over()).toMatchObject([{ writer: 'aa', isTaken: true }]);
    expect(() => store(book, 50)).toThrow('100 B a day');
    expect(book.over()).toMatchObject([{ writer: 'aa', isTaken: false }]);
    budget = { perDay: 1000, over: 'quarantine' };
    expect(book.over(), 'the budget was raised').toEqual([]);
    expect(over, 'people hear that it got worse').toHaveLength(2);
  });

  test('of a source counts all its datasets together, whatever it calls them', async () => {
    ofWriter = { perDay: 100, total: 150 };
    const book = await open();
    for (const dataset of ['b1', 'b2']) {
      book.require(head(50, 'aa', dataset));
      book.charge(head(50, 'aa', dataset));
    }
    expect(() => book.require(head(1, 'aa', 'b3'))).toThrow(
      'the budget of its source is 100 B a day (writers[].budget.perDay)',
    );
    nowMs += dayMs;
    book.require(head(50, 'aa', 'b3'));
    book.charge(head(50, 'aa', 'b3'));
    expect(() => book.require(head(1, 'aa', 'b4'))).toThrow(
      '150 B in all (writers[].budget.total); 150 B are stored',
    );
    book.require(head(100, 'cc', 'b1'));
  });

  test('gets back what was promised and never came', async () => {
    const book = await open();
    store(book, 100);
    book.giveBack(head(100));
    store(book, 100);
  });

  test('is none where the policy says nothing', async () => {
    budget = undefined;
    store(await open(), 10_000);
  });
});
