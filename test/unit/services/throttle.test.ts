import { beforeEach, describe, expect, test } from 'vitest';
import type { TransferKind } from '../../../src/core/policy/transfer-order.ts';
import { Throttle } from '../../../src/services/throttle.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let clock: ManualClock;
let rate: number;
let throttle: Throttle;

beforeEach(() => {
  clock = new ManualClock();
  rate = 1000;
  throttle = new Throttle(clock, () => rate);
});

/** Takes again and again until told to stop; counts what it got. */
function taker(kind: TransferKind, bytes: number): { got: number; stop: AbortController } {
  const state = { got: 0, stop: new AbortController() };
  const work = async (): Promise<void> => {
    for (;;) {
      await throttle.take(kind, bytes, { signal: state.stop.signal });
      state.got += bytes;
    }
  };
  work().catch(() => undefined);
  return state;
}

describe('under a limit', () => {
  test('several transfers together keep to it within a tenth', async () => {
    const takers = [1, 2, 3].map(() => taker('backup', 100));
    await clock.advance(20_000);
    const sum = takers.reduce((all, { got }) => all + got, 0);
    expect(sum).toBeGreaterThan(18_000);
    expect(sum).toBeLessThan(22_000);
    for (const { got } of takers) expect(got).toBeGreaterThan(5000);
    for (const { stop } of takers) stop.abort(new Error('done'));
  });

  test('a restore gets nearly all, and a backup beside it still moves', async () => {
    const [restore, backup] = [taker('restore', 100), taker('backup', 100)];
    await clock.advance(20_000);
    expect(restore.got / (restore.got + backup.got)).toBeGreaterThan(0.9);
    expect(backup.got).toBeGreaterThan(500);
    for (const { stop } of [restore, backup]) stop.abort(new Error('done'));
  });

  test('messages pass at once, and what they took is missing to the others', async () => {
    const backup = taker('backup', 100);
    for (let second = 0; second < 20; second++) {
      throttle.charge(500);
      await clock.advance(1000);
    }
    expect(backup.got).toBeGreaterThan(8500);
    expect(backup.got).toBeLessThan(11_500);
    expect(throttle.moved).toMatchObject({ backup: backup.got, messages: 10_000 });
    backup.stop.abort(new Error('done'));
  });

  test('what was taken and not moved is there for the next', async () => {
    await clock.advance(1000);
    await throttle.take('backup', 5000);
    throttle.giveBack('backup', 5000);
    let isThrough = false;
    void throttle.take('backup', 1).then(() => {
      isThrough = true;
    });
    await clock.advance(0);
    expect(isThrough).toBe(true);
    expect(throttle.moved.backup).toBe(1);
  });

  test('a signal ends the wait, and nobody waits for who has left', async () => {
    await clock.advance(1000);
    await throttle.take('restore', 5000);
    const stop = new AbortController();
    const gone = throttle.take('restore', 1_000_000, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(gone).rejects.toThrow('enough');
    const backup = throttle.take('backup', 1);
    await clock.advance(6000);
    await backup;
  });
});

describe('a limit that changes', () => {
  test('counts for those who wait already', async () => {
    await clock.advance(1000);
    await throttle.take('backup', 1e9);
    let isThrough = false;
    const next = throttle.take('backup', 1).then(() => {
      isThrough = true;
    });
    await clock.advance(60_000);
    expect(isThrough).toBe(false);
    rate = 0;
    await clock.advance(300);
    await next;
  });

  test('of none lets everything through', async () => {
    rate = 0;
    for (let i = 0; i < 100; i++) await throttle.take('backup', 1e9);
    expect(throttle.moved.backup).toBe(1e11);
  });
});
