import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dayMs } from '../../../src/base/units.ts';
import {
  clusterStream,
  manifestStream,
  receiptStream,
} from '../../../src/core/format/statement.ts';
import type { AgentKey } from '../../../src/core/ids.ts';
import { limits } from '../../../src/core/limits.ts';
import type { WriterBudget } from '../../../src/core/policy/policy-terms.ts';
import type { Ledger } from '../../../src/services/ledger.ts';
import {
  type OverBudget,
  readSaid,
  StatementBudget,
} from '../../../src/services/statement-budget.ts';
import { collectingLog } from '../../support/collecting-log.ts';
import { LoopHub } from '../../support/loop-network.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import {
  type SampleAgent,
  SampleCluster,
  sampleAgent,
  sampleDataset,
} from '../../support/sample-cluster.ts';
import { type SampleHost, sampleHost } from '../../support/sample-host.ts';

const bergen = sampleAgent('bergen');
const turku = sampleAgent('turku');
const firstDay = 20_000;

let hub: LoopHub;
let cluster: SampleCluster;
let clock: ManualClock;
let membership: Uint8Array[];
let hosts: SampleHost[];
let day: number;
let allowed: WriterBudget;
let over: OverBudget[];

beforeEach(() => {
  hub = new LoopHub();
  cluster = new SampleCluster();
  clock = new ManualClock();
  membership = [...cluster.admit(bergen), ...cluster.admit(turku)];
  hosts = [];
  day = firstDay;
  allowed = { statementsPerDay: 100, statementBytesPerDay: 1_000_000 };
  over = [];
});

afterEach(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]();
});

function memoryRecords() {
  const stored = new Map<string, Uint8Array>();
  return {
    read: async (name: string) => stored.get(name),
    write: async (name: string, record: Uint8Array) => void stored.set(name, record),
    remove: async (name: string) => void stored.delete(name),
    names: async () => [...stored.keys()],
  };
}

/** A host that has run on the day before. */
const yesterday = { writers: new Map(), lastDay: firstDay };

function budgetOf(ledger: Ledger, records = memoryRecords(), before = yesterday): StatementBudget {
  const options = {
    ...{ records, ledger, clock, log: collectingLog() },
    budgetFor: () => allowed,
    nowMs: () => day * dayMs,
    onOver: (one: OverBudget) => void over.push(one),
  };
  return new StatementBudget(options, before);
}

async function host(agent: SampleAgent, options: Parameters<typeof sampleHost>[1] = {}) {
  const made = await sampleHost(
    { hub, cluster, clock, agent },
    { envelopes: membership, budgetOf, ...options },
  );
  hosts.push(made);
  made.serve.start();
  return made;
}

/** The founder, whose keys somebody has, with so many statements more than it needs. */
async function talker(count: number): Promise<SampleHost> {
  const oslo = await host(cluster.founder, { envelopes: membership });
  for (let i = 0; i < count; i++) {
    const body = { kind: 'address', multiaddrs: [], version: String(i) } as const;
    const { envelope } = cluster.sign(cluster.founder.statementSecret, body);
    await oslo.ledger.ingest(envelope);
  }
  return oslo;
}

const writer = (): AgentKey => cluster.founder.agentKey;
const held = ({ ledger }: SampleHost): number =>
  ledger.head(writer(), clusterStream)?.sequence ?? 0;

async function meet(a: SampleHost, b: SampleHost): Promise<void> {
  await a.network.connect(b.network.self, b.network.addresses());
  await a.sync.withPeer(b.network.self);
}

describe('a writer that says more than its budget allows', () => {
  test('is heard up to the budget, and on the next day from there: nothing is refused for ever', async () => {
    const oslo = await talker(250);
    const member = await host(bergen);
    const before = held(member);
    await meet(member, oslo);
    expect(held(member)).toBe(before + 100);
    await member.sync.withPeer(oslo.network.self);
    expect(held(member)).toBe(before + 100);
    expect(over, 'people are told once a day').toEqual([
      { writer: writer(), day, why: '100 statements today, 100 are allowed' },
    ]);
    for (; day < firstDay + 3; day++) await member.sync.withPeer(oslo.network.self);
    expect(held(member)).toBe(held(oslo));
  });

  test('is heard by all members alike in the end, whoever they ask', async () => {
    const oslo = await talker(250);
    const [a, b] = [await host(bergen), await host(turku)];
    for (let i = 0; i < 4; i++) {
      await meet(a, oslo);
      await meet(b, a);
      day++;
    }
    expect([held(a), held(b)]).toEqual([held(oslo), held(oslo)]);
    expect(b.ledger.head(writer(), clusterStream)?.hash).toEqual(
      oslo.ledger.head(writer(), clusterStream)?.hash,
    );
  });

  test('holds up nobody else', async () => {
    const oslo = await talker(250);
    const other = await host(turku);
    const member = await host(bergen);
    await meet(member, oslo);
    for (let i = 0; i < 20; i++) {
      const body = { kind: 'address', multiaddrs: [], version: String(i) } as const;
      const { envelope } = cluster.sign(turku.statementSecret, body);
      await other.ledger.ingest(envelope);
    }
    await meet(member, other);
    expect(member.ledger.head(turku.agentKey, clusterStream)?.sequence).toBe(20);
  });

  test('waits also when its statements are few and large', async () => {
    allowed = { statementsPerDay: 1000, statementBytesPerDay: 5000 };
    const oslo = await talker(300);
    const member = await host(bergen);
    const before = held(member);
    await meet(member, oslo);
    const first = held(member);
    expect(first).toBeGreaterThan(before);
    await member.sync.withPeer(oslo.network.self);
    expect(held(member)).toBe(first);
    expect(over[0]?.why).toMatch(/statements of \d+ bytes today, 5000 are allowed/);
  });
});

describe('whoever has missed much', () => {
  test('takes at once what most others have taken', async () => {
    const lund = sampleAgent('lund');
    membership.push(...cluster.admit(lund));
    const oslo = await talker(250);
    const free = { budgetOf: () => undefined as never };
    const [a, b] = [await host(bergen, free), await host(turku, free)];
    for (const one of [a, b]) await meet(one, oslo);
    const late = await host(lund);
    await meet(late, oslo);
    const own = held(late);
    await meet(late, a);
    expect(held(late), 'one of two is not most of them').toBe(own);
    await meet(late, b);
    expect(held(late)).toBe(held(oslo));
  });

  test('takes as much as the days that it was away allow', async () => {
    const oslo = await talker(0);
    const fresh = (lastDay: number): StatementBudget => {
      const before = { writers: new Map(), lastDay };
      return budgetOf(oslo.ledger, memoryRecords(), before);
    };
    expect(fresh(firstDay).room(bergen.agentKey, clusterStream)).toBe(100);
    expect(fresh(firstDay - 10).room(bergen.agentKey, clusterStream)).toBe(1100);
    expect(fresh(firstDay - 1000).room(bergen.agentKey, clusterStream)).toBe(3200);
  });

  test('takes years at once where there is one other member only, and nobody could have counted', async () => {
    const alone = new SampleCluster();
    const ledger = (await talker(0)).ledger;
    const before = { writers: new Map(), lastDay: undefined };
    const two = { self: bergen.agentKey, manifestCount: 0, roster: ledger.roster };
    const few = { ...two, roster: { members: () => [alone.founder] } };
    const roomOf = (some: object): number =>
      budgetOf(some as Ledger, memoryRecords(), before as never).room(
        alone.founder.agentKey,
        clusterStream,
      );
    expect(roomOf(few)).toBe(40_000);
    expect(roomOf(two)).toBe(100);
  });

  test('learns all its own statements again', async () => {
    const { ledger } = await host(cluster.founder);
    const budget = budgetOf(ledger);
    budget.charge(writer(), { statements: 1000, bytes: 2_000_000 });
    expect(budget.room(writer(), clusterStream)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('what was said', () => {
  test('is known after a restart', async () => {
    const { ledger } = await host(cluster.founder);
    const records = memoryRecords();
    const budget = budgetOf(ledger, records);
    budget.charge(bergen.agentKey, { statements: 70, bytes: 10, stream: clusterStream });
    await budget.flush();
    const again = budgetOf(ledger, records, (await readSaid(records)) as typeof yesterday);
    expect(again.room(bergen.agentKey, clusterStream)).toBe(30);
  });

  test('of receipts is counted apart, and grows with the snapshots there are to sign for', () => {
    const roster = { members: () => [] };
    const ledger = { self: writer(), manifestCount: 500, roster } as unknown as Ledger;
    const budget = budgetOf(ledger);
    const charge = { statements: 100, bytes: 10, stream: manifestStream(sampleDataset('x').id) };
    budget.charge(bergen.agentKey, charge);
    expect(budget.room(bergen.agentKey, clusterStream)).toBe(0);
    expect(budget.room(bergen.agentKey, receiptStream)).toBe(2100);
  });

  test('hourly backups of 50 datasets never reach the budget that holds by default', () => {
    allowed = { statementsPerDay: 5000, statementBytesPerDay: 2 ** 30 };
    const roster = { members: () => [] };
    const budget = budgetOf({ self: writer(), manifestCount: 0, roster } as unknown as Ledger);
    for (let hour = 0; hour < 24; hour++) {
      for (let i = 0; i < 50; i++) {
        // A snapshot of 1 TiB: 64 lists of packs, all of them new.
        const bytes = 3000 + 64 * 40 * 1024;
        budget.charge(bergen.agentKey, { statements: 1, bytes: i === 0 ? bytes : 1000 });
      }
      expect(budget.room(bergen.agentKey, clusterStream)).toBeGreaterThan(0);
    }
  });
});

test('a writer has a bounded number of datasets, which all members count alike', async () => {
  const { ledger } = await host(cluster.founder);
  for (let i = 0; i <= limits.datasetsPerWriterMax; i++) {
    const body = sampleDataset(`d${i}`);
    const { envelope } = cluster.sign(cluster.founder.statementSecret, body);
    const { outcome } = await ledger.ingest(envelope);
    expect(outcome).toBe(i < limits.datasetsPerWriterMax ? 'accepted' : 'refused');
  }
});
