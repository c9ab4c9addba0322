import { describe, expect, test } from 'vitest';
import { dayMs, GiB, hourMs, minuteMs, secondMs } from '../../../../src/base/units.ts';
import type { AgentKey, DatasetId } from '../../../../src/core/ids.ts';
import { Conditions, type Facts } from '../../../../src/agent/conditions/conditions.ts';
import { AlarmBook } from '../../../../src/services/alarm-book.ts';
import { Alarms } from '../../../../src/services/alarms.ts';
import { FirstSeen } from '../../../../src/services/first-seen.ts';
import type { DatasetState } from '../../../../src/services/status.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryKeyValue } from '../../../support/memory-key-value.ts';

const writer = 'aa'.repeat(32) as AgentKey;
const id = '0d'.repeat(16) as DatasetId;

type Change = {
  -readonly [Key in keyof Facts]?: Facts[Key];
} & { rpoMs?: number };

/** A well host of a well cluster, of which a test changes a part. */
class Bench {
  readonly clock = new ManualClock();
  readonly index = new MemoryKeyValue();
  readonly change: Change = {};
  readonly createdMs = this.clock.nowMs();
  alarms: Alarms | undefined;
  #conditions: Conditions | undefined;

  /** As an agent that starts: it knows what its index knows. */
  async start(): Promise<void> {
    const { clock, index } = this;
    const log = collectingLog();
    const book = await AlarmBook.open(index, log);
    this.alarms = new Alarms({ clock, book, log });
    const firstSeen = new FirstSeen(index, () => clock.nowMs());
    this.#conditions = new Conditions({
      facts: this.#facts(),
      ...{ alarms: this.alarms, firstSeen, clock, log },
    });
  }

  #facts(): Facts {
    const { change, createdMs } = this;
    const well = {
      self: 'oslo',
      configured: [],
      datasets: async () => [],
      roster: {
        ruleFor: () =>
          change.rpoMs === undefined
            ? { match: '*' }
            : { match: '*', objectives: { rpoMs: change.rpoMs } },
        epochsOf: () => [{ timeMs: createdMs }],
        member: () => ({ site: 'oslo' }),
      },
      lostSites: () => [],
      coordinator: () => quorum(5),
      clocks: () => [],
      room: () => ({ bytes: 0, freeBytes: 100 * GiB }),
      lostPacks: () => 0,
    } as unknown as Facts;
    return new Proxy(well, {
      get: (target, key) => Reflect.get(change, key) ?? Reflect.get(target, key),
    });
  }

  async look(afterMs = 0): Promise<string[]> {
    await this.clock.advance(afterMs);
    await this.#conditions?.look();
    return this.standing;
  }

  get standing(): string[] {
    const all = this.alarms?.all() ?? [];
    return all.filter(({ clearedMs }) => clearedMs === undefined).map(({ kind }) => kind);
  }
}

async function started(change: Change = {}): Promise<Bench> {
  const bench = new Bench();
  Object.assign(bench.change, change);
  await bench.start();
  return bench;
}

function quorum(votersReachable: number): ReturnType<Facts['coordinator']> {
  const missing = ['riga', 'roma', 'sofia', 'bern'].slice(0, 5 - votersReachable);
  return { hasQuorum: votersReachable > 2, quorum: 3, voters: 5, votersReachable, missing };
}

/** `ageMs`: of its newest snapshot, when it is looked at; undefined: there is none. */
function dataset(
  bench: Bench,
  madeMs: number | undefined,
  change: { isRecoverable?: boolean; state?: 'committed' | 'placed' } = {},
) {
  const newest =
    madeMs === undefined
      ? undefined
      : {
          state: change.state ?? 'committed',
          record: { statement: { timeMs: bench.createdMs + madeMs } },
          now: { isRecoverable: change.isRecoverable ?? true },
        };
  const state = {
    dataset: { id, name: 'web', ruleName: 'web', writer },
    ...{ newest, snapshots: madeMs === undefined ? 0 : 1, pending: undefined },
  };
  return async () => [state as unknown as DatasetState];
}

describe('a dataset without a backup', () => {
  test('is told of when a day has passed since it was made, and cleared by its first snapshot', async () => {
    const bench = await started();
    bench.change.datasets = dataset(bench, undefined);
    expect(await bench.look(dayMs)).toEqual([]);
    expect(await bench.look(1)).toEqual(['never-backed-up']);
    expect(bench.alarms?.all()[0]?.text).toContain('holdfast backup --dataset web');
    bench.change.datasets = dataset(bench, dayMs);
    expect(await bench.look(secondMs)).toEqual([]);
    expect(bench.alarms?.all()).toMatchObject([{ subject: 'web', clearedMs: expect.any(Number) }]);
  });

  test('is told of after its RPO where the policy has one', async () => {
    const bench = await started({ rpoMs: hourMs });
    bench.change.datasets = dataset(bench, undefined);
    expect(await bench.look(hourMs + 1)).toEqual(['never-backed-up']);
  });

  test('is told of also when it stands in the configuration alone, counted over restarts', async () => {
    const bench = await started({ configured: ['web'] });
    expect(await bench.look()).toEqual([]);
    await bench.clock.advance(dayMs - hourMs);
    await bench.start();
    expect(await bench.look()).toEqual([]);
    expect(await bench.look(hourMs + 1)).toEqual(['never-backed-up']);
    await bench.start();
    expect(await bench.look()).toEqual(['never-backed-up']);
    bench.change.configured = [];
    expect(await bench.look()).toEqual([]);
  });
});

test('a backup is late when the newest committed one is older than the RPO, and without an RPO never', async () => {
  const bench = await started();
  bench.change.datasets = dataset(bench, 0);
  expect(await bench.look(365 * dayMs)).toEqual([]);
  bench.change.rpoMs = hourMs;
  expect(await bench.look()).toEqual(['backup-late']);
  bench.change.datasets = dataset(bench, 365 * dayMs);
  expect(await bench.look()).toEqual([]);
});

test('a first snapshot that is on its way to the sites is no late backup; one that stays on its way is', async () => {
  const bench = await started({ rpoMs: hourMs });
  bench.change.datasets = dataset(bench, 0, { state: 'placed' });
  expect(await bench.look(secondMs)).toEqual([]);
  expect(await bench.look(hourMs)).toEqual([]);
  expect(await bench.look(5 * minuteMs)).toEqual(['backup-late']);
  expect(bench.alarms?.all()[0]?.text).toContain('no snapshot of web is committed');
  bench.change.datasets = dataset(bench, hourMs);
  expect(await bench.look()).toEqual([]);
});

test('a dataset that cannot be restored is told of after five minutes, and cleared when it can again', async () => {
  const bench = await started();
  bench.change.datasets = dataset(bench, 0, { isRecoverable: false });
  expect(await bench.look()).toEqual([]);
  expect(await bench.look(5 * minuteMs - 1)).toEqual([]);
  expect(await bench.look(1)).toEqual(['not-restorable']);
  bench.change.datasets = dataset(bench, 0);
  expect(await bench.look()).toEqual([]);
});

test('nobody is told that what operators have shredded cannot be restored', async () => {
  const bench = await started();
  const [only] = await dataset(bench, 0, { isRecoverable: false })();
  bench.change.datasets = async () => [{ ...only, isShredded: true, newest: undefined } as never];
  expect(await bench.look()).toEqual([]);
  expect(await bench.look(10 * minuteMs)).toEqual([]);
});

test('a site is lost, and back, when the control log says so', async () => {
  const bench = await started({ lostSites: () => ['riga'] });
  expect(await bench.look()).toEqual(['site-lost']);
  expect(bench.alarms?.all()).toMatchObject([{ subject: 'riga', facts: { site: 'riga' } }]);
  bench.change.lostSites = () => [];
  expect(await bench.look()).toEqual([]);
});

describe('a site that is lost with its sources', () => {
  test('is told of once: its datasets are named, and not called late on top of that', async () => {
    const bench = await started({ rpoMs: hourMs, lostSites: () => ['oslo'] });
    bench.change.datasets = dataset(bench, 0);
    expect(await bench.look(2 * hourMs)).toEqual(['site-lost']);
    expect(bench.alarms?.all()[0]?.text).toContain('; no backups of web come meanwhile. What');
    bench.change.lostSites = () => [];
    expect(await bench.look(secondMs)).toEqual(['backup-late']);
  });

  test('does not end what people know of already', async () => {
    const bench = await started({ rpoMs: hourMs });
    bench.change.datasets = dataset(bench, 0);
    expect(await bench.look(2 * hourMs)).toEqual(['backup-late']);
    bench.change.lostSites = () => ['oslo'];
    expect((await bench.look(secondMs)).sort()).toEqual(['backup-late', 'site-lost']);
    bench.change.datasets = dataset(bench, 2 * hourMs);
    expect(await bench.look(secondMs)).toEqual(['site-lost']);
  });
});

describe('a quorum', () => {
  test('that is away for a minute is told of with who is missing; a short election is not', async () => {
    const bench = await started({ coordinator: () => quorum(2) });
    await bench.look();
    bench.change.coordinator = () => quorum(3);
    expect(await bench.look(50 * secondMs)).toEqual([]);
    bench.change.coordinator = () => quorum(2);
    await bench.look();
    expect(await bench.look(59 * secondMs)).toEqual([]);
    expect(await bench.look(secondMs)).toEqual(['no-quorum']);
    expect(bench.alarms?.all()[0]?.text).toContain(
      '2 of 5 voters are reachable from here and 3 are needed (missing: riga, roma, sofia)',
    );
    bench.change.coordinator = () => quorum(4);
    expect(await bench.look()).toEqual([]);
  });

  test('that people know to be away is not called back by a restart', async () => {
    const bench = await started({ coordinator: () => quorum(1) });
    await bench.look();
    await bench.look(minuteMs);
    const [before] = bench.alarms?.all() ?? [];
    await bench.start();
    expect(await bench.look()).toEqual(['no-quorum']);
    expect(bench.alarms?.all()).toEqual([before]);
  });
});

describe('a clock', () => {
  const off = (name: string, skewMs?: number) => ({ name, skewMs });

  test('that differs by more than five minutes for a minute is told of', async () => {
    const bench = await started({ clocks: () => [off('riga', -6 * minuteMs), off('roma', 0)] });
    expect(await bench.look()).toEqual([]);
    expect(await bench.look(minuteMs)).toEqual(['clock-wrong']);
    expect(bench.alarms?.all()[0]?.text).toContain('the clock of riga differs by 6 min');
    bench.change.clocks = () => [off('riga'), off('roma', 0)];
    expect(await bench.look()).toEqual(['clock-wrong']);
    bench.change.clocks = () => [off('riga', -4 * minuteMs), off('roma', 0)];
    expect(await bench.look()).toEqual([]);
  });

  test('is the own one where most others agree', async () => {
    const [riga, roma, bern] = [off('riga', hourMs), off('roma', hourMs), off('bern', 0)];
    const bench = await started({ clocks: () => [riga, roma, bern] });
    await bench.look();
    await bench.look(minuteMs);
    expect(bench.alarms?.all().map(({ subject }) => subject)).toEqual(['oslo']);
  });
});

test.each([
  ['an empty disk with room for nothing', 0, 0, ['disk-full']],
  ['a small limit that is nearly used up', 490, 10, ['disk-full']],
  ['a small limit that is half used', 250, 250, []],
  ['a large disk with less than a gibibyte', 1_000_000, 1000, ['disk-full']],
  ['a large disk with more', 1_000_000, 1100, []],
])('room for shards: %s', async (_, bytes, freeBytes, kinds) => {
  const room = { bytes: bytes * 2 ** 20, freeBytes: freeBytes * 2 ** 20 };
  const bench = await started({ room: () => room });
  expect(await bench.look()).toEqual(kinds);
  bench.change.room = () => ({ ...room, freeBytes: 2 * GiB });
  expect(await bench.look()).toEqual([]);
});

test('a disk that has failed is told of, and nothing is said of its room', async () => {
  const room = { bytes: 1000, freeBytes: 0, failure: 'the disk did not take it' };
  const bench = await started({ room: () => room });
  expect(await bench.look()).toEqual(['disk-failed']);
  bench.change.room = () => ({ bytes: 1000, freeBytes: 2 * GiB });
  expect(await bench.look()).toEqual([]);
});

test('packs that cannot be rebuilt are told of until a look at all packs finds them again', async () => {
  const bench = await started({ lostPacks: () => 3 });
  expect(await bench.look()).toEqual(['data-lost']);
  await bench.start();
  const before = bench.change;
  before.lostPacks = () => undefined;
  expect(await bench.look()).toEqual(['data-lost']);
  before.lostPacks = () => 0;
  expect(await bench.look()).toEqual([]);
});
