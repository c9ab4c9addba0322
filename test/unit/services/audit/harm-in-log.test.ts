import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ControlBody } from '../../../../src/core/format/control-records.ts';
import { HarmWatch } from '../../../../src/services/audit/harm-watch.ts';
import { AlarmBook } from '../../../../src/services/alarm-book.ts';
import { Alarms } from '../../../../src/services/alarms.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ControlGroup } from '../../../support/control-group.ts';
import { MemoryKeyValue } from '../../../support/memory-key-value.ts';
import { sampleDataset, sampleManifest } from '../../../support/sample-cluster.ts';

const home = sampleDataset('home');

/** Two members, the first of which decides alone, and what people are told there. */
let group: ControlGroup;
let watch: HarmWatch;
let alarms: Alarms;

beforeEach(async () => {
  group = new ControlGroup(2);
  await group.start(0);
  const { control, host } = group.at(0);
  await group.until(() => control.state.members.all().length === 2, 'both are known');
  const parts = { clock: group.clock, log: collectingLog() };
  alarms = new Alarms({
    ...parts,
    book: await AlarmBook.open(new MemoryKeyValue(), parts.log),
  });
  watch = new HarmWatch({
    ...{ ...parts, alarms, ledger: host.ledger, state: () => control.state },
    hostClock: { freeze: undefined, latestMs: () => group.clock.nowMs() },
    nameOf: (agent) => host.ledger.roster.member(agent)?.name ?? '',
  });
});

afterEach(() => group[Symbol.asyncDispose]());

async function standing(): Promise<string[]> {
  await watch.look();
  return alarms
    .all()
    .filter(({ clearedMs }) => clearedMs === undefined)
    .map(({ kind, text }) => `${kind}: ${text}`);
}

async function decide(body: ControlBody): Promise<void> {
  const { operatorSecret } = group.cluster;
  const { control } = group.at(0);
  const work = control.submit(body, { extraSecrets: [operatorSecret] });
  expect(await group.finished(work)).toMatchObject({ outcome: 'applied' });
}

test('a quarantine that a member has called for is told of until operators end it', async () => {
  const { ledger } = group.at(0).host;
  const writer = group.keyOf(1);
  const { statementSecret } = group.agents[1] ?? {};
  if (statementSecret === undefined) throw new Error('there is one member');
  await ledger.ingest(group.cluster.sign(statementSecret, home).envelope);
  expect(await standing()).toEqual([]);
  const reason = 'its budget is 1 KiB a day';
  await group.finished(
    group
      .at(0)
      .control.submit({ kind: 'quarantine', dataset: home.id, writer, sequence: 1, reason }),
  );
  expect(await standing()).toEqual([
    expect.stringMatching(
      /^quarantined: home of site-1-host is in quarantine: its budget is 1 KiB/,
    ),
  ]);
  await decide({ kind: 'clear-quarantine', dataset: home.id, writer });
  expect(await standing()).toEqual([]);
});

test('two histories are told of until operators put their writer out', async () => {
  const { ledger } = group.at(0).host;
  const { statementSecret } = group.agents[1] ?? {};
  if (statementSecret === undefined) throw new Error('there is one member');
  await ledger.ingest(group.cluster.sign(statementSecret, home).envelope);
  for (const tags of [['one'], ['other']]) {
    const body = sampleManifest(home.id, undefined, { tags });
    const { envelope } = group.cluster.sign(statementSecret, body, { after: undefined });
    await ledger.ingest(envelope);
  }
  expect(await standing()).toEqual([
    expect.stringMatching(/^two-histories: site-1-host has signed two histories/),
  ]);
  await decide({ kind: 'expel', agent: group.keyOf(1), reason: 'a clone' });
  expect(await standing()).toEqual([]);
});
