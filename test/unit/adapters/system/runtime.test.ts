import { describe, expect, test } from 'vitest';
import { systemClock, systemEntropy } from '../../../../src/adapters/system/runtime.ts';

describe('the system clock', () => {
  const clock = systemClock();

  test('a sleep takes at least its time', async () => {
    const start = clock.monotonicMs();
    await clock.sleep(20);
    expect(clock.monotonicMs() - start).toBeGreaterThanOrEqual(20);
  });

  test('a sleep ends at once with the reason of its signal', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const sleep = clock.sleep(60_000, { signal: controller.signal });
    controller.abort(reason);
    await expect(sleep).rejects.toBe(reason);
    await expect(clock.sleep(0, { signal: controller.signal })).rejects.toBe(reason);
  });

  test('a sleep longer than a timer can be does not end at once', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    let isAsleep = true;
    const sleep = clock.sleep(2 ** 32, { signal: controller.signal }).finally(() => {
      isAsleep = false;
    });
    await clock.sleep(20);
    expect(isAsleep).toBe(true);
    controller.abort(reason);
    await expect(sleep).rejects.toBe(reason);
  });

  test('a sleep of no time lets whoever is ready go first', async () => {
    const order: string[] = [];
    const others = new Promise<void>((resolve) => {
      setImmediate(() => {
        order.push('others');
        resolve();
      });
    });
    await clock.sleep(0);
    order.push('sleeper');
    await others;
    expect(order).toEqual(['others', 'sleeper']);
  });

  test('wall time counts milliseconds since 1970', () => {
    expect(Math.abs(clock.nowMs() - Date.now())).toBeLessThan(1000);
  });
});

describe('the system entropy', () => {
  test('bytes are plain, of the count asked for, and differ', () => {
    const entropy = systemEntropy();
    const [a, b] = [entropy.bytes(32), entropy.bytes(32)];
    expect(Object.getPrototypeOf(a)).toBe(Uint8Array.prototype);
    expect(a).toHaveLength(32);
    expect(a).not.toEqual(b);
    expect(entropy.bytes(0)).toEqual(new Uint8Array());
  });
});
