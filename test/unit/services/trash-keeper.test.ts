import { beforeEach, describe, expect, test } from 'vitest';
import { dayMs, GiB, hourMs } from '../../../src/base/units.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { PackId } from '../../../src/core/ids.ts';
import { limits } from '../../../src/core/limits.ts';
import { isDeletionTurn } from '../../../src/core/policy/deletion-turn.ts';
import { DeletionQuota } from '../../../src/services/deletion-quota.ts';
import { OrphanBook, readOrphans } from '../../../src/services/orphan-book.ts';
import { OrphanKeeper } from '../../../src/services/orphan-keeper.ts';
import { TrashKeeper } from '../../../src/services/trash-keeper.ts';
import { collectingLog } from '../../support/collecting-log.ts';
import { KeepingSample, packOf } from '../../support/keeping-sample.ts';
import { MemoryRecords } from '../../support/memory-records.ts';
import { startMs } from '../../support/sample-cluster.ts';

let host: KeepingSample;
let records: MemoryRecords;
let refunds: number[];
/** A shard that is here only for a full copy. */
let extra: { pack: PackId; index: number } | undefined;
let orphans: OrphanKeeper;
let keeper: TrashKeeper;

beforeEach(async () => {
  host = new KeepingSample();
  records = new MemoryRecords();
  refunds = [];
  extra = undefined;
  await restart();
});

/** The program of the host begins anew, with what is on its disk. */
async function restart(): Promise<void> {
  const log = collectingLog();
  const { ledger, facts, packUse, store, hostClock, locks, view, storage, clock } = host;
  const shared = { ledger, facts, packUse, store, hostClock, locks, view, storage, clock, log };
  const book = new OrphanBook(records, await readOrphans(records, log));
  orphans = new OrphanKeeper({ ...shared, book, ruleFor: () => ({ match: '*' }) });
  keeper = new TrashKeeper({
    ...shared,
    ...{ orphans, orphanBook: book, quota: new DeletionQuota({ records, store, log }) },
    budgets: { refund: (_writer, _dataset, size) => void refunds.push(size) },
    extras: { isExtra: (pack, index) => pack === extra?.pack && index === extra.index },
    state: () => host.state,
  });
}

/** Looks once an hour for so many days, with log time going on as well. */
async function days(count: number): Promise<void> {
  for (let hour = 0; hour < count * 24; hour += 6) {
    host.pass(6);
    await keeper.round();
  }
}

/** Snapshot 1 alone needs pack "old"; it and 2 need "both". Each is here as one shard. */
async function twoSnapshots(): Promise<void> {
  host.hold('old', { k: 2, m: 1 });
  host.hold('both', { k: 2, m: 1 });
  await host.snapshot([['old', 'both']]);
  await host.snapshot([['both']]);
  await host.snapshot([['both']]);
  await host.lock(1);
}

describe('a pack that only discarded snapshots need', () => {
  test('stays through proposal and veto, lies in the trash, and is deleted when that is over', async () => {
    await twoSnapshots();
    host.expire(1);
    expect(await keeper.round()).toMatchObject({ discarded: 0 });
    host.pass(1);
    host.pass(167);
    expect(await keeper.round()).toMatchObject({ discarded: 0 });
    host.pass(1);
    expect(await keeper.round()).toMatchObject({ discarded: 1, purged: 0 });
    expect(host.store.places()).toEqual({ held: 1, trash: 1 });
    host.pass(1);
    host.pass(167);
    await keeper.round();
    expect(host.store.places()).toEqual({ held: 1, trash: 1 });
    expect(refunds).toEqual([]);
    await days(5);
    expect(host.store.places()).toEqual({ held: 1, trash: 0 });
    expect(refunds).toHaveLength(1);
  });

  test('is given back to its budget once, whatever full copies of it were here', async () => {
    await twoSnapshots();
    host.hold('old', { k: 2, m: 1, index: 1 });
    extra = { pack: packOf('old'), index: 1 };
    host.trash(1);
    await keeper.round();
    host.empty();
    host.pass(168);
    await days(5);
    expect(host.store.places()).toEqual({ held: 1, trash: 0 });
    expect(refunds).toHaveLength(1);
  });

  test('is not given back to a budget that it was never counted in', async () => {
    await twoSnapshots();
    extra = { pack: packOf('old'), index: 0 };
    host.trash(1);
    await keeper.round();
    host.empty();
    host.pass(168);
    await days(5);
    expect(host.store.places()).toEqual({ held: 1, trash: 0 });
    expect(refunds).toEqual([]);
  });

  test('goes on where it was after each restart', async () => {
    await twoSnapshots();
    host.trash(1);
    await keeper.round();
    await restart();
    await keeper.round();
    expect(host.store.places()).toEqual({ held: 1, trash: 1 });
    host.empty();
    await restart();
    for (let hours = 0; hours < 5 * 24; hours += 6) {
      host.pass(6);
      await restart();
      await keeper.round();
    }
    expect(host.store.places()).toEqual({ held: 1, trash: 0 });
  });

  test('goes into the trash before it is deleted, also where its host was away all the time', async () => {
    await twoSnapshots();
    host.trash(1);
    host.empty();
    await days(0.25);
    expect(host.store.places()).toEqual({ held: 1, trash: 1 });
  });

  test('is deleted in the turn of its shard only, a day from any other', async () => {
    const pack = host.hold('old', { k: 2, m: 1, index: 2 });
    await host.snapshot([['old']]);
    await host.snapshot([[]]);
    await host.lock(1);
    host.trash(1);
    await keeper.round();
    host.empty();
    while (host.store.places().trash === 1) {
      const { waiting } = await keeper.round();
      const isTurn = isDeletionTurn({ pack, place: 2, of: 3 }, host.nowMs);
      expect(host.store.places().trash).toBe(isTurn ? 0 : 1);
      expect(waiting).toBe(isTurn ? 0 : 1);
      host.nowMs += hourMs;
    }
    expect(host.nowMs).toBeLessThan(startMs + 21 * dayMs);
  });

  test('is not deleted while the time here is so uncertain that the turn may be another one', async () => {
    await twoSnapshots();
    host.trash(1);
    await keeper.round();
    host.empty();
    host.hostClock.aheadMs = limits.deletionWindowMs;
    await days(6);
    expect(host.store.places().trash).toBe(1);
  });
});

describe('what keeps a pack', () => {
  test('is a lock of this host, until the very moment of its end', async () => {
    await twoSnapshots();
    host.trash(1);
    await host.lock(1, { complianceMs: host.nowMs + dayMs, governanceMs: host.nowMs });
    host.nowMs += dayMs - 1;
    expect(await keeper.round()).toMatchObject({ discarded: 0, locked: 1 });
    host.nowMs += 1;
    expect(await keeper.round()).toMatchObject({ discarded: 1, locked: 0 });
  });

  test('is a governance lock, until operators have ended it', async () => {
    await twoSnapshots();
    await host.lock(1, { governanceMs: startMs + 1000 * dayMs });
    host.trash(1);
    expect(await keeper.round()).toMatchObject({ locked: 1 });
    expect(host.say('unlock', 1)).toBe('applied');
    host.pass(1);
    host.pass(71);
    expect(await keeper.round()).toMatchObject({ locked: 1 });
    host.pass(1);
    expect(await keeper.round()).toMatchObject({ discarded: 1 });
  });

  test('is a compliance lock, whatever operators have ended', async () => {
    await twoSnapshots();
    await host.lock(1, { complianceMs: startMs + 1000 * dayMs });
    host.say('unlock', 1);
    host.pass(1);
    host.pass(72);
    host.trash(1);
    host.empty();
    expect(await keeper.round()).toMatchObject({ locked: 1, discarded: 0 });
  });

  test('is a lock that was extended while it lay in the trash', async () => {
    await twoSnapshots();
    host.trash(1);
    await keeper.round();
    await host.lock(1, { complianceMs: startMs + 60 * dayMs });
    host.empty();
    await days(5);
    expect(host.store.places().trash).toBe(1);
  });

  test('is the lock that a committed snapshot should have and this host has lost', async () => {
    host.hold('old', { k: 2, m: 1 });
    await host.snapshot([['old']]);
    await host.snapshot([[]]);
    host.trash(1);
    expect(await keeper.round()).toMatchObject({ locked: 1, discarded: 0 });
    host.committed.clear();
    expect(await keeper.round()).toMatchObject({ discarded: 1 });
  });

  test('is the lock of a discarded snapshot that may name it in a list that is lost here', async () => {
    host.hold('old', { k: 2, m: 1 });
    await host.snapshot([['old']]);
    await host.snapshot([['old', 'more']], { isListKnown: false });
    await host.snapshot([[]]);
    await host.lock(1);
    await host.lock(2, { complianceMs: startMs + 1000 * dayMs });
    host.trash(1, 2);
    expect(await keeper.round()).toMatchObject({ locked: 1, discarded: 0 });
  });

  test('is a clock that has jumped, or a time that is not known', async () => {
    await twoSnapshots();
    host.trash(1);
    host.freeze = { number: 1, reason: 'the clock has jumped', sinceMs: startMs };
    expect(await keeper.round()).toMatchObject({
      discarded: 0,
      reasons: ['nothing is deleted here: the clock has jumped'],
    });
    host.freeze = undefined;
    const { nowMs } = host;
    host.nowMs = 0;
    expect(await keeper.round()).toMatchObject({ discarded: 0 });
    host.nowMs = nowMs;
    expect(await keeper.round()).toMatchObject({ discarded: 1 });
  });

  test('is a clock that jumps while it is being deleted', async () => {
    await twoSnapshots();
    host.hold('second', { k: 2, m: 1 });
    host.records.length = 0;
    await host.snapshot([['old', 'second']]);
    await host.snapshot([[]]);
    host.trash(1);
    host.store.beforeChange = () => {
      host.freeze = { number: 1, reason: 'the clock has jumped', sinceMs: startMs };
    };
    expect(await keeper.round()).toMatchObject({ discarded: 1 });
  });

  test('is a writer that has signed two histories', async () => {
    await twoSnapshots();
    host.trash(1);
    host.forks.push({ writer: host.writer });
    const { discarded, reasons } = await keeper.round();
    expect([discarded, reasons.join()]).toEqual([0, expect.stringContaining('two histories')]);
  });

  test('is a newer snapshot that is anchored and has not arrived here', async () => {
    await twoSnapshots();
    host.trash(1);
    host.anchor(4);
    const { discarded, reasons } = await keeper.round();
    expect([discarded, reasons.join()]).toEqual([0, expect.stringContaining('not arrived here')]);
  });

  test('is the list of a live snapshot that has not arrived here', async () => {
    host.hold('old');
    await host.snapshot([['old']]);
    await host.snapshot([['old', 'more']], { isListKnown: false });
    await host.lock(1);
    await host.snapshot([[]]);
    host.trash(1);
    const { discarded, reasons } = await keeper.round();
    expect([discarded, reasons.join()]).toEqual([0, expect.stringContaining('a list of packs')]);
    await host.bringLists();
    expect(await keeper.round()).toMatchObject({ discarded: 0, reasons: [] });
  });

  test('is no full disk: what is in the trash stays as long as it would otherwise', async () => {
    await twoSnapshots();
    host.trash(1);
    host.store.freeBytes = 0;
    await keeper.round();
    host.pass(160);
    await keeper.round();
    expect(host.store.places().trash).toBe(1);
  });
});

describe('what is needed again', () => {
  test('comes back out of the trash when a live snapshot names it, and is signed for', async () => {
    await twoSnapshots();
    host.trash(1);
    await keeper.round();
    await host.snapshot([['old']]);
    expect(await keeper.round()).toMatchObject({ recovered: 1 });
    expect(host.store.places()).toEqual({ held: 2, trash: 0 });
    expect(host.signed).toContain(4);
    expect(host.signed).not.toContain(1);
  });

  test('comes back when it is undeleted, or held, or this clock is frozen', async () => {
    for (const keep of [() => host.say('undelete', 1), () => host.holdAll()]) {
      host = new KeepingSample();
      await restart();
      await twoSnapshots();
      host.trash(1);
      await keeper.round();
      expect(host.store.places().trash).toBe(1);
      keep();
      host.freeze = { number: 1, reason: 'the clock has jumped', sinceMs: startMs };
      expect(await keeper.round()).toMatchObject({ recovered: 1 });
      expect(host.store.places()).toEqual({ held: 2, trash: 0 });
    }
  });

  test('comes back also where not everything can be judged', async () => {
    await twoSnapshots();
    host.trash(1);
    await keeper.round();
    await host.snapshot([['old']]);
    host.forks.push({ writer: host.writer });
    expect(await keeper.round()).toMatchObject({ recovered: 1 });
  });

  test('is not deleted by a look that began before it was', async () => {
    await twoSnapshots();
    host.hold('second', { k: 2, m: 1 });
    host.records.length = 0;
    await host.snapshot([['old', 'second']]);
    await host.snapshot([[]]);
    await host.lock(1);
    host.trash(1);
    let changes = 0;
    host.store.beforeChange = () => {
      // In the middle of the look a snapshot arrives that needs both.
      if (changes++ === 0) void host.snapshot([['old', 'second']]);
    };
    await keeper.round();
    expect(changes).toBe(1);
    expect(await keeper.round()).toMatchObject({ recovered: 1 });
    expect(host.store.places()).toEqual({ held: 3, trash: 0 });
  });
});

describe('a disk that fails', () => {
  test('loses nothing on the way to the trash, and goes on when it is mended', async () => {
    host.hold('a', { k: 2, m: 1 });
    host.hold('b', { k: 2, m: 1 });
    await host.snapshot([['a', 'b']]);
    await host.snapshot([[]]);
    await host.lock(1);
    host.trash(1);
    let changes = 0;
    host.store.beforeChange = () => {
      if (++changes === 2) throw new HoldfastError('disk-full', 'the disk is full');
    };
    await expect(keeper.round()).rejects.toMatchObject({ code: 'disk-full' });
    expect(host.store.places()).toEqual({ held: 1, trash: 1 });
    expect(await keeper.round()).toMatchObject({ discarded: 1 });
  });

  test('is no reason not to delete what is due: that is what helps', async () => {
    await twoSnapshots();
    host.trash(1);
    await keeper.round();
    host.empty();
    records.isFull = true;
    await days(5);
    expect(host.store.places().trash).toBe(0);
  });
});

describe('a day', () => {
  test('sees no more deleted than two percent of the disk, also over a restart', async () => {
    const shard = limits.deletionBytesPerDayMin / 2;
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      host.hold(name, { k: 1, m: 0 });
      host.store.put({ pack: packOf(name), index: 0, size: shard });
    }
    // All of it at one site: every turn is its own.
    const { control } = host;
    for (const { agent, site } of control.state.members.all()) {
      if (site !== 'bergen')
        control.byOperator({ kind: 'roles', agent, add: [], remove: ['storage'] });
    }
    await host.snapshot([['a', 'b', 'c', 'd', 'e', 'f']]);
    await host.snapshot([[]]);
    await host.lock(1);
    host.trash(1);
    await keeper.round();
    host.empty();
    host.nowMs = Math.ceil(host.nowMs / dayMs) * dayMs;
    expect(await keeper.round()).toMatchObject({ purged: 2, waiting: 4 });
    await restart();
    const again = await keeper.round();
    expect(again).toMatchObject({ purged: 0, waiting: 4 });
    expect(again.reasons.join()).toContain('a day at most');
    host.nowMs += dayMs - 1;
    expect(await keeper.round()).toMatchObject({ purged: 0 });
    host.nowMs += 1;
    expect(await keeper.round()).toMatchObject({ purged: 2 });
    // A larger disk may delete more.
    host.store.freeBytes = 100 * GiB;
    expect(await keeper.round()).toMatchObject({ purged: 2 });
    expect(host.store.places()).toEqual({ held: 0, trash: 0 });
  });
});

describe('a pack that no snapshot ever named', () => {
  test('goes into the trash after thirty days, and is deleted after the trash', async () => {
    host.hold('cut', { k: 2, m: 1 });
    await orphans.round();
    await host.snapshot([[]]);
    host.nowMs += limits.orphanGraceMs - 1;
    expect(await keeper.round()).toMatchObject({ discarded: 0 });
    host.nowMs += 1;
    expect(await keeper.round()).toMatchObject({ discarded: 1 });
    await restart();
    host.nowMs += 7 * dayMs - 1;
    await keeper.round();
    expect(host.store.places()).toEqual({ held: 0, trash: 1 });
    await days(5);
    expect(host.store.places()).toEqual({ held: 0, trash: 0 });
    expect(refunds).toHaveLength(1);
    await keeper.round();
    expect(await readOrphans(records, collectingLog())).toEqual(new Map());
  });

  test('gets three times as long while its source has not finished a backup since', async () => {
    host.hold('first', { k: 2, m: 1 });
    await orphans.round();
    host.nowMs += limits.orphanSilentGraceMs - 1;
    expect(await keeper.round()).toMatchObject({ discarded: 0 });
    host.nowMs += 1;
    expect(await keeper.round()).toMatchObject({ discarded: 1 });
  });

  test('stays when a snapshot names it after all, and comes back out of the trash', async () => {
    host.hold('late', { k: 2, m: 1 });
    await orphans.round();
    await host.snapshot([[]]);
    host.nowMs += limits.orphanGraceMs;
    await keeper.round();
    expect(host.store.places().trash).toBe(1);
    await host.snapshot([['late']]);
    expect(await keeper.round()).toMatchObject({ recovered: 1 });
    host.nowMs += 100 * dayMs;
    await orphans.round();
    await days(20);
    expect(host.store.places()).toEqual({ held: 1, trash: 0 });
  });

  test('gets its grace anew when the record of it is damaged', async () => {
    host.hold('cut', { k: 2, m: 1 });
    await orphans.round();
    await host.snapshot([[]]);
    host.nowMs += limits.orphanGraceMs;
    await keeper.round();
    for (const name of records.all.keys()) records.damaged.add(name);
    await restart();
    await orphans.round();
    expect(await keeper.round()).toMatchObject({ discarded: 0, recovered: 1 });
  });

  test('stays while not every snapshot is known here', async () => {
    host.hold('cut', { k: 2, m: 1 });
    await orphans.round();
    await host.snapshot([[]]);
    host.anchor(2);
    host.nowMs += limits.orphanGraceMs;
    expect(await keeper.round()).toMatchObject({ discarded: 0 });
  });
});
