import { describe, expect, test } from 'vitest';
import type { DatasetId, StatementHash } from '../../../src/core/ids.ts';
import { type SnapshotChoice, selectSnapshot } from '../../../src/services/select-snapshot.ts';

type Choice = SnapshotChoice & { readonly isDone: boolean };

function choice(start: string, given: Partial<Omit<Choice, 'id'>> = {}): Choice {
  return {
    id: start.padEnd(64, '0') as StatementHash,
    dataset: 'd1'.repeat(16) as DatasetId,
    datasetName: 'web',
    sequence: 1,
    timeMs: 1000,
    isDone: true,
    ...given,
  };
}

const mail = { dataset: 'd2'.repeat(16) as DatasetId, datasetName: 'mail' };
const isUsable = ({ isDone }: Choice): boolean => isDone;

describe('selectSnapshot', () => {
  test('an id prefix of four characters or more names its snapshot, in any case', () => {
    const choices = [choice('abcd11'), choice('abff22')];
    expect(selectSnapshot(choices, 'abcd', { isUsable }).snapshot).toBe(choices[0]);
    expect(selectSnapshot(choices, 'ABFF2', { isUsable }).snapshot).toBe(choices[1]);
    expect(selectSnapshot(choices, (choices[1] as Choice).id, { isUsable }).snapshot).toBe(
      choices[1],
    );
  });

  test('an ambiguous prefix lists what it fits', () => {
    const choices = [choice('abcd11'), choice('abcd22', mail)];
    expect(() => selectSnapshot(choices, 'abcd', { isUsable })).toThrow(
      expect.objectContaining({
        code: 'ambiguous',
        message: expect.stringMatching(/abcd110.*web.*abcd220.*mail/),
      }),
    );
    expect(selectSnapshot(choices, 'abcd', { isUsable, datasetName: 'mail' }).snapshot).toBe(
      choices[1],
    );
  });

  test.each(['', 'abc', 'newest', 'latest2', 'g'.repeat(8), 'a'.repeat(65)])(
    '%j names nothing',
    (text) => {
      expect(() => selectSnapshot([choice('abcd')], text, { isUsable })).toThrow(
        expect.objectContaining({ code: 'usage' }),
      );
    },
  );

  test('a prefix that fits nothing is not found', () => {
    expect(() => selectSnapshot([choice('abcd')], 'dddd', { isUsable })).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
    expect(() => selectSnapshot([], 'latest', { isUsable })).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
  });

  test('latest is the highest sequence of a dataset, whatever its clock said', () => {
    const choices = [
      choice('aaaa', { sequence: 3, timeMs: 10 }),
      choice('bbbb', { sequence: 2, timeMs: 9000 }),
    ];
    expect(selectSnapshot(choices, 'latest', { isUsable })).toEqual({
      snapshot: choices[0],
      notices: [],
    });
  });

  test('latest of several datasets is the newest by time, and says which dataset it is of', () => {
    const choices = [choice('aaaa', { timeMs: 50 }), choice('bbbb', { ...mail, timeMs: 60 })];
    const { snapshot, notices } = selectSnapshot(choices, 'latest', { isUsable });
    expect(snapshot).toBe(choices[1]);
    expect(notices.join()).toContain('mail');
  });

  test('latest can be asked of one dataset, by name or the start of its id', () => {
    const choices = [choice('aaaa', { timeMs: 50 }), choice('bbbb', { ...mail, timeMs: 60 })];
    for (const datasetName of ['web', 'd1d1d1']) {
      const selected = selectSnapshot(choices, 'latest', { isUsable, datasetName });
      expect(selected).toEqual({ snapshot: choices[0], notices: [] });
    }
    expect(() => selectSnapshot(choices, 'latest', { isUsable, datasetName: 'none' })).toThrow(
      expect.objectContaining({ code: 'not-found', message: expect.stringContaining('none') }),
    );
  });

  test('latest passes over a snapshot that is not complete, and says so', () => {
    const choices = [
      choice('aaaa', { sequence: 1 }),
      choice('bbbb', { sequence: 2, isDone: false, timeMs: 2000 }),
    ];
    const { snapshot, notices } = selectSnapshot(choices, 'latest', { isUsable });
    expect(snapshot).toBe(choices[0]);
    expect(notices).toEqual(['bbbb0000 is newer but not complete yet; using aaaa0000']);
  });

  test('latest of nothing but incomplete snapshots warns', () => {
    const choices = [choice('aaaa', { isDone: false })];
    const { snapshot, notices } = selectSnapshot(choices, 'latest', { isUsable });
    expect(snapshot).toBe(choices[0]);
    expect(notices).toEqual(['no snapshot is complete yet: aaaa0000 may lack data']);
  });

  test('an id names also a snapshot that is not complete', () => {
    const choices = [choice('aaaa', { isDone: false })];
    expect(selectSnapshot(choices, 'aaaa', { isUsable }).snapshot).toBe(choices[0]);
  });
});
