import { beforeEach, expect, test } from 'vitest';
import type { AgentKey, PackId } from '../../../../src/core/ids.ts';
import { AlarmBook } from '../../../../src/services/alarm-book.ts';
import { Alarms } from '../../../../src/services/alarms.ts';
import {
  DamageWatch,
  type DamageWatchOptions,
} from '../../../../src/services/repair/damage-watch.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryKeyValue } from '../../../support/memory-key-value.ts';

const self = 'aa'.repeat(32) as AgentKey;
const other = 'bb'.repeat(32) as AgentKey;
const pack = 'cc'.repeat(32) as PackId;

/** What this host has signed for, what it holds, and what is missing, as of the last look. */
let known: { mask: number; held: number[]; isShort: boolean; isNeeded: boolean };
let failing: AgentKey[];
let alarms: Alarms;
let watch: DamageWatch;

beforeEach(async () => {
  known = { mask: 0b10, held: [1], isShort: false, isNeeded: true };
  failing = [];
  const clock = new ManualClock();
  const log = { log: () => {} };
  const book = await AlarmBook.open(new MemoryKeyValue(), log);
  alarms = new Alarms({ clock, book, log });
  watch = new DamageWatch({
    ledger: { roster: { members: () => [{ name: 'riga', agentKey: other }] } },
    judgement: () => {
      const words = new Map([[self, { mask: known.mask }]]);
      const packs = new Map(known.isNeeded ? [[pack, { words }]] : []);
      return { tasks: known.isShort ? [{ entry: { pack } }] : [], lost: [], survey: { packs } };
    },
    challenger: { isFailing: (agent: AgentKey) => failing.includes(agent) },
    store: { indexes: () => known.held },
    ...{ self, alarms, clock, log },
  } as unknown as DamageWatchOptions);
});

async function raise(kind: string, subject: string): Promise<void> {
  await alarms.raise({ kind, subject, text: '', facts: {} });
}

async function standing(): Promise<number> {
  await watch.look();
  return alarms.all().filter(({ clearedMs }) => clearedMs === undefined).length;
}

test('a damaged shard is mended when it is here again, and nothing is missing any more', async () => {
  known.held = [];
  await raise('shard-damaged', `${pack}/1`);
  expect(await standing()).toBe(1);
  known.mask = 0;
  known.isShort = true;
  expect(await standing()).toBe(1);
  known = { mask: 0b10, held: [1], isShort: false, isNeeded: true };
  expect(await standing()).toBe(0);
});

test('a damaged shard is mended when it was made anew elsewhere', async () => {
  known.held = [];
  await raise('shard-damaged', `${pack}/1`);
  known.mask = 0;
  expect(await standing()).toBe(0);
});

test('shards that were signed for and are gone are told of until nothing is missing', async () => {
  known.held = [];
  await raise('shards-gone', 'this host');
  expect(await standing()).toBe(1);
  known.mask = 0;
  known.isShort = true;
  expect(await standing()).toBe(1);
  known.isShort = false;
  expect(await standing()).toBe(0);
});

test('a wrongly encoded pack matters as long as a snapshot needs it', async () => {
  await raise('wrong-encoding', pack);
  expect(await standing()).toBe(1);
  known.isNeeded = false;
  expect(await standing()).toBe(0);
});

test('a failing peer is told of until it shows, or takes back, what it was caught without', async () => {
  failing = [other];
  await raise('peer-failing', 'riga');
  expect(await standing()).toBe(1);
  failing = [];
  expect(await standing()).toBe(0);
});
