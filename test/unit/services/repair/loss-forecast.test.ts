import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { minuteMs } from '../../../../src/base/units.ts';
import { shardSizeOf } from '../../../../src/core/format/shard.ts';
import type { AgentKey } from '../../../../src/core/ids.ts';
import type { WrittenPack } from '../../../../src/services/pack-writer.ts';
import { type DatasetForecast, forecastOf } from '../../../../src/services/repair/loss-forecast.ts';
import { RepairView } from '../../../../src/services/repair/repair-view.ts';
import { everybodyStays } from '../../../../src/services/standing.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  writtenPack,
} from '../../../support/backup-site.ts';

let cluster: BackupCluster;
let view: RepairView;

beforeEach(async () => {
  cluster = await BackupCluster.open(6, { surviveSites: 2 });
  const { ledger, facts, peers, clock, agent } = site(1);
  const { agentKey: self } = agent;
  const around = { ledger, facts, peers, clock, self, standing: everybodyStays };
  view = new RepairView({ ...around, isDiscarded: () => false });
});

afterEach(() => cluster[Symbol.asyncDispose]());

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

/** Shard i of each pack at site i; of full copies one at each of the first three. */
async function backUp(packs: readonly WrittenPack[]): Promise<void> {
  for (const pack of packs) {
    const { k, m } = pack.entry;
    const count = k === 1 ? 3 : k + m;
    const assignments = Array.from({ length: count }, (_, i) => ({
      ...{ index: k === 1 ? 0 : i, agent: site(i).agent.agentKey, site: `site-${i}` },
    }));
    await site(0).distributor.place(pack, home.id, assignments);
  }
  await site(0).committer.commit(
    await prepareManifest(
      site(0),
      packs.map(({ entry }) => entry),
    ),
  );
  await cluster.sync();
}

/** What losing these sites would do to the one dataset. */
async function without(...sites: string[]): Promise<{
  dataset: DatasetForecast;
  busiestBytes: number;
}> {
  const lost = new Set(sites);
  const { roster } = site(1).ledger;
  const siteOf = (agent: AgentKey): string | undefined => {
    const member = roster.member(agent);
    return member !== undefined && view.countsWithout(lost, member) ? member.site : undefined;
  };
  const { datasets, busiestBytes } = forecastOf(await view.suppose(lost), siteOf);
  const [dataset] = datasets;
  if (dataset === undefined) throw new Error('there is one dataset');
  return { dataset, busiestBytes };
}

describe('losing', () => {
  test('nothing leaves everything as it is', async () => {
    await backUp([await writtenPack(1, { k: 3, m: 2 })]);
    const { dataset } = await without();
    expect(dataset).toMatchObject({ packs: 1, lostPacks: 0, shards: 0, sitesMayFail: 2 });
  });

  test('a site costs one shard, for which as many as it takes are read', async () => {
    await backUp([await writtenPack(1, { k: 3, m: 2, size: 600_000 })]);
    const shard = shardSizeOf({ k: 3, packSize: 600_000 });
    const { dataset, busiestBytes } = await without('site-2');
    expect(dataset).toMatchObject({ shards: 1, stuckShards: 0, urgentShards: 1, sitesMayFail: 1 });
    expect(dataset).toMatchObject({ writtenBytes: shard, readBytes: 3 * shard });
    expect(busiestBytes).toBe(3 * shard);
  });

  test('a site that has nothing costs nothing', async () => {
    await backUp([await writtenPack(1, { k: 3, m: 2 })]);
    const { dataset } = await without('site-5');
    expect(dataset).toMatchObject({ shards: 0, sitesMayFail: 2, readBytes: 0 });
  });

  test('a copy costs one to read', async () => {
    await backUp([await writtenPack(1)]);
    const { dataset } = await without('site-2');
    const copy = shardSizeOf({ k: 1, packSize: 200_000 });
    expect(dataset).toMatchObject({ shards: 1, writtenBytes: copy, readBytes: copy });
  });

  test('more than the code bears loses packs, and with them snapshots', async () => {
    await backUp([await writtenPack(1, { k: 3, m: 2 }), await writtenPack(2)]);
    const { dataset } = await without('site-2', 'site-3', 'site-4');
    expect(dataset).toMatchObject({ packs: 2, lostPacks: 1 });
    expect(dataset.lostSnapshots.size).toBe(1);
    // What is left of the other.
    expect(dataset.sitesMayFail).toBe(1);
  });

  test('is only supposed: what is judged afterwards is as it was', async () => {
    await backUp([await writtenPack(1, { k: 3, m: 2 })]);
    await without('site-0', 'site-1');
    await cluster.clock.advance(3 * minuteMs);
    expect((await view.judge()).tasks).toEqual([]);
  });

  test('sites does not wait for what is on its way, as a judgement does', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    const assignments = [0, 1, 2, 3].map((i) => ({
      ...{ index: i, agent: site(i).agent.agentKey, site: `site-${i}` },
    }));
    await site(0).distributor.place(pack, home.id, assignments);
    await site(0).committer.commit(await prepareManifest(site(0), [pack.entry]));
    await cluster.sync();
    expect((await view.judge()).awaited.size).toBe(1);
    const { awaited, tasks } = await view.suppose(new Set(['site-3']));
    expect(awaited.size).toBe(0);
    expect(tasks.map(({ index }) => index)).toEqual([3, 4]);
  });
});
