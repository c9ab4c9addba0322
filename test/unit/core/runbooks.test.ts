import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { conditionKinds } from '../../../src/agent/conditions/condition.ts';
import { type ErrorCode, errorTable } from '../../../src/core/errors.ts';
import { runbookOfAlarm, runbookOfError } from '../../../src/core/runbooks.ts';

const root = new URL('../../../', import.meta.url);

test('every page that an error names exists', () => {
  const pages = Object.keys(errorTable).flatMap((code) => runbookOfError(code as ErrorCode) ?? []);
  expect(pages.length).toBeGreaterThan(5);
  for (const page of pages) expect(existsSync(new URL(page, root)), page).toBe(true);
});

test.each([
  ...[
    'suspect-snapshot',
    'audit-tampered',
    'over-budget',
    'escrow',
    'drill-overdue',
    'drill-missed',
    'quarantined',
    ...conditionKinds,
  ],
  ...['deletion-frozen', 'false-time', 'command-refused', 'forgery', 'lost-state', 'two-histories'],
])('the alarm %s names its page', (kind) => {
  expect(existsSync(new URL(runbookOfAlarm(kind) ?? 'none', root))).toBe(true);
});
