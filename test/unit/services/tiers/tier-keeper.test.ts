import { beforeEach, expect, test } from 'vitest';
import { hourMs } from '../../../../src/base/units.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { PackId } from '../../../../src/core/ids.ts';
import type { DatasetRule } from '../../../../src/core/policy/policy-terms.ts';
import type { Retention } from '../../../../src/ports/object-store.ts';
import type { ShardTiers } from '../../../../src/ports/shard-tiers.ts';
import { Pace } from '../../../../src/services/pace.ts';
import { TierKeeper } from '../../../../src/services/tiers/tier-keeper.ts';
import { planTiers, type TierPlanOptions } from '../../../../src/services/tiers/tier-plan.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { KeepingSample, packOf } from '../../../support/keeping-sample.ts';
import { startMs } from '../../../support/sample-cluster.ts';

const afterMs = 10 * hourMs;
const rule: DatasetRule = { match: '*', tiers: { coldAfterMs: afterMs } };

/** Remembers what was moved. */
class Tiers implements ShardTiers {
  readonly name = 'the cold store';
  readonly terms = { delayMs: 100 };
  readonly cold_ = new Set<PackId>();
  readonly retained: [PackId, Retention][] = [];
  canLock = false;
  problem: HoldfastError | undefined;
  /** Not locked by it. */
  refused: PackId | undefined;

  cold(pack: PackId): readonly number[] {
    return this.cold_.has(pack) ? [0] : [];
  }
  coldUsage(): { shards: number; bytes: number } {
    return { shards: this.cold_.size, bytes: 0 };
  }
  async look(): Promise<{ canLock: boolean; keepsVersions: boolean }> {
    if (this.problem !== undefined) throw this.problem;
    return { canLock: this.canLock, keepsVersions: false };
  }
  async freeze({ pack }: { pack: PackId }): Promise<void> {
    this.cold_.add(pack);
  }
  async thaw({ pack }: { pack: PackId }): Promise<void> {
    this.cold_.delete(pack);
  }
  async retain(pack: PackId, retention: Retention): Promise<void> {
    if (pack === this.refused) throw new HoldfastError('not-permitted', 'it is not locked');
    this.retained.push([pack, retention]);
  }
  async glance(): Promise<undefined> {}

  /** Names of the packs that are cold. */
  get names(): string {
    return ['a', 'b', 'c', 'd'].filter((name) => this.cold_.has(packOf(name))).join('');
  }
}

let host: KeepingSample;
let tiers: Tiers;
let isBusy: boolean;
let current: DatasetRule;
let ownSite: string;
/** A pack whose shards here are extra. */
let extra: PackId | undefined;

beforeEach(() => {
  host = new KeepingSample();
  tiers = new Tiers();
  isBusy = false;
  current = rule;
  ownSite = 'oslo';
  extra = undefined;
  for (const name of ['a', 'b', 'c', 'd']) host.hold(name);
});

function planning(): TierPlanOptions {
  const { facts, ledger, locks, store, packUse } = host;
  return {
    ...{ facts, ledger, locks, store, tiers },
    isDiscarded: (record) => packUse.isDiscarded(record),
    ruleFor: () => current,
    ownSite,
  };
}

function keeper(): TierKeeper {
  const { clock, store, hostClock } = host;
  return new TierKeeper({
    ...{ ...planning(), clock, store, hostClock, tiers },
    pace: new Pace(clock, () => 0),
    isBusy: () => isBusy,
    extras: { isExtra: (pack) => pack === extra },
    log: collectingLog(),
  });
}

test('what only old snapshots need is moved, and what a young one needs stays', async () => {
  await host.snapshot([['a', 'b'], ['c']]);
  await host.lock(1);
  host.pass(9);
  await keeper().round();
  expect(tiers.names).toBe('');
  host.pass(1);
  await host.snapshot([['b'], ['d']]);
  await host.locks.extend([
    { snapshot: host.hashOf(2), sinceMs: host.nowMs, complianceMs: 0, governanceMs: 0 },
  ]);
  const moving = keeper();
  await moving.round();
  expect(tiers.names).toBe('ac');
  expect(moving.state).toMatchObject({ frozen: 2, waiting: 0, problem: undefined });
});

test('the time at which this host saw it committed counts, not what its source says', async () => {
  await host.snapshot([['a']]);
  host.pass(1000);
  await keeper().round();
  expect(tiers.names).toBe('');
  await host.locks.extend([
    { snapshot: host.hashOf(1), sinceMs: host.nowMs, complianceMs: 0, governanceMs: 0 },
  ]);
  await keeper().round();
  expect(tiers.names).toBe('');
  host.pass(10);
  await keeper().round();
  expect(tiers.names).toBe('a');
});

test('what a new snapshot needs comes back, as does everything when the policy has changed', async () => {
  await host.snapshot([['a', 'b']]);
  await host.lock(1);
  host.pass(10);
  await keeper().round();
  expect(tiers.names).toBe('ab');
  await host.snapshot([['b']]);
  await keeper().round();
  expect(tiers.names).toBe('a');
  current = { match: '*' };
  const back = keeper();
  await back.round();
  expect(tiers.names).toBe('');
  expect(back.state).toMatchObject({ thawed: 1 });
});

test('nothing of a dataset is moved while one of its lists is missing', async () => {
  await host.snapshot([['a']]);
  await host.lock(1);
  await host.snapshot([['b']], { isListKnown: false });
  host.pass(10);
  const moving = keeper();
  await moving.round();
  expect(tiers.names).toBe('');
  expect(moving.state.problem).toContain('has not arrived');
  await host.bringLists();
});

test('what is hot at this site stays on its disk, however old, and what is extra is not moved', async () => {
  await host.snapshot([['a', 'b']]);
  await host.lock(1);
  host.pass(10);
  current = { match: '*', tiers: { coldAfterMs: afterMs, hot: { sites: ['oslo'] } } };
  ownSite = 'oslo';
  await keeper().round();
  expect(tiers.names).toBe('');
  ownSite = 'bergen';
  extra = packOf('a');
  const moving = keeper();
  await moving.round();
  expect(tiers.names).toBe('b');
  expect(moving.state).toMatchObject({ frozen: 1, waiting: 0 });
});

test('what was moved comes back when it becomes hot here', async () => {
  await host.snapshot([['a']]);
  await host.lock(1);
  host.pass(10);
  ownSite = 'oslo';
  await keeper().round();
  expect(tiers.names).toBe('a');
  const hot = { sites: ['oslo'], forMs: 2 * afterMs };
  current = { match: '*', tiers: { coldAfterMs: afterMs, hot } };
  await keeper().round();
  expect(tiers.names).toBe('');
  host.pass(10);
  await keeper().round();
  expect(tiers.names).toBe('a');
});

test('what is in the trash is not moved', async () => {
  await host.snapshot([['a']]);
  await host.snapshot([['b']]);
  await host.lock(1);
  await host.lock(2);
  host.trash(1);
  await keeper().round();
  expect(tiers.names).toBe('b');
});

test('a store that locks keeps each pack as long as the longest lock of its snapshots', async () => {
  tiers.canLock = true;
  await host.snapshot([['a'], ['c']]);
  await host.snapshot([['a'], ['d']]);
  const far = startMs + 1000 * hourMs;
  await host.lock(1, { governanceMs: far + 1 });
  await host.lock(2, { complianceMs: far });
  host.pass(10);
  await keeper().round();
  expect(new Map(tiers.retained)).toEqual(
    new Map([
      [packOf('a'), { mode: 'compliance', untilMs: far }],
      [packOf('c'), { mode: 'governance', untilMs: far + 1 }],
      [packOf('d'), { mode: 'compliance', untilMs: far }],
    ]),
  );
});

test('a store that is away is said, and asked again', async () => {
  await host.snapshot([['a']]);
  await host.lock(1);
  host.pass(10);
  const moving = keeper();
  tiers.problem = new HoldfastError('store-unreachable', 'it does not answer');
  await expect(moving.round()).rejects.toMatchObject({ code: 'store-unreachable' });
  expect(moving.state).toMatchObject({ problem: 'it does not answer', waiting: 1 });
  tiers.problem = undefined;
  await moving.round();
  expect(moving.state).toMatchObject({ problem: undefined, waiting: 0, frozen: 1 });
});

test('it lets backups and restores pass, unless somebody wants it now', async () => {
  await host.snapshot([['a']]);
  await host.lock(1);
  host.pass(10);
  isBusy = true;
  const moving = keeper();
  const stop = new AbortController();
  const running = moving.run({ signal: stop.signal });
  await host.clock.advance(60_000);
  expect(tiers.names).toBe('');
  isBusy = false;
  await host.clock.advance(60_000);
  expect(tiers.names).toBe('a');
  await host.snapshot([['b']]);
  await host.lock(2);
  isBusy = true;
  moving.begin();
  await host.clock.advance(0);
  expect(tiers.names).toBe('ab');
  expect(moving.state.isHurried).toBe(false);
  stop.abort();
  await running;
});

test('what is cold already takes no place among what is to be moved, and keeps its lock', async () => {
  tiers.canLock = true;
  await host.snapshot([['a', 'b', 'c']]);
  await host.lock(1, { governanceMs: startMs + 1000 * hourMs });
  host.pass(10);
  const found: number[] = [];
  for (const isCold of ['a', 'b', 'c']) {
    const { cold } = await planTiers(planning(), host.nowMs, { movesMax: 1 });
    const moving = [...cold.keys()].filter((pack) => !tiers.cold_.has(pack));
    expect(moving, isCold).toHaveLength(1);
    found.push(cold.size);
    for (const pack of moving) await tiers.freeze({ pack });
  }
  expect(found).toEqual([1, 2, 3]);
});

test('a shard that is let go while it waits for its turn does not end the round', async () => {
  await host.snapshot([['a', 'b']]);
  await host.lock(1);
  host.pass(10);
  isBusy = true;
  const moving = keeper();
  const round = moving.round();
  await host.clock.advance(0);
  await host.store.discard(packOf('a'), 0);
  isBusy = false;
  await host.clock.advance(60_000);
  await round;
  expect(tiers.names).toBe('b');
  expect(moving.state).toMatchObject({ frozen: 1, waiting: 0, problem: undefined });
});

test('a lock that the store refuses is said, and keeps no other from being set', async () => {
  tiers.canLock = true;
  await host.snapshot([['a', 'b']]);
  await host.lock(1, { complianceMs: startMs + 1000 * hourMs });
  host.pass(10);
  tiers.refused = packOf('a');
  const moving = keeper();
  await expect(moving.round()).rejects.toMatchObject({ code: 'not-permitted' });
  expect(moving.state.problem).toBe('it is not locked');
  expect(tiers.retained.map(([pack]) => pack)).toEqual([packOf('b')]);
});
