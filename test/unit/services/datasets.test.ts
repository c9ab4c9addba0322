import { randomFillSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { localMint } from '../../../src/adapters/age/epoch-mint.ts';
import { concat, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { decodeKeyRecord } from '../../../src/core/format/key-record.ts';
import { clusterStream } from '../../../src/core/format/statement.ts';
import type { FactHash } from '../../../src/core/ids.ts';
import { KeyBook } from '../../../src/core/protocol/control/key-book.ts';
import type { Sealer } from '../../../src/ports/sealer.ts';
import type { SecretStore } from '../../../src/ports/secrets.ts';
import { Datasets } from '../../../src/services/datasets.ts';
import { BackupCluster, type BackupSite, home } from '../../support/backup-site.ts';
import { MemoryKeyRecords } from '../../support/memory-key-records.ts';
import { MemoryKeyValue } from '../../support/memory-key-value.ts';

let cluster: BackupCluster;
let secrets: SecretStore & { readonly kept: Map<string, Uint8Array> };
let sealedTo: string[][];
let identities: string[];
let store: MemoryKeyValue;
let keyRecords: MemoryKeyRecords;

beforeAll(async () => {
  cluster = await BackupCluster.open(2);
});

afterAll(() => cluster[Symbol.asyncDispose]());

beforeEach(() => {
  const kept = new Map<string, Uint8Array>();
  secrets = {
    kept,
    read: async (name) => kept.get(name)?.slice(),
    write: async (name, secret) => {
      kept.set(name, secret.slice());
    },
  };
  sealedTo = [];
  identities = [];
  store = new MemoryKeyValue();
  keyRecords = new MemoryKeyRecords();
});

const sealer: Sealer = {
  generate: async () => {
    const identity = `identity ${identities.length}`;
    identities.push(identity);
    return { identity, recipient: `age1pq1${'q'.repeat(50)}${identities.length}` };
  },
  recipientOf: async (of) => of,
  seal: async (recipients, secret) => {
    sealedTo.push([...recipients]);
    return concat([utf8('sealed '), secret]);
  },
  open: async (_, sealed) => sealed.subarray(7),
};

/** Sites to which the control log has given every dataset. */
const held = new Set<number>();

function datasets(i = 0): Datasets {
  const { ledger, agent } = cluster.sites[i] as BackupSite;
  const entropy = { bytes: (count: number) => randomFillSync(new Uint8Array(count)) };
  const mint = localMint(sealer);
  const keys = () => new KeyBook(cluster.cluster.genesis);
  const self = agent.agentKey;
  const isHolder = (): boolean => held.has(i);
  return new Datasets({ ledger, self, mint, keyRecords, keys, entropy, secrets, store, isHolder });
}

describe('a new dataset', () => {
  test('is described to everybody, with its identity for the recovery kit alone', async () => {
    const { dataset, chunking } = await datasets().ensure('photos', 65_536);
    expect(dataset).toMatchObject({ name: 'photos', keyEpoch: 1, chunkAverage: 65_536 });
    expect(chunking).toMatchObject({ min: 16_384, average: 65_536, max: 262_144 });
    expect(sealedTo).toEqual([[cluster.cluster.genesis.recoveryRecipient]]);
    expect(dataset.wrappedIdentity).toHaveLength(0);
    const record = decodeKeyRecord(keyRecords.kept.get(dataset.wrap as FactHash) as Uint8Array);
    expect(record).toMatchObject({ dataset: dataset.id, epoch: 1, kitVersion: 1, recipients: [] });
    expect(record.files.map(fromUtf8)).toEqual([`sealed ${identities[0]}`]);
    const kept = [...secrets.kept.values()].map((secret) => fromUtf8(secret));
    expect(kept.join()).not.toContain('identity');
    const [source] = cluster.sites as [BackupSite];
    expect(source.ledger.roster.dataset(dataset.id).writer).toBe(source.agent.agentKey);
  });

  test('has secrets of its own, which are the same after a restart', async () => {
    const one = await datasets().ensure('mail', 65_536);
    const two = await datasets().ensure('music', 65_536);
    const again = await datasets().ensure('mail', 65_536);
    expect(again.dataset.id).toBe(one.dataset.id);
    expect(again.chunking).toEqual(one.chunking);
    expect(two.chunking.idKey).not.toEqual(one.chunking.idKey);
    expect(two.chunking.cutKey).not.toEqual(one.chunking.cutKey);
    expect([one.chunking.cutKey.length, one.chunking.idKey.length]).toEqual([40, 32]);
  });

  test('keeps its chunk sizes when asked for with others', async () => {
    await datasets().ensure('video', 65_536);
    expect((await datasets().ensure('video', 262_144)).chunking.average).toBe(65_536);
  });

  test('asked for twice at once is one dataset with one index', async () => {
    const all = datasets();
    const [one, two] = await Promise.all([
      all.ensure('twice', 65_536),
      all.ensure('twice', 65_536),
    ]);
    const [source] = cluster.sites as [BackupSite];
    const named = source.ledger.roster.datasets().filter(({ name }) => name === 'twice');
    expect(named).toHaveLength(1);
    expect(two.index).toBe(one.index);
  });
});

describe('a known dataset', () => {
  test('opened twice at once has one index: two would give the same numbers to different packs', async () => {
    await datasets().ensure('known', 65_536);
    const all = datasets();
    const [one, two] = await Promise.all([
      all.ensure('known', 65_536),
      all.ensure('known', 65_536),
    ]);
    expect(two.index).toBe(one.index);
  });

  test('of another source is not written to', async () => {
    await (cluster.sites[0] as BackupSite).ledger.append(clusterStream, home);
    await cluster.sync();
    await expect(datasets(1).ensure('home', 65_536)).rejects.toMatchObject({
      code: 'not-permitted',
      next: expect.stringContaining('--dataset'),
    });
  });

  test('of another source is gone on with by its new holder: the same id, keys of its own', async () => {
    const [source, holder] = cluster.sites as [BackupSite, BackupSite];
    const before = await datasets().ensure('moved', 65_536);
    await cluster.sync();
    held.add(1);
    const after = await datasets(1).ensure('moved', 262_144);
    held.clear();
    const { id } = before.dataset;
    expect(after.dataset).toMatchObject({ id, name: 'moved', chunkAverage: 65_536 });
    expect(after.dataset.recipient).not.toBe(before.dataset.recipient);
    expect(after.chunking.idKey).not.toEqual(before.chunking.idKey);
    const writers = holder.ledger.roster.datasets().filter((one) => one.id === id);
    expect(new Set(writers.map(({ writer }) => writer))).toEqual(
      new Set([source.agent.agentKey, holder.agent.agentKey]),
    );
  });

  test('whose secrets are gone is not written to under other ones', async () => {
    const { dataset } = await datasets().ensure('lost', 65_536);
    secrets.kept.clear();
    await expect(datasets().ensure('lost', 65_536)).rejects.toMatchObject({ code: 'key-needed' });
    await secrets.write(`dataset-${dataset.id}`, new Uint8Array(10));
    await expect(datasets().ensure('lost', 65_536)).rejects.toMatchObject({ code: 'key-needed' });
  });
});
