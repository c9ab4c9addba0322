import { expect, test } from 'vitest';
import { dayMs } from '../../../../src/base/units.ts';
import { idOf, type PackId, type PeerKey } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import { RepairReads } from '../../../../src/services/repair/repair-reads.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const peer = idOf<PeerKey>(new Uint8Array(32).fill(1));
const pack = idOf<PackId>(new Uint8Array(32).fill(2));
const whole = { peer, pack, index: 0, bytes: 100, shardBytes: 100 };

test('a shard is asked for as often in a day as its holder gives it, and again the next day', async () => {
  const clock = new ManualClock();
  const reads = new RepairReads(clock);
  const times = limits.repairReadsPerShardAndDay;
  for (let i = 0; i < times; i++) expect(reads.take(whole)).toBe(true);
  expect(reads.take({ ...whole, bytes: 1 })).toBe(false);
  expect(reads.take({ ...whole, index: 1 })).toBe(true);
  await clock.advance(dayMs);
  expect(reads.take(whole)).toBe(true);
});
