import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PackEntry } from '../../../src/core/format/facts.ts';
import { clusterStream } from '../../../src/core/format/statement.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import { BackupCluster, type BackupSite, home, signSnapshot } from '../../support/backup-site.ts';
import { samplePack } from '../../support/sample-pack.ts';

let cluster: BackupCluster;
let source: BackupSite;

beforeAll(async () => {
  cluster = await BackupCluster.open(3, { surviveSites: 1 });
  source = site(0);
});

afterAll(() => cluster[Symbol.asyncDispose]());

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

/** Signs a snapshot of one small pack, of which these sites have a copy. */
async function snapshot(seed: number, sites: readonly number[]): Promise<ManifestRecord> {
  const [{ head, bytes }] = samplePack({ seed, k: 1, m: 0, packSize: 500 }) as [
    ReturnType<typeof samplePack>[number],
  ];
  const entry: PackEntry = { pack: head.pack, k: 1, m: 0, type: 'data', size: 500 };
  for (const i of sites) {
    const writer = await site(i).shards.store.write(head);
    await writer.append(bytes);
    await writer.finish();
  }
  const record = await signSnapshot(source, [entry]);
  await cluster.sync();
  for (const i of sites) await site(i).storage.sign(record);
  await cluster.sync();
  return record;
}

async function state() {
  const [first] = await source.status.datasets();
  return first;
}

describe('a dataset', () => {
  test('that has never been backed up says so', async () => {
    await source.ledger.append(clusterStream, home);
    expect(await state()).toMatchObject({ snapshots: 0, newest: undefined, pending: undefined });
  });

  test('without a committed snapshot has the newest that can be restored, and sites that miss it', async () => {
    const record = await snapshot(1, [0]);
    const { snapshots, newest, pending } = (await state()) as NonNullable<
      Awaited<ReturnType<typeof state>>
    >;
    expect(snapshots).toBe(1);
    expect(newest).toMatchObject({
      state: 'placed',
      now: { isRecoverable: true },
      words: expect.stringMatching(/^survives no site loss; costs 1\.\d+x$/),
    });
    expect(newest?.record.hash).toBe(record.hash);
    expect(pending?.record.hash).toBe(record.hash);
    expect(pending?.durability.state).toBe('placed');
    expect(pending?.missing).toEqual(['site-1', 'site-2']);
  });

  test('is judged by its newest committed snapshot, not by a newer one that is not', async () => {
    const committed = await snapshot(2, [0, 1]);
    const newer = await snapshot(3, [2]);
    const now = await state();
    expect(now?.snapshots).toBe(3);
    expect(now?.newest?.record.hash).toBe(committed.hash);
    expect(now?.newest?.now).toMatchObject({ isRecoverable: true, sitesMayFail: 1 });
    expect(now?.pending?.record.hash).toBe(newer.hash);
  });

  test('is judged by the peers that can be reached now', async () => {
    const [before] = [await state()];
    cluster.isolate(1);
    const now = await state();
    expect(now?.newest?.record.hash).toBe(before?.newest?.record.hash);
    expect(now?.newest?.now).toMatchObject({ isRecoverable: true, sitesMayFail: 0 });
    // From a site that holds nothing, with both holders away.
    cluster.isolate(0);
    const [seen] = await site(2).status.datasets();
    expect(seen?.newest?.now).toMatchObject({ isRecoverable: false, sitesMayFail: -1 });
    await cluster.meet();
  });
});

describe('warnings', () => {
  test('are none while all is well', () => {
    expect(source.status.warnings()).toEqual([]);
    expect(source.status.words()).toMatch(/survives any 1 site/);
  });

  test('name members that cannot be reached, with the next command', async () => {
    cluster.isolate(2);
    expect(source.status.warnings()).toEqual([
      'site-2-host (site site-2) is not reachable: holdfast peer show site-2-host',
    ]);
    await cluster.meet();
  });

  test('say that there are too few sites for the policy', async () => {
    await using small = await BackupCluster.open(2, { surviveSites: 3 });
    const [warning] = small.sites[0]?.status.warnings() ?? [];
    expect(warning).toContain('survive the loss of 3 sites');
    expect(warning).toContain('2 sites with storage allow 1');
  });
});
