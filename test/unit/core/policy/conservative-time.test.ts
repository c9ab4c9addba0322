import { describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../../../src/base/units.ts';
import {
  type HostTime,
  latestTime,
  observeTime,
  type TimeInput,
  thaw,
  unknownTime,
} from '../../../../src/core/policy/conservative-time.ts';

const startMs = Date.UTC(2026, 0, 1);
const year = 365 * dayMs;

/** `own`, `others`: milliseconds by which clocks are off; `after`: of true time. */
function at(after: number, own: number, others: readonly number[], hasOthers = true): TimeInput {
  return {
    reading: { wallMs: startMs + after + own, monotonicMs: after },
    peers: others.map((off, i) => ({ site: `site-${i}`, nowMs: startMs + after + off })),
    hasOthers,
  };
}

function follow(inputs: readonly TimeInput[], from: HostTime = unknownTime): HostTime {
  return inputs.reduce(observeTime, from);
}

const knownMs = (time: HostTime): number => time.floorMs - startMs;

describe('conservative time', () => {
  test('is that of a host whose clock agrees with the others', () => {
    expect(knownMs(follow([at(hourMs, 0, [1, -1])]))).toBe(hourMs - 1);
  });

  test('does not follow a clock that is ten years ahead', () => {
    const time = follow([at(hourMs, 10 * year, [0, 0, 5])]);
    expect(knownMs(time)).toBe(hourMs);
    expect(latestTime(time, at(hourMs, 10 * year, [0, 0, 5])) - startMs).toBe(hourMs);
  });

  test('does not follow fewer than half of the other sites, however many hosts they have', () => {
    const { reading, hasOthers } = at(hourMs, 10 * year, []);
    const lying = Array.from({ length: 9 }, () => ({ site: 'bad', nowMs: startMs + 10 * year }));
    const honest = ['a', 'b'].map((site) => ({ site, nowMs: startMs + hourMs }));
    const time = observeTime(unknownTime, { reading, hasOthers, peers: [...lying, ...honest] });
    expect(knownMs(time)).toBe(hourMs);
  });

  test('stands still for a clock a year behind, and nothing that begins is cut short by it', () => {
    const known = follow([at(0, 0, [0, 0])]);
    const time = follow([at(hourMs, -year, [0, 0])], { ...known, lastReading: undefined });
    expect(knownMs(time)).toBe(0);
    expect(latestTime(time, at(hourMs, -year, [0, 0])) - startMs).toBe(hourMs);
    expect(time.freeze?.reason).toContain('gone back by 365');
  });

  test('goes on by the monotonic clock while nobody answers, whatever the own clock says', () => {
    const time = follow([at(0, 0, [0, 0]), at(hourMs, 12 * hourMs, [])]);
    expect(knownMs(time)).toBe(hourMs);
    expect(time.freeze).toBeUndefined();
  });

  test('is not known before anybody elsewhere has answered', () => {
    expect(follow([at(hourMs, 0, [])]).floorMs).toBe(0);
    expect(follow([at(hourMs, 0, [], false)]).floorMs).toBe(startMs + hourMs);
  });

  test('never falls, also when all clocks are set back', () => {
    const time = follow([at(2 * hourMs, 0, [0, 0]), at(2 * hourMs, -hourMs, [-hourMs, -hourMs])]);
    expect(knownMs(time)).toBe(2 * hourMs);
  });
});

describe('a freeze', () => {
  test('begins when the clock jumps by 25 hours, either way, and not by 23', () => {
    const begin = at(0, 0, [0]);
    const jumped = (off: number): HostTime => follow([begin, at(minuteMs, off, [0])]);
    expect(jumped(25 * hourMs).freeze?.reason).toContain('jumped ahead by 1.0 days');
    expect(jumped(-25 * hourMs).freeze?.reason).toContain('jumped back');
    expect(jumped(23 * hourMs).freeze).toBeUndefined();
  });

  test('is not begun by eight hours of sleep, nor by a leap second', () => {
    const asleep = { ...at(8 * hourMs, 0, [0]) };
    const reading = { ...asleep.reading, monotonicMs: minuteMs };
    expect(follow([at(0, 0, [0]), { ...asleep, reading }]).freeze).toBeUndefined();
    expect(follow([at(0, 0, [0]), at(minuteMs, 1000, [0])]).freeze).toBeUndefined();
  });

  test('stays until it is acknowledged by its own number, and the next one is another', () => {
    const frozen = follow([at(0, 0, [0]), at(1, 25 * hourMs, [0]), at(2, 25 * hourMs, [0])]);
    expect(frozen.freeze?.number).toBe(1);
    expect(thaw(frozen, 0).freeze).toBeDefined();
    const thawed = thaw(frozen, 1);
    expect(thawed.freeze).toBeUndefined();
    const again = follow([at(3, 0, [0])], thawed);
    expect(again.freeze?.number).toBe(2);
    expect(thaw(again, 1).freeze).toBeDefined();
  });
});
