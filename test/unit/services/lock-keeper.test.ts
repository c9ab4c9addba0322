import { describe, expect, test } from 'vitest';
import { dayMs } from '../../../src/base/units.ts';
import type { StatementHash } from '../../../src/core/ids.ts';
import type { DatasetRule } from '../../../src/core/policy/policy-terms.ts';
import { LockKeeper, type LockKeeperOptions } from '../../../src/services/lock-keeper.ts';
import { collectingLog } from '../../support/collecting-log.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryLockLedger } from '../../support/memory-lock-ledger.ts';

const startMs = Date.UTC(2026, 0, 1);
const nameOf = (i: number) => String(i).padStart(64, '0') as StatementHash;

/** Snapshots 1 and 2, or more, of a dataset that was named db first. */
class Sample {
  count = 2;
  readonly locks = new MemoryLockLedger();
  rule: DatasetRule = { match: '*', lock: { mode: 'compliance', forMs: 30 * dayMs } };
  nowMs = startMs;
  readonly committed = new Set([nameOf(1)]);
  readonly asked: string[] = [];

  keeper(): LockKeeper {
    const ledger = {
      manifests: () =>
        Array.from({ length: this.count }, (_, i) => ({
          hash: nameOf(i + 1),
          statement: { writer: 'aa' },
          manifest: { dataset: 'bb', sequence: i + 1 },
        })),
      roster: { datasetOf: () => ({ name: 'renamed', ruleName: 'db' }) },
    };
    const assess = async ({ hash }: { hash: StatementHash }) => ({
      state: this.committed.has(hash) ? 'committed' : 'placed',
    });
    return new LockKeeper({
      ledger,
      view: { assess },
      locks: this.locks,
      hostClock: { latestMs: () => this.nowMs },
      ruleFor: (name: string) => {
        this.asked.push(name);
        return this.rule;
      },
      clock: new ManualClock(),
      log: collectingLog(),
    } as unknown as LockKeeperOptions);
  }
}

describe('a lock', () => {
  test('is set when a snapshot is committed, from the time of this host, and not before', async () => {
    const sample = new Sample();
    const keeper = sample.keeper();
    expect(await keeper.round()).toBe(1);
    expect(sample.locks.of(nameOf(1))).toMatchObject({
      sinceMs: startMs,
      complianceMs: startMs + 30 * dayMs,
      governanceMs: 0,
    });
    expect(sample.locks.of(nameOf(2))).toBeUndefined();
    sample.nowMs += dayMs;
    sample.committed.add(nameOf(2));
    await keeper.round();
    expect(sample.locks.of(nameOf(2))?.complianceMs).toBe(startMs + 31 * dayMs);
  });

  test('does not get shorter with the policy, and gets longer with it', async () => {
    const sample = new Sample();
    const keeper = sample.keeper();
    await keeper.round();
    sample.rule = { match: '*' };
    expect(await keeper.round()).toBe(0);
    expect(sample.locks.of(nameOf(1))?.complianceMs).toBe(startMs + 30 * dayMs);
    sample.rule = { match: '*', lock: { mode: 'governance', forMs: 90 * dayMs } };
    sample.nowMs += 5 * dayMs;
    expect(await keeper.round()).toBe(1);
    expect(sample.locks.of(nameOf(1))).toMatchObject({
      complianceMs: startMs + 30 * dayMs,
      governanceMs: startMs + 90 * dayMs,
    });
  });

  test('goes by the first name of the dataset: who renames it gets no other rule', async () => {
    const sample = new Sample();
    await sample.keeper().round();
    expect(new Set(sample.asked)).toEqual(new Set(['db']));
  });

  test('is not kept waiting by a thousand snapshots that never become complete', async () => {
    const sample = new Sample();
    sample.count = 1000;
    sample.committed.clear();
    const middle = nameOf(600);
    sample.committed.add(middle).add(nameOf(1000));
    const keeper = sample.keeper();
    await keeper.round();
    expect(sample.locks.of(nameOf(1000))).toBeDefined();
    for (let round = 0; round < 3; round++) await keeper.round();
    expect(sample.locks.of(middle)).toBeDefined();
  });

  test('waits while this host does not know the time', async () => {
    const sample = new Sample();
    sample.nowMs = 0;
    expect(await sample.keeper().round()).toBe(0);
  });
});
