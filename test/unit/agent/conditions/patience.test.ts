import { beforeEach, describe, expect, test } from 'vitest';
import { Patience } from '../../../../src/agent/conditions/patience.ts';

let nowMs: number;
let isTold: boolean;
let patience: Patience;

beforeEach(() => {
  [nowMs, isTold] = [0, false];
  patience = new Patience({ nowMs: () => nowMs, stands: () => isTold });
});

function isOver(isWrong: boolean | undefined): boolean {
  return patience.isOver({ kind: 'clock-wrong', subject: 'riga', isWrong, afterMs: 100 });
}

describe('trouble', () => {
  test('is told of when it was there for long enough without a break', () => {
    expect(isOver(true)).toBe(false);
    nowMs = 99;
    expect(isOver(true)).toBe(false);
    nowMs = 100;
    expect(isOver(true)).toBe(true);
    expect(isOver(false)).toBe(false);
    expect(isOver(true)).toBe(false);
  });

  test('was not there while nothing was known of it', () => {
    expect(isOver(undefined)).toBe(false);
    nowMs = 1000;
    expect(isOver(true)).toBe(false);
    nowMs = 1050;
    expect(isOver(undefined)).toBe(false);
    nowMs = 1100;
    expect(isOver(true)).toBe(false);
  });

  test('that people know of stands while nothing is known of it, and until it is well', () => {
    isTold = true;
    expect(isOver(undefined)).toBe(true);
    expect(isOver(true)).toBe(true);
    expect(isOver(false)).toBe(false);
  });

  test('of who has left begins anew when he is back', () => {
    expect(isOver(true)).toBe(false);
    patience.forgetUnseen();
    nowMs = 50;
    patience.forgetUnseen();
    nowMs = 120;
    expect(isOver(true)).toBe(false);
  });
});
