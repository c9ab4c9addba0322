import { expect, test } from 'vitest';
import { decodeRequest, encodeRequest } from '../../../src/core/format/exchange.ts';
import { newTraceId, traceBytes, traceFrom } from '../../../src/core/trace-id.ts';

const now = { nowMs: 1_700_000_000_000, monotonicMs: 5 };

test('a backup or restore has an id of its own, as long as those of W3C Trace Context', () => {
  const trace = newTraceId('oslo web', now);
  expect(trace).toMatch(/^[0-9a-f]{32}$/);
  expect(newTraceId('oslo web', now)).toBe(trace);
  expect(newTraceId('riga web', now)).not.toBe(trace);
  expect(newTraceId('oslo web', { ...now, monotonicMs: 6 })).not.toBe(trace);
});

test('peers are told of it with what is asked; anything that is no such id counts as none', () => {
  const trace = newTraceId('oslo web', now);
  const ask = (bytes: Uint8Array) =>
    decodeRequest(encodeRequest({ body: { case: 'heads', value: {} }, trace: bytes })).trace;
  expect(traceFrom(ask(traceBytes(trace)))).toBe(trace);
  expect(traceFrom(ask(traceBytes(undefined)))).toBeUndefined();
  for (const size of [1, 15, 17, 4096]) {
    expect(traceFrom(ask(new Uint8Array(size))), `${size} bytes`).toBeUndefined();
  }
});
