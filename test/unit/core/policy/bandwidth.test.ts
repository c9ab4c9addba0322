import { describe, expect, test } from 'vitest';
import { careShare, limitsAt } from '../../../../src/core/policy/bandwidth.ts';
import { hoursOf, type Hours } from '../../../../src/core/policy/load-window.ts';

function at(text: string): number {
  return Date.parse(`2026-01-05T${text}:00Z`);
}

describe('limits', () => {
  const usual = { upload: 100, download: 0 };
  const windows = [
    { hours: hoursOf('08:00-12:00') as Hours, upload: 10 },
    { hours: hoursOf('11:00-18:00') as Hours, upload: 20, download: 30 },
    { hours: hoursOf('22:00-02:00') as Hours, upload: 0 },
  ];

  test('are those of the hour, and the usual ones for what it does not name', () => {
    expect(limitsAt(usual, windows, at('07:59'))).toEqual(usual);
    expect(limitsAt(usual, windows, at('08:00'))).toEqual({ upload: 10, download: 0 });
    expect(limitsAt(usual, windows, at('18:00'))).toEqual(usual);
  });

  test('of hours that overlap are those of the first that names them', () => {
    expect(limitsAt(usual, windows, at('11:30'))).toEqual({ upload: 10, download: 30 });
  });

  test('pass midnight, and may be lifted', () => {
    expect(limitsAt(usual, windows, at('23:00'))).toEqual({ upload: 0, download: 0 });
    expect(limitsAt(usual, windows, at('01:59'))).toEqual({ upload: 0, download: 0 });
  });
});

describe('care', () => {
  test('slows down with the load from where a host counts as busy, and never stops', () => {
    expect(careShare(2, 2)).toBe(1);
    expect(careShare(4, 2)).toBeCloseTo(1 / 4);
    expect(careShare(1000, 2)).toBeCloseTo(1 / 16);
  });

  test('knows no load where it shall not', () => {
    expect(careShare(1000, 0)).toBe(1);
  });
});
