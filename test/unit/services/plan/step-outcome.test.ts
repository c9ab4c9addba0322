import { expect, test } from 'vitest';
import { fromUtf8, utf8 } from '../../../../src/base/bytes.ts';
import { isPrintable } from '../../../../src/core/format/field.ts';
import { backOffMs } from '../../../../src/services/plan/back-off.ts';
import { detailText, evidenceOf } from '../../../../src/services/plan/step-outcome.ts';

test('a detail is one printable line of at most 1 KiB, whatever it was made of', () => {
  const wild = `line 1\nline 2\u001b[2J\u202e\ufeff\ud800 é${'é'.repeat(2000)}`;
  const text = detailText(wild);
  expect(text.startsWith('line 1 line 2?[2J??')).toBe(true);
  expect(isPrintable(text)).toBe(true);
  expect(utf8(text).length).toBeLessThanOrEqual(1024);
  expect(utf8(text).length).toBeGreaterThan(1020);
  expect(detailText('well')).toBe('well');
});

test('evidence keeps its fields, and as much of the end of the output as fits', () => {
  expect(fromUtf8(evidenceOf({ durationMs: 5 }, 'fine'))).toBe('{"durationMs":5,"output":"fine"}');
  expect(fromUtf8(evidenceOf({ durationMs: 5 }))).toBe('{"durationMs":5}');
  const bytes = evidenceOf({ durationMs: 5 }, `${'\u0001"'.repeat(4000)}the end`);
  expect(bytes.length).toBeLessThanOrEqual(4096);
  const { durationMs, output } = JSON.parse(fromUtf8(bytes) ?? '') as Record<string, unknown>;
  expect(durationMs).toBe(5);
  expect(String(output).endsWith('the end')).toBe(true);
});

test('pauses double from a second up to a minute', () => {
  expect([1, 2, 3, 6, 7, 8, 100].map(backOffMs)).toEqual([
    1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000,
  ]);
});
