import { beforeEach, expect, test } from 'vitest';
import type { AgentKey } from '../../../src/core/ids.ts';
import { BackupsUnderWay } from '../../../src/services/backups-under-way.ts';

const ada = '0a'.repeat(32) as AgentKey;
const bob = '0b'.repeat(32) as AgentKey;
const leaving = new Set<AgentKey>();
let underWay: BackupsUnderWay;

beforeEach(() => {
  leaving.clear();
  const members = [ada, bob].map((agentKey) => ({ agentKey, site: agentKey }));
  underWay = new BackupsUnderWay({
    members: () => members,
    standing: { isLeaving: ({ agentKey }) => leaving.has(agentKey) },
  });
});

test('a backup that began before its host knew that somebody leaves may need it until it has ended', () => {
  const end = underWay.begin();
  leaving.add(ada);
  expect(underWay.needing([ada])).toBe(1);
  end();
  expect(underWay.needing([ada])).toBe(0);
});

test('a backup that began after that places nothing there', () => {
  leaving.add(ada);
  const end = underWay.begin();
  expect(underWay.needing([ada])).toBe(0);
  expect(underWay.needing([ada, bob])).toBe(1);
  end();
});

test('a host that does not know yet that a member leaves says so; of one that has gone there is nothing to know', () => {
  expect(underWay.knows([ada])).toBe(false);
  leaving.add(ada);
  expect(underWay.knows([ada])).toBe(true);
  expect(underWay.knows([ada, bob])).toBe(false);
  expect(underWay.knows(['0c'.repeat(32) as AgentKey])).toBe(true);
});
