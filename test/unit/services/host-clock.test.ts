import { beforeEach, describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../../src/base/units.ts';
import {
  HostClock,
  type HostClockOptions,
  readHostTime,
} from '../../../src/services/host-clock.ts';
import { collectingLog } from '../../support/collecting-log.ts';
import { MemoryRecords } from '../../support/memory-records.ts';
import { startMs } from '../../support/sample-cluster.ts';

let records: MemoryRecords;
let wallMs: number;
let monotonicMs: number;
let others: { site: string; nowMs: number }[];
let members: { agentKey: string; site: string }[];
let log: ReturnType<typeof collectingLog>;

beforeEach(() => {
  records = new MemoryRecords();
  [wallMs, monotonicMs] = [startMs, 0];
  members = [
    { agentKey: 'oslo', site: 'oslo' },
    { agentKey: 'riga', site: 'riga' },
    { agentKey: 'turku', site: 'turku' },
  ];
  others = [
    { site: 'riga', nowMs: startMs },
    { site: 'turku', nowMs: startMs },
  ];
  log = collectingLog();
});

/** A start of the program. */
async function start(): Promise<HostClock> {
  const member = (key: string) => members.find(({ agentKey }) => agentKey === key);
  const options = {
    ...{ records, log },
    peers: { clocks: () => others },
    ledger: { self: 'oslo', roster: { member, members: () => members } },
    clock: { nowMs: () => wallMs, monotonicMs: () => monotonicMs },
  } as unknown as HostClockOptions;
  return new HostClock(options, await readHostTime(records));
}

/** Time as it passes where nobody sets a clock. */
function pass(ms: number): void {
  wallMs += ms;
  monotonicMs += ms;
  others = others.map(({ site, nowMs }) => ({ site, nowMs: nowMs + ms }));
}

describe('the clock of a host', () => {
  test('may be set by a day either way, and freezes deletion when it is more', async () => {
    for (const sign of [1, -1]) {
      const clock = await start();
      clock.nowMs();
      wallMs += sign * dayMs;
      expect(clock.freeze).toBeUndefined();
      wallMs += sign;
      expect(clock.freeze).toBeUndefined();
      wallMs += sign * (dayMs + 1);
      expect(clock.freeze?.reason).toMatch(sign > 0 ? /jumped ahead by 1.0/ : /jumped back by 1.0/);
      wallMs = startMs;
    }
  });

  test('set ahead or back moves the time that counts not at all', async () => {
    const clock = await start();
    expect(clock.nowMs()).toBe(startMs);
    wallMs += 400 * dayMs;
    pass(hourMs);
    expect(clock.nowMs()).toBe(startMs + hourMs);
    wallMs -= 800 * dayMs;
    pass(hourMs);
    expect(clock.nowMs()).toBe(startMs + hourMs);
    expect(clock.latestMs()).toBe(startMs + 2 * hourMs);
  });

  test('freezes once: the first reason stands until somebody has looked', async () => {
    const clock = await start();
    clock.nowMs();
    wallMs += 2 * dayMs;
    const { freeze } = clock;
    wallMs -= 5 * dayMs;
    expect(clock.freeze).toEqual(freeze);
    const said = log.lines.filter(({ level }) => level === 'error');
    expect(said).toHaveLength(1);
  });

  test('that was set by minutes is told of and changes nothing', async () => {
    const clock = await start();
    clock.nowMs();
    wallMs += 6 * minuteMs;
    clock.nowMs();
    expect(log.lines.map(({ message }) => message)).toEqual(['the clock was set']);
    expect(clock.freeze).toBeUndefined();
  });
});

describe('what a host knows of the time', () => {
  test('is nothing before others have told it, and its own where there are no others', async () => {
    others = [];
    expect((await start()).nowMs()).toBeUndefined();
    members = members.slice(0, 1);
    expect((await start()).nowMs()).toBe(startMs);
  });

  test('goes on by the monotonic clock while nobody answers', async () => {
    const clock = await start();
    clock.nowMs();
    others = [];
    wallMs += 10 * hourMs;
    monotonicMs += hourMs;
    expect(clock.nowMs()).toBe(startMs + hourMs);
  });

  test('comes from other sites where there are any, not from hosts next door', async () => {
    members.push({ agentKey: 'twin', site: 'oslo' });
    wallMs += 5 * hourMs;
    others = [
      { site: 'oslo', nowMs: startMs + 5 * hourMs },
      { site: 'oslo', nowMs: startMs + 5 * hourMs },
      { site: 'riga', nowMs: startMs },
    ];
    expect((await start()).nowMs()).toBe(startMs);
    members = members.filter(({ site }) => site === 'oslo');
    others = others.filter(({ site }) => site === 'oslo');
    expect((await start()).nowMs()).toBe(startMs + 5 * hourMs);
  });

  test('is not taken back by a restart, and forgets five minutes at most', async () => {
    const clock = await start();
    await clock.step();
    pass(5 * minuteMs - 1);
    await clock.step();
    pass(1);
    await clock.step();
    pass(4 * minuteMs);
    await clock.step();
    others = [];
    const again = await start();
    expect(again.nowMs()).toBe(startMs + 5 * minuteMs);
  });

  test('freezes when the clock has gone back by more than a day over a restart', async () => {
    await (await start()).step();
    wallMs = startMs - dayMs;
    expect((await start()).freeze).toBeUndefined();
    wallMs -= 1;
    expect((await start()).freeze?.reason).toContain('gone back by 1.0 days');
  });
});

describe('a freeze', () => {
  test('lasts over restarts until an operator acknowledges this very one', async () => {
    const clock = await start();
    clock.nowMs();
    wallMs += 2 * dayMs;
    await clock.step();
    const again = await start();
    expect(again.freeze?.number).toBe(1);
    await again.thaw(0);
    expect(again.freeze?.number).toBe(1);
    await again.thaw(1);
    expect(again.freeze).toBeUndefined();
    expect((await start()).freeze).toBeUndefined();
    again.halt('its locks are damaged');
    expect(again.freeze).toMatchObject({ number: 2, reason: 'its locks are damaged' });
    await again.thaw(1);
    expect(again.freeze?.number).toBe(2);
  });

  test('follows from a damaged record of the time', async () => {
    await (await start()).step();
    records.damaged.add('time');
    expect((await start()).freeze?.reason).toContain('is damaged');
    records.damaged.clear();
    records.all.set('time', new Uint8Array([1, 2, 3]));
    expect((await start()).freeze?.reason).toContain('is damaged');
  });

  test('holds also where the disk is too full to write it down', async () => {
    const clock = await start();
    await clock.step();
    wallMs += 2 * dayMs;
    records.isFull = true;
    await expect(clock.step()).rejects.toMatchObject({ code: 'disk-full' });
    expect(clock.freeze?.number).toBe(1);
    records.isFull = false;
    await clock.step();
    expect((await start()).freeze?.number).toBe(1);
  });
});
