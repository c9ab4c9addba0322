import { beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { verifyConsistency } from '../../../../src/core/format/merkle-log.ts';
import { type AuditEvent, AuditLog } from '../../../../src/services/audit/audit-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryAuditStore } from '../../../support/memory-audit-store.ts';

const refusal: AuditEvent = {
  ...{ kind: 'refusal', actor: 'eve', action: 'asked for: raft', subject: '', outcome: 'refused' },
};

let store: MemoryAuditStore;
let clock: ManualClock;
let fatal: unknown[];

async function open(): Promise<AuditLog> {
  const log = { log: () => undefined };
  return AuditLog.open({ store, clock, log, onFatal: (error) => fatal.push(error) });
}

beforeEach(() => {
  store = new MemoryAuditStore();
  clock = new ManualClock();
  fatal = [];
});

describe('an audit log', () => {
  test('goes on where it ended, with the same root', async () => {
    const log = await open();
    for (let i = 0; i < 5; i++) log.note({ ...refusal, subject: String(i) });
    await log.flush();
    const again = await open();
    expect(again.size).toBe(5);
    expect(again.root).toEqual(log.root);
  });

  test('writes what came at once with one sync', async () => {
    const log = await open();
    for (let i = 0; i < 100; i++) log.note({ ...refusal, subject: String(i) });
    await log.flush();
    expect(store.appends).toBeLessThan(3);
    expect(log.size).toBe(100);
  });

  test('gathers what one peer does again and again, and counts it', async () => {
    const log = await open();
    for (let i = 0; i < 1000; i++) log.note(refusal);
    await log.flush();
    expect(log.size).toBe(1);
    await clock.advance(61_000);
    await log.flush();
    expect(await log.entries(0, 9)).toMatchObject([{ count: 1 }, { count: 999 }]);
    log.note(refusal);
    await log.flush();
    expect(log.size).toBe(3);
  });

  test('counts for a day what machines do all day long', async () => {
    const log = await open();
    const read: AuditEvent = {
      ...{ kind: 'read', actor: 'eve', action: 'read shards for repair', subject: '' },
      ...{ outcome: 'done', isRoutine: true },
    };
    for (let minute = 0; minute < 24 * 60; minute++) {
      log.note(read);
      await clock.advance(60_000);
    }
    await log.flush();
    expect(await log.entries(0, 9)).toMatchObject([{ count: 1 }, { count: 24 * 60 - 1 }]);
  });

  test('proves that it only grew', async () => {
    const log = await open();
    for (let i = 0; i < 7; i++) log.note({ ...refusal, subject: String(i) });
    await log.flush();
    const old = { oldSize: 3, oldRoot: log.rootAt(3) };
    expect(verifyConsistency({ ...old, size: 7, root: log.root, proof: log.proof(3, 7) })).toBe(
      true,
    );
  });

  test('finds an entry that somebody has changed on the disk', async () => {
    const log = await open();
    for (let i = 0; i < 4; i++) log.note({ ...refusal, subject: String(i) });
    await log.flush();
    expect(await log.changedOnDisk()).toBeUndefined();
    store.entries[2] = store.entries[1] as Uint8Array;
    expect(await log.changedOnDisk()).toBe(2);
    store.entries.length = 1;
    expect(await log.changedOnDisk()).toBe(1);
  });

  test('stops the agent when the disk has lied, and not when it is full', async () => {
    const log = await open();
    store.append = async () => {
      throw new HoldfastError('disk-full', 'no room');
    };
    log.note(refusal);
    await log.flush();
    expect(fatal).toEqual([]);
    store.append = async () => {
      throw new HoldfastError('io-error', 'the disk did not take it');
    };
    log.note({ ...refusal, subject: 'other' });
    await log.flush();
    expect(fatal).toHaveLength(1);
  });

  test('knows the newest decision that it tells of', async () => {
    const log = await open();
    const decision = { ...refusal, kind: 'decision', outcome: 'done' } as const;
    log.note({ ...decision, subject: 'entry 1/7' });
    log.note({ ...decision, subject: 'entry 1/9' });
    log.note(refusal);
    await log.flush();
    expect((await open()).lastDecision).toBe('entry 1/9');
  });
});
