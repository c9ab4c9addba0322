import { randomBytes, randomFillSync } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Cancel, Clock, Entropy } from '../../ports/runtime.ts';

/** Node treats a longer delay as 1 ms. */
const timeoutMaxMs = 2 ** 31 - 1;

/** This host's time. A pending sleep keeps the process alive: whoever sleeps passes a signal to stop it. */
export function systemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep,
  };
}

async function sleep(ms: number, options: Cancel = {}): Promise<void> {
  const { signal } = options;
  signal?.throwIfAborted();
  // A timer's least is a millisecond: too much for whoever only lets others have a turn.
  if (ms <= 0) return setImmediate();
  const end = performance.now() + ms;
  for (let left = ms; left > 0; left = end - performance.now()) {
    await timeout(Math.min(left, timeoutMaxMs), signal);
  }
}

/** Node's own rejects with an error made for the occasion, which costs more than all the rest of a short sleep. */
function timeout(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The operating system's random generator. */
export function systemEntropy(): Entropy {
  return {
    bytes: (count) => Uint8Array.from(randomBytes(count)),
    // Small arrays of the usual kind lie on V8's heap, and leave copies behind when they are moved.
    secret: (count) => randomFillSync(new Uint8Array(new SharedArrayBuffer(count))),
  };
}
