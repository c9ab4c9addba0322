import { expect, test } from 'vitest';
import { nextTransfer, type TransferKind } from '../../../../src/core/policy/transfer-order.ts';

function next(waiting: Partial<Record<TransferKind, [bytes: number, passedBytes: number]>>) {
  const all = Object.entries(waiting).map(
    ([kind, [bytes, passedBytes]]) => [kind as TransferKind, { bytes, passedBytes }] as const,
  );
  return nextTransfer(new Map(all));
}

test('restores go before repairs, and repairs before backups', () => {
  expect(next({})).toBeUndefined();
  expect(next({ backup: [10, 0] })).toBe('backup');
  expect(next({ backup: [10, 0], repair: [10, 0] })).toBe('repair');
  expect(next({ backup: [10, 0], repair: [10, 0], restore: [10, 0] })).toBe('restore');
});

test('one byte in sixteen goes to what is less urgent, so that nothing waits for ever', () => {
  expect(next({ restore: [10, 0], backup: [10, 149] })).toBe('restore');
  expect(next({ restore: [10, 0], backup: [10, 150] })).toBe('backup');
  expect(next({ restore: [10, 0], repair: [10, 150], backup: [10, 149] })).toBe('repair');
});
