import { describe, expect, test } from 'vitest';
import { dayMs, hourMs } from '../../../../src/base/units.ts';
import { manifestStream } from '../../../../src/core/format/statement.ts';
import { HarmWatch, timeLie } from '../../../../src/services/audit/harm-watch.ts';
import type { Alarm } from '../../../../src/services/alarms.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import {
  SampleCluster,
  sampleAgent,
  sampleDataset,
  sampleManifest,
  startMs,
} from '../../../support/sample-cluster.ts';
import { LoopHub } from '../../../support/loop-network.ts';
import { sampleHost } from '../../../support/sample-host.ts';

const home = sampleDataset('home');
const bergen = sampleAgent('bergen');

async function bench() {
  const cluster = new SampleCluster();
  const clock = new ManualClock(startMs);
  const envelopes = cluster.admit(bergen);
  const host = await sampleHost(
    { hub: new LoopHub(), cluster, clock, agent: bergen },
    { envelopes },
  );
  const alarms: Alarm[] = [];
  const settled: [string, string[]][] = [];
  const hostClock: {
    freeze: { number: number; reason: string; sinceMs: number } | undefined;
    latestMs: () => number;
  } = {
    freeze: undefined,
    latestMs: () => clock.nowMs(),
  };
  /** What the control log says. */
  const said: { expelled: boolean; quarantines: object[] } = { expelled: false, quarantines: [] };
  const watch = new HarmWatch({
    ledger: host.ledger,
    state: () =>
      ({
        findings: { equivocations: [] },
        fates: { all: () => said.quarantines },
        members: { record: () => ({ expulsion: said.expelled ? {} : undefined }) },
      }) as never,
    hostClock,
    alarms: {
      raise: async (alarm) => void alarms.push(alarm),
      settle: async (kind, subjects) => void settled.push([kind, [...subjects]]),
    },
    nameOf: () => 'oslo',
    clock,
    log: collectingLog(),
  });
  return { cluster, clock, host, alarms, settled, hostClock, said, watch };
}

describe('people are told', () => {
  test('of snapshots that claim a time in the future, or before the one that they follow', async () => {
    const { cluster, host, alarms, watch } = await bench();
    const stop = new AbortController();
    const running = watch.run({ signal: stop.signal });
    const { statementSecret } = cluster.founder;
    await host.ledger.ingest(cluster.sign(statementSecret, home).envelope);
    let after: { sequence: number; hash: Uint8Array } | undefined;
    for (const timeMs of [startMs, startMs + hourMs, startMs - 30 * dayMs]) {
      const body = sampleManifest(home.id, after, { sourceTimeMs: timeMs });
      const { envelope, hash, statement } = cluster.sign(statementSecret, body, { timeMs });
      after = { sequence: statement.sequence, hash };
      expect(await host.ledger.ingest(envelope)).toMatchObject({ outcome: 'accepted' });
    }
    expect(alarms.map(({ kind }) => kind)).toEqual(['false-time']);
    expect(alarms[0]?.text).toContain('it lies before the snapshot that it follows');
    stop.abort();
    await running;
    await host[Symbol.asyncDispose]();
  });

  test('of two histories, and that nothing of that writer expires, until it is put out', async () => {
    const { cluster, host, alarms, settled, said, watch } = await bench();
    const { statementSecret } = cluster.founder;
    await host.ledger.ingest(cluster.sign(statementSecret, home).envelope);
    for (const tags of [['one'], ['other']]) {
      const body = sampleManifest(home.id, undefined, { tags });
      await host.ledger.ingest(cluster.sign(statementSecret, body, { after: undefined }).envelope);
    }
    await watch.look();
    expect(alarms).toMatchObject([{ kind: 'two-histories', facts: { peer: 'oslo' } }]);
    expect(alarms[0]?.text).toContain(`two statements 1 in ${manifestStream(home.id)}`);
    expect(settled).toContainEqual(['two-histories', [alarms[0]?.subject]]);
    settled.length = 0;
    said.expelled = true;
    await watch.look();
    expect(settled).toContainEqual(['two-histories', []]);
    await host[Symbol.asyncDispose]();
  });

  test('of a quarantine, until operators have ended it', async () => {
    const { alarms, settled, said, watch, host } = await bench();
    const quarantine = { sequence: 4, reason: 'over the budget' };
    said.quarantines.push({ writer: bergen.agentKey, dataset: home.id, quarantine });
    await watch.look();
    expect(alarms).toMatchObject([{ kind: 'quarantined' }]);
    expect(alarms[0]?.text).toContain('is in quarantine: over the budget');
    expect(settled).toContainEqual(['quarantined', [alarms[0]?.subject]]);
    settled.length = 0;
    said.quarantines.length = 0;
    await watch.look();
    expect(settled).toContainEqual(['quarantined', []]);
    await host[Symbol.asyncDispose]();
  });

  test('of a host that deletes nothing', async () => {
    const { alarms, settled, hostClock, watch, host } = await bench();
    hostClock.freeze = { number: 2, reason: 'the clock jumped', sinceMs: 1 };
    await watch.look();
    expect(alarms).toMatchObject([{ kind: 'deletion-frozen', subject: '2' }]);
    expect(settled).toContainEqual(['deletion-frozen', ['2']]);
    settled.length = 0;
    hostClock.freeze = undefined;
    await watch.look();
    expect(settled).toContainEqual(['deletion-frozen', []]);
    await host[Symbol.asyncDispose]();
  });
});

describe('a time that a snapshot claims', () => {
  const nowMs = 100 * dayMs;
  const at = (timeMs: number, sourceTimeMs = timeMs) => ({ timeMs, sourceTimeMs });
  const last = (timeMs: number) => ({ statement: { timeMs } }) as never;

  test.each([
    ['now', at(nowMs), last(nowMs - hourMs), undefined],
    [
      'of a host that was away for weeks',
      at(nowMs - 30 * dayMs),
      last(nowMs - 31 * dayMs),
      undefined,
    ],
    ['of a clock that is some hours off', at(nowMs + 5 * hourMs), last(nowMs), undefined],
    ['of next week', at(nowMs + 7 * dayMs), undefined, 'it lies in the future'],
    ['of next week, in small', at(nowMs, nowMs + 7 * dayMs), undefined, 'it lies in the future'],
    ['of last year', at(nowMs, nowMs - 365 * dayMs), undefined, 'it contradicts itself'],
    ['before the last', at(10 * dayMs), last(nowMs), 'it lies before the snapshot that it follows'],
  ])('%s', (_, claimed, previous, lie) => {
    expect(timeLie(claimed, previous, nowMs)).toBe(lie);
  });
});
