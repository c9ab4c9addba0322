import { afterEach, describe, expect, test } from 'vitest';
import type { PackEntry } from '../../../src/core/format/facts.ts';
import type { AgentKey } from '../../../src/core/ids.ts';
import type { Assignment } from '../../../src/core/policy/placement.ts';
import { Outbox } from '../../../src/services/outbox.ts';
import { readdress } from '../../../src/services/outbox-recovery.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  until,
  writtenPack,
} from '../../support/backup-site.ts';
import { expel } from '../../support/expelled-member.ts';
import { MemoryKeyValue } from '../../support/memory-key-value.ts';

let cluster: BackupCluster;

afterEach(() => cluster[Symbol.asyncDispose]());

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

function agentOf(i: number): AgentKey {
  return site(i).agent.agentKey;
}

/** What waits at the first site, by a host that has lost its index. */
async function recovered(): Promise<Outbox> {
  const { ledger, view, outboxShards, logger: log } = site(0);
  const outbox = await Outbox.open(outboxShards, new MemoryKeyValue());
  await readdress({ ledger, self: agentOf(0), view, outbox, log });
  return outbox;
}

/** Shard i (or a copy) of a pack is for site i; the last site is away. */
async function placeWithoutLast(code: { k: number; m: number }): Promise<PackEntry> {
  cluster.isolate(2);
  const pack = await writtenPack(1, code);
  const assignments = [0, 1, 2].map(
    (i): Assignment => ({ index: code.k === 1 ? 0 : i, agent: agentOf(i), site: `site-${i}` }),
  );
  await site(0).distributor.place(pack, home.id, assignments);
  return pack.entry;
}

async function backUpWithoutLast(code: { k: number; m: number }): Promise<void> {
  const pack = await placeWithoutLast(code);
  await site(0).committer.commit(await prepareManifest(site(0), [pack]));
}

describe('an outbox whose index was lost', () => {
  test.each([
    ['a coded pack', { k: 2, m: 1 }],
    ['a full copy', { k: 1, m: 0 }],
  ])('finds out for whom the shard of %s waits', async (_, code) => {
    cluster = await BackupCluster.open(3, { surviveSites: 2 });
    await backUpWithoutLast(code);
    expect(site(0).outbox.parcels(agentOf(2))).toHaveLength(1);
    const outbox = await recovered();
    expect(outbox.agents()).toEqual([agentOf(2)]);
    expect(outbox.parcels(agentOf(2))).toEqual(site(0).outbox.parcels(agentOf(2)));
  });

  test('drops what everybody holds by now', async () => {
    cluster = await BackupCluster.open(3, { surviveSites: 2 });
    await backUpWithoutLast({ k: 2, m: 1 });
    await cluster.meet();
    // Delivered and signed for; the file stays behind, as after a crash before its removal.
    const { outbox, committer, outboxShards } = site(0);
    outbox.drop = async () => {};
    await committer.finishWith(agentOf(2));
    expect(outboxShards.usage().shards).toBe(1);
    expect((await recovered()).agents()).toEqual([]);
    expect(outboxShards.usage().shards).toBe(0);
  });

  test('keeps what belongs to no snapshot that it knows', async () => {
    cluster = await BackupCluster.open(3, { surviveSites: 2 });
    await placeWithoutLast({ k: 2, m: 1 });
    expect((await recovered()).agents()).toEqual([]);
    expect(site(0).outboxShards.usage().shards).toBe(1);
  });

  test('gives no second shard to a site that holds one and has not signed for it yet', async () => {
    cluster = await BackupCluster.open(3, { surviveSites: 2 });
    const entry = await placeWithoutLast({ k: 2, m: 1 });
    cluster.isolate(1);
    const { record } = await site(0).committer.commit(await prepareManifest(site(0), [entry]));
    expect((await recovered()).agents()).toEqual([]);
    await cluster.hub.heal();
    await cluster.meet();
    cluster.isolate(2);
    await site(0).committer.finishWith(agentOf(1));
    expect(site(0).ledger.receipts(record.hash)).toHaveLength(2);
    expect((await recovered()).agents()).toEqual([agentOf(2)]);
  });

  test('does not guess which of several a site may have taken that has not signed', async () => {
    cluster = await BackupCluster.open(4, { surviveSites: 2 });
    for (const i of [2, 3]) cluster.isolate(i);
    const pack = await writtenPack(1, { k: 2, m: 2 });
    const assignments = [0, 1, 2, 3].map(
      (index): Assignment => ({ index, agent: agentOf(index), site: `site-${index}` }),
    );
    await site(0).distributor.place(pack, home.id, assignments);
    await site(0).committer.commit(await prepareManifest(site(0), [pack.entry]));
    expect((await recovered()).agents()).toEqual([]);
    expect(site(0).outboxShards.usage().shards).toBe(2);
    await cluster.meet();
    for (const i of [2, 3]) await site(i).storage.sign(newest());
    await cluster.sync();
    expect((await recovered()).agents().sort()).toEqual([agentOf(2), agentOf(3)].sort());
  });

  function newest() {
    const record = site(0).ledger.manifests().at(-1);
    if (record === undefined) throw new Error('there is a snapshot');
    return record;
  }
});

describe('what waits for a member', () => {
  /** What the first site does by itself, for a moment. */
  async function looksAfterIt(isDone: () => boolean): Promise<void> {
    const stop = new AbortController();
    const running = site(0).committer.run({ signal: stop.signal });
    try {
      await until(isDone);
    } finally {
      stop.abort();
      await running;
    }
  }

  /** Shards of the pack at the second and third site, which are away, wait at the first. */
  async function waitsForTwo(code: { k: number; m: number }): Promise<PackEntry> {
    for (const i of [1, 2]) cluster.isolate(i);
    const pack = await writtenPack(1, code);
    const assignments = Array.from(
      { length: code.k + code.m },
      (_, index): Assignment => ({ index, agent: agentOf(index), site: `site-${index}` }),
    );
    await site(0).distributor.place(pack, home.id, assignments);
    await site(0).committer.commit(await prepareManifest(site(0), [pack.entry]));
    await cluster.sync();
    return pack.entry;
  }

  test('stays while the member is only away', async () => {
    cluster = await BackupCluster.open(4, { surviveSites: 1 });
    await backUpWithoutLast({ k: 2, m: 1 });
    await looksAfterIt(() => site(0).ledger.receipts(newest()).length === 3);
    expect(site(0).outbox.agents()).toEqual([agentOf(2)]);
  });

  test('goes to a site that has nothing of the pack once the member was put out', async () => {
    cluster = await BackupCluster.open(4, { surviveSites: 1 });
    await backUpWithoutLast({ k: 2, m: 1 });
    expel(cluster, 2);
    await looksAfterIt(() => site(0).outboxShards.usage().shards === 0);
    expect(site(0).outbox.agents()).toEqual([]);
    expect(site(3).shards.store.usage().shards).toBe(1);
  });

  test('goes altogether where no site lacks it, and the pack can be rebuilt', async () => {
    cluster = await BackupCluster.open(3, { surviveSites: 1 });
    await backUpWithoutLast({ k: 2, m: 1 });
    expel(cluster, 2);
    await looksAfterIt(() => site(0).outboxShards.usage().shards === 0);
    expect(site(0).outbox.agents()).toEqual([]);
  });

  test('is kept for others where the pack could not be rebuilt without it', async () => {
    cluster = await BackupCluster.open(4, { surviveSites: 1 });
    const { pack } = await waitsForTwo({ k: 3, m: 1 });
    expel(cluster, 2);
    // Of three that it takes, two were signed for.
    await looksAfterIt(() => site(0).outbox.parcels(agentOf(2)).length === 0);
    await looksAfterIt(() => site(0).outbox.agents().length > 1 || holds(pack) > 2);
    expect(holds(pack) + site(0).outboxShards.usage().shards).toBeGreaterThanOrEqual(4);
  });

  function newest() {
    const record = site(0).ledger.manifests().at(-1);
    if (record === undefined) throw new Error('there is a snapshot');
    return record.hash;
  }

  /** Shards of the pack that lie at members that are there. */
  function holds(pack: PackEntry['pack']): number {
    return [0, 3].reduce((sum, i) => sum + site(i).shards.store.indexes(pack).length, 0);
  }
});
