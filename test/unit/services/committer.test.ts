import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { PackEntry } from '../../../src/core/format/facts.ts';
import type { Assignment } from '../../../src/core/policy/placement.ts';
import type { WrittenPack } from '../../../src/services/pack-writer.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  until,
  writtenPack,
} from '../../support/backup-site.ts';

let cluster: BackupCluster;

afterEach(() => cluster[Symbol.asyncDispose]());

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

function agentOf(i: number) {
  return site(i).agent.agentKey;
}

/** Shard i to site i of all sites that hold shards. */
function place(pack: WrittenPack, sites: readonly number[]) {
  const assignments = sites.map(
    (at, i): Assignment => ({ index: i, agent: agentOf(at), site: `site-${at}` }),
  );
  return site(0).distributor.place(pack, home.id, assignments);
}

async function commit(packs: readonly PackEntry[]) {
  return site(0).committer.commit(await prepareManifest(site(0), packs));
}

/** Lets the clock go on until the work is done. */
async function finished<T>(work: Promise<T>): Promise<T> {
  let isDone = false;
  const noted = work.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await cluster.clock.advance(200);
    await setTimeout(1);
  }
  return noted;
}

/** Looking through the outbox fails so many times. */
function failAtFirst(count: number): void {
  const { outbox } = site(0);
  const unaddressed = outbox.unaddressed.bind(outbox);
  let left = count;
  outbox.unaddressed = async () => {
    if (left-- > 0) throw new HoldfastError('disk-full', 'no room');
    return unaddressed();
  };
}

describe('committing', () => {
  test('asks every storage peer, and says how safe the snapshot is then', async () => {
    cluster = await BackupCluster.open(5);
    const pack = await writtenPack(1, { k: 3, m: 2 });
    await place(pack, [0, 1, 2, 3, 4]);
    const { record, durability } = await commit([pack.entry]);
    expect(durability).toMatchObject({ state: 'committed', sitesMayFail: 2, degradedPacks: 0 });
    expect(site(0).ledger.receipts(record.hash)).toHaveLength(5);
    expect(await site(0).committer.unfinished()).toEqual([]);
    // The peers hold the manifest too, not only their word of it.
    for (let i = 1; i < 5; i++) expect(site(i).ledger.manifest(record.hash)).toBeDefined();
  });

  test('goes on without a site that is away, and says that it is not safe when too many are', async () => {
    cluster = await BackupCluster.open(5);
    cluster.isolate(4);
    const one = await writtenPack(1, { k: 3, m: 2 });
    await place(one, [0, 1, 2, 3, 4]);
    expect((await commit([one.entry])).durability).toMatchObject({
      state: 'committed',
      sitesMayFail: 1,
      degradedPacks: 1,
    });
    cluster.isolate(3);
    const two = await writtenPack(2, { k: 3, m: 2 });
    await place(two, [0, 1, 2, 3, 4]);
    expect((await commit([two.entry])).durability).toMatchObject({
      state: 'placed',
      sitesMayFail: 0,
    });
    expect(await site(0).committer.unfinished()).toHaveLength(2);
  });
});

describe('what a site has missed', () => {
  test('is delivered and signed once the site is back', async () => {
    cluster = await BackupCluster.open(3, { surviveSites: 1 });
    cluster.isolate(2);
    const pack = await writtenPack(1, { k: 2, m: 1 });
    await place(pack, [0, 1, 2]);
    const { record, durability } = await commit([pack.entry]);
    expect(durability).toMatchObject({ state: 'placed', sites: ['site-0', 'site-1'] });
    await cluster.meet();
    const { committer, view } = site(0);
    await committer.finishWith(agentOf(2));
    expect(await view.assess(record)).toMatchObject({ state: 'committed', sitesMayFail: 1 });
    expect(await committer.unfinished()).toEqual([]);
    expect(site(0).outbox.agents()).toEqual([]);
  });

  test('is asked for again when the site goes away once more', async () => {
    cluster = await BackupCluster.open(3, { surviveSites: 1 });
    cluster.isolate(2);
    const pack = await writtenPack(1, { k: 2, m: 1 });
    await place(pack, [0, 1, 2]);
    const { record } = await commit([pack.entry]);
    const { committer, view } = site(0);
    await committer.finishWith(agentOf(2));
    expect(site(0).outbox.agents()).toEqual([agentOf(2)]);
    await cluster.meet();
    site(2).onOffer = async () => cluster.isolate(2);
    await committer.finishWith(agentOf(2));
    expect(await view.assess(record)).toMatchObject({ state: 'placed' });
    site(2).onOffer = async () => {};
    await cluster.meet();
    await committer.finishWith(agentOf(2));
    expect(await view.assess(record)).toMatchObject({ state: 'committed' });
  });

  test.each([
    ['a source that stores nothing', ['source'] as const, [1, 2, 3]],
    ['a source that stores shards', ['source', 'storage'] as const, [0, 1, 2]],
  ])('although it has signed already is signed for anew, by %s', async (_, founderRoles, sites) => {
    cluster = await BackupCluster.open(4, { surviveSites: 1, founderRoles });
    const slow = sites.at(-1) as number;
    const gate = Promise.withResolvers<void>();
    site(slow).onOffer = () => gate.promise;
    const pack = await writtenPack(1, { k: 2, m: 1 });
    // Too slow with its shard, in time with its receipt, which therefore does not name the shard.
    expect(await finished(place(pack, sites))).toMatchObject({ delivered: 2, kept: 1 });
    const { record, durability } = await commit([pack.entry]);
    expect(durability).toMatchObject({ state: 'placed', degradedPacks: 1 });
    gate.resolve();
    await until(() => site(slow).shards.store.usage().shards === 1, 'late delivery');
    const { committer, view, outbox } = site(0);
    await committer.finishWith(agentOf(slow));
    expect(outbox.agents()).toEqual([]);
    expect(await view.assess(record)).toMatchObject({ state: 'committed', degradedPacks: 0 });
  });

  test('is signed for at last, although the site went away between delivery and signature', async () => {
    cluster = await BackupCluster.open(4, { surviveSites: 1, founderRoles: ['source'] });
    const gate = Promise.withResolvers<void>();
    site(3).onOffer = () => gate.promise;
    const pack = await writtenPack(1, { k: 2, m: 1 });
    await finished(place(pack, [1, 2, 3]));
    const { record } = await commit([pack.entry]);
    gate.resolve();
    await until(() => site(3).shards.store.usage().shards === 1, 'late delivery');
    const { committer, view, outbox } = site(0);
    const drop = outbox.drop.bind(outbox);
    outbox.drop = async (agent, parcel) => {
      await drop(agent, parcel);
      cluster.isolate(3);
    };
    await committer.finishWith(agentOf(3));
    expect(await view.assess(record)).toMatchObject({ state: 'placed' });
    await cluster.meet();
    await committer.finishWith(agentOf(3));
    expect(await view.assess(record)).toMatchObject({ state: 'committed', degradedPacks: 0 });
  });

  test.each([
    ['', 0],
    [' that has found the disk full at first', 1],
  ])('is delivered by the run in the background%s', async (_, failures) => {
    cluster = await BackupCluster.open(3, { surviveSites: 1 });
    cluster.isolate(2);
    const pack = await writtenPack(1, { k: 2, m: 1 });
    await place(pack, [0, 1, 2]);
    const { record } = await commit([pack.entry]);
    await cluster.meet();
    failAtFirst(failures);
    const stop = new AbortController();
    const running = site(0).committer.run({ signal: stop.signal });
    const isSigned = (): boolean => site(0).ledger.receipts(record.hash).length === 3;
    for (let i = 0; i < 200 && !isSigned(); i++) {
      await cluster.clock.advance(1_000);
      await setTimeout(1);
    }
    stop.abort(new Error('stopped'));
    await cluster.clock.advance(60_000);
    await running;
    expect(await site(0).view.assess(record)).toMatchObject({ state: 'committed' });
  });
});
