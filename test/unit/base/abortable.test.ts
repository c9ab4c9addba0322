import { expect, test } from 'vitest';
import { abortable } from '../../../src/base/abortable.ts';

const never = new Promise<never>(() => {});

test('what the work has come to is handed on', async () => {
  const { signal } = new AbortController();
  expect(await abortable(Promise.resolve(1), signal)).toBe(1);
  const failure = new Error('of the work');
  await expect(abortable(Promise.reject(failure), signal)).rejects.toBe(failure);
  expect(await abortable(Promise.resolve(1), undefined)).toBe(1);
});

test('the reason of the signal ends the wait, before or while it lasts', async () => {
  const stop = new AbortController();
  const waiting = abortable(never, stop.signal);
  const reason = new Error('enough');
  stop.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(abortable(never, stop.signal)).rejects.toBe(reason);
});

test('work that is done already counts more than a signal', async () => {
  expect(await abortable(Promise.resolve(1), AbortSignal.abort())).toBe(1);
});

test('work that fails after the signal is no unhandled rejection', async () => {
  const stop = new AbortController();
  const work = Promise.withResolvers<void>();
  const waiting = abortable(work.promise, stop.signal);
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  work.reject(new Error('too late'));
  await new Promise((resolve) => setImmediate(resolve));
});
