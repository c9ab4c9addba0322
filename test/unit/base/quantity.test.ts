import { expect, it } from 'vitest';
import {
  formatElapsed,
  formatSize,
  formatSpan,
  parseDuration,
  parseSize,
} from '../../../src/base/quantity.ts';

it.each([
  ['0', 0],
  ['512', 512],
  ['10k', 10_240],
  ['10 KiB', 10_240],
  ['1.5G', 1.5 * 2 ** 30],
  ['2TB', 2 * 2 ** 40],
  ['7b', 7],
  ['', undefined],
  ['-1', undefined],
  ['3q', undefined],
  ['1e3', undefined],
  ['99999999P', undefined],
])('reads the size %j as %j', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

it.each([
  ['24h', 86_400_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['2d', 172_800_000],
  ['1.5s', 1500],
  ['24', undefined],
  ['', undefined],
  ['h', undefined],
  ['1h nonsense', undefined],
  ['1y', undefined],
])('reads the duration %j as %j', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '0.98 KiB'],
  [1536, '1.50 KiB'],
  [10 * 2 ** 20, '10.0 MiB'],
  [500 * 2 ** 30, '500 GiB'],
  [1023.9 * 2 ** 20, '1.00 GiB'],
  [5 * 2 ** 60, '5120 PiB'],
])('shows %d bytes as %s', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});

it('shows running times as clocks do', () => {
  expect([0, 7400, 754_000, 3_723_000].map(formatElapsed)).toEqual([
    '0:00',
    '0:07',
    '12:34',
    '1:02:03',
  ]);
});

it('shows spans in their two largest units', () => {
  const minute = 60_000;
  const spans = [-5, 40_000, 59 * minute, 60 * minute, 200 * minute, 50 * 60 * minute];
  expect(spans.map(formatSpan)).toEqual(['0 s', '40 s', '59 min', '1 h', '3 h 20 min', '2 d 2 h']);
});
