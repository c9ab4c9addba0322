import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Expulsion } from '../../../src/core/protocol/control/member-book.ts';
import { ControlState } from '../../../src/core/protocol/control/control-state.ts';
import type { Alarm } from '../../../src/services/alarms.ts';
import { Farewell } from '../../../src/services/farewell.ts';
import { LoopHub } from '../../support/loop-network.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryRecords } from '../../support/memory-records.ts';
import { SampleCluster, startMs } from '../../support/sample-cluster.ts';
import { type SampleHost, sampleHost } from '../../support/sample-host.ts';
import { bergen, riga, SampleControl } from '../core/protocol/control/sample-control.ts';

/** oslo, whose log has everything, and riga, which is put out and never hears of it from the log. */
let hub: LoopHub;
let clock: ManualClock;
let cluster: SampleCluster;
let log: SampleControl;
let oslo: SampleHost;
let gone: SampleHost;
let records: MemoryRecords;
let alarms: Alarm[];
let telling: Farewell;
let told: Farewell;
const stop: AbortController[] = [];

beforeEach(async () => {
  hub = new LoopHub();
  clock = new ManualClock(startMs);
  log = SampleControl.full();
  records = new MemoryRecords();
  alarms = [];
  cluster = new SampleCluster();
  const envelopes = [bergen, riga].flatMap((agent) => cluster.admit(agent));
  const shared = { hub, cluster, clock };
  oslo = await sampleHost({ ...shared, agent: cluster.founder }, { envelopes });
  gone = await sampleHost({ ...shared, agent: riga }, { envelopes });
  telling = farewellOf(oslo, () => log.state, new MemoryRecords());
  const { genesis, id } = log.cluster;
  const before = ControlState.decode(log.state.encode(), genesis, id);
  told = farewellOf(gone, () => before, records);
  for (const host of [oslo, gone]) host.start();
  await oslo.network.connect(gone.network.self, gone.network.addresses());
});

afterEach(async () => {
  for (const one of stop.splice(0)) one.abort(new Error('over'));
  for (const host of [gone, oslo]) await host[Symbol.asyncDispose]();
});

function farewellOf(
  host: SampleHost,
  state: () => ControlState,
  promises: MemoryRecords,
): Farewell {
  const { ledger, network, peers, agent, logger } = host;
  const control = {
    self: agent.agentKey,
    get state() {
      return state();
    },
  };
  const raise = async (alarm: Alarm): Promise<void> => void alarms.push(alarm);
  const shared = { control, ledger, network, peers, promises, clock, log: logger };
  const farewell = new Farewell({ ...shared, alarms: { raise } });
  farewell.answer(host.serve);
  return farewell;
}

function expel(): Expulsion {
  const body = { kind: 'expel', agent: riga.agentKey, reason: 'stolen' } as const;
  expect(log.byOperator(body)).toBe('applied');
  oslo.ledger.roster.adoptLog(log.state);
  const { expulsion } = log.state.members.record(riga.agentKey) ?? {};
  if (expulsion === undefined) throw new Error('it was not put out');
  return expulsion;
}

async function run(farewell: Farewell): Promise<void> {
  const abort = new AbortController();
  stop.push(abort);
  void farewell.run({ signal: abort.signal });
  await clock.advance(0);
}

describe('a host that is put out', () => {
  test('hears when, why and by whom, with the signatures, before it is cut off', async () => {
    const { index, authors } = expel();
    telling.membersChanged(log.state);
    await expect.poll(() => told.own).toMatchObject({ index, reason: 'stolen', generation: 1 });
    expect(told.own?.operators).toHaveLength(authors.length);
    expect(told.own).not.toHaveProperty('toldBy');
    await expect.poll(() => gone.network.connections()).toEqual([]);
    expect(alarms).toMatchObject([{ kind: 'expelled', facts: { reason: 'stolen' } }]);
  });

  test('still knows it after a restart', async () => {
    expel();
    telling.membersChanged(log.state);
    await expect.poll(() => records.all.size).toBe(1);
    await gone[Symbol.asyncDispose]();
    cluster = new SampleCluster();
    gone = await sampleHost({ hub, cluster, clock, agent: riga });
    const again = farewellOf(gone, () => new ControlState(cluster.genesis, cluster.id), records);
    await run(again);
    await expect.poll(() => again.own).toMatchObject({ reason: 'stolen' });
  });

  test('and was away hears it when it is back, though nobody lets it in', async () => {
    const multiaddrs = gone.network.addresses();
    const address = { kind: 'address', multiaddrs, version: '1.0.0' } as const;
    await oslo.ledger.ingest(cluster.sign(riga.statementSecret, address).envelope);
    hub.isolate(gone.network.self);
    expel();
    telling.membersChanged(log.state);
    await run(telling);
    expect(told.own).toBeUndefined();
    await hub.heal();
    await clock.advance(120_000);
    await expect.poll(() => told.own).toMatchObject({ reason: 'stolen' });
    await expect.poll(() => oslo.network.connections()).toEqual([]);
  });
});

describe('somebody who says so', () => {
  const say = (evidence: readonly Uint8Array[]): Promise<unknown> => {
    const value = { evidence: [...evidence], generation: 1n, index: 7n, operators: [] };
    return oslo.peers.ask(gone.network.self, { case: 'expelled', value });
  };

  test('of another host, or without a signature that fits, is not heard', async () => {
    const about = { kind: 'expel', agent: bergen.agentKey, reason: 'x' } as const;
    const other = log.seal(about, [log.operator]);
    await expect(say([other])).rejects.toMatchObject({ code: 'not-permitted' });
    const own = log.seal({ ...about, agent: riga.agentKey }, [log.operator]);
    const changed = own.with(own.length - 1, (own.at(-1) ?? 0) ^ 1);
    await expect(say([changed])).rejects.toMatchObject({ code: 'bad-signature' });
    expect(told.own).toBeUndefined();
  });

  test('with the signatures of people whom it does not know is named, and not believed', async () => {
    const body = { kind: 'expel', agent: riga.agentKey, reason: 'x' } as const;
    await say([log.seal(body, [bergen.statementSecret])]);
    expect(told.own).toMatchObject({ toldBy: 'oslo-host', reason: 'x' });
  });

  test('and can prove it is believed after one who could not', async () => {
    const body = { kind: 'expel', agent: riga.agentKey, reason: 'x' } as const;
    await say([log.seal(body, [bergen.statementSecret])]);
    await say([log.seal({ ...body, reason: 'stolen' }, [log.operator])]);
    expect(told.own).toMatchObject({ reason: 'stolen' });
    expect(told.own).not.toHaveProperty('toldBy');
    await say([log.seal(body, [bergen.statementSecret])]);
    expect(told.own).toMatchObject({ reason: 'stolen' });
  });

  test('is heard again when it could not be written down', async () => {
    const body = { kind: 'expel', agent: riga.agentKey, reason: 'stolen' } as const;
    const word = log.seal(body, [log.operator]);
    records.isFull = true;
    await expect(say([word])).rejects.toMatchObject({ code: 'disk-full' });
    records.isFull = false;
    await say([word]);
    expect(records.all.size).toBe(1);
    expect(alarms).toMatchObject([{ kind: 'expelled' }]);
  });
});
