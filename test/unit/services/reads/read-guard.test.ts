import { beforeEach, describe, expect, test } from 'vitest';
import { MiB } from '../../../../src/base/units.ts';
import { idOf, type PackId, type PeerKey } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import type { Alarm } from '../../../../src/services/alarms.ts';
import type { AuditEvent } from '../../../../src/services/audit/audit-log.ts';
import { ReadGuard } from '../../../../src/services/reads/read-guard.ts';
import type { ReadRight } from '../../../../src/services/reads/read-rights.ts';
import type { Caller } from '../../../../src/services/serve.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { secretOf } from '../../../support/sample-cluster.ts';

const pack = idOf<PackId>(secretOf('pack'));
const member = { agentKey: 'ab'.repeat(32), name: 'cellar' } as never;
const cellar: Caller = { peer: 'p' as PeerKey, access: 'member', member };
const kitHolder: Caller = { peer: 'k' as PeerKey, access: 'recovery' };
const plain: ReadRight = { account: 'plain', words: 'read shards', bytesMax: 100 };

let counts: Map<string, number>;
let alarms: Alarm[];
let events: AuditEvent[];
let clock: ManualClock;
let guard: ReadGuard;

beforeEach(() => {
  counts = new Map();
  alarms = [];
  events = [];
  clock = new ManualClock();
  guard = new ReadGuard({
    book: {
      bytesOf: (reader, account) => counts.get(`${reader} ${account}`) ?? 0,
      add: (reader, account, bytes) => {
        const name = `${reader} ${account}`;
        counts.set(name, (counts.get(name) ?? 0) + bytes);
      },
    },
    alarms: { raise: async (alarm) => void alarms.push(alarm) },
    audit: (event) => void events.push(event),
    clock,
    log: collectingLog(),
  });
});

const amount = (bytes: number, index = 0) => ({ pack, index, bytes, shardBytes: 1000 });

describe('a reader', () => {
  test('gets no more in a day than its right says, and people hear who wanted it', async () => {
    await guard.admit(cellar, plain, amount(60));
    await guard.admit(cellar, plain, amount(40));
    const more = guard.admit(cellar, plain, amount(1));
    await expect(more).rejects.toMatchObject({ code: 'not-permitted' });
    expect(alarms).toHaveLength(1);
    expect(alarms[0]).toMatchObject({ kind: 'bulk-read', facts: { reader: 'cellar' } });
    expect(alarms[0]?.text).toMatch(/^cellar has read shards here, 100 B within a day/);
    expect(counts.get(`${'ab'.repeat(32)} plain`)).toBe(100);
    const refused = { kind: 'refusal', actor: 'cellar', action: 'read shards', outcome: 'refused' };
    expect(events.at(-1)).toMatchObject({ ...refused, detail: '100 B within a day' });
  });

  test('hears why what it has shown does not count', async () => {
    const right = { ...plain, bytesMax: 0, objection: 'the grant is expired' };
    await expect(guard.admit(cellar, right, amount(1))).rejects.toThrow('the grant is expired');
    expect(alarms[0]?.text).toContain('the grant is expired');
  });

  test('reads a shard for repair as often as repairs of a bad day need it', async () => {
    const times = limits.repairReadsPerShardAndDay;
    const repair: ReadRight = { ...plain, account: 'repair', bytesMax: 1e9, timesPerShard: times };
    for (let i = 0; i < times; i++) await guard.admit(cellar, repair, amount(1000));
    await expect(guard.admit(cellar, repair, amount(1))).rejects.toThrow(/more than 4 times/);
    const other = { ...amount(1000), pack: idOf<PackId>(secretOf('another pack')) };
    await guard.admit(cellar, repair, other);
  });

  test('reads every shard of a pack from a host that holds several, and nobody is told', async () => {
    const repair: ReadRight = { ...plain, account: 'repair', bytesMax: 1e9, timesPerShard: 1 };
    for (const index of [0, 1, 2, 3, 4]) await guard.admit(cellar, repair, amount(1000, index));
    expect(alarms).toEqual([]);
  });

  test('is counted for a day where machines read by themselves', async () => {
    await guard.admit(cellar, { ...plain, isRoutine: true }, amount(1));
    await guard.admit(cellar, plain, amount(1));
    expect(events.map(({ isRoutine }) => isRoutine)).toEqual([true, false]);
  });

  test('is slowed down after a burst', async () => {
    const slow: ReadRight = { ...plain, bytesMax: 1e12, isSlowed: true };
    await guard.admit(cellar, slow, amount(limits.ungrantedBurst));
    let isServed = false;
    const next = guard.admit(cellar, slow, amount(8 * MiB)).then(() => {
      isServed = true;
    });
    await clock.advance(900);
    expect(isServed).toBe(false);
    await clock.advance(200);
    await next;
    expect(events.map(({ action }) => action)).toContain('read shards fast');
  });

  test('who is another one has an account of its own', async () => {
    await guard.admit(cellar, plain, amount(100));
    const attic = { agentKey: 'cd'.repeat(32), name: 'attic' } as never;
    await guard.admit({ ...cellar, member: attic }, plain, amount(100));
  });
});

test('the recovery kit is never refused, and everybody hears that it was used', async () => {
  const right: ReadRight = { account: 'kit', words: 'read with the kit', bytesMax: undefined };
  for (let i = 0; i < 3; i++) await guard.admit(kitHolder, right, amount(1e9));
  expect(new Set(alarms.map(({ kind, subject }) => `${kind} ${subject}`)).size).toBe(1);
  expect(alarms[0]).toMatchObject({ kind: 'kit-used' });
  expect(events[0]).toMatchObject({ kind: 'read', actor: 'recovery kit' });
});
