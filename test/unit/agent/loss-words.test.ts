import { expect, test } from 'vitest';
import { lossWords } from '../../../src/agent/loss-words.ts';

const facts = {
  ...{ name: 'db', id: '01', source: 'ams1', isSourceLost: false, snapshots: 3 },
  ...{ packs: 5, lostPacks: 0, shards: 2, writtenBytes: 10, readBytes: 30 },
};

test('a forecast says what is lost, and how many more sites may fail', () => {
  expect(lossWords({ ...facts, lostSnapshots: 0, sitesMayFail: 1 })).toBe(
    'survives; until repaired, any 1 more site may fail',
  );
  expect(lossWords({ ...facts, lostSnapshots: 1, sitesMayFail: 0 })).toBe(
    '1 of 3 snapshots would be lost, the others survive; until repaired, no other site may fail',
  );
  expect(lossWords({ ...facts, lostSnapshots: 3, lostPacks: 5 })).toBe(
    'lost: no snapshot could be restored',
  );
});
