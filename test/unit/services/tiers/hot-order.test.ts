import fc from 'fast-check';
import { expect, test } from 'vitest';
import { minuteMs } from '../../../../src/base/units.ts';
import { BackupCluster, home, prepareManifest, writtenPack } from '../../../support/backup-site.ts';
import { HotRules, type HotHost, hotHost } from '../../../support/hot-host.ts';

const siteCount = 4;
const code = { k: 2, m: 1 };

type Step =
  | { readonly do: 'hot' | 'repair' | 'restart' | 'damage'; readonly at: number }
  | { readonly do: 'news'; readonly at: number; readonly from: number }
  | { readonly do: 'policy'; readonly sites: readonly number[] }
  /** Another policy, and what these hosts do about it before they hear of each other. */
  | { readonly do: 'heat' | 'cool'; readonly sites: readonly number[] }
  | { readonly do: 'wait'; readonly minutes: number };

const site = fc.nat(siteCount - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('hot' as const), at: site }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repair' as const), at: site }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), at: site }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('damage' as const), at: site }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('news' as const), at: site, from: site }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('policy' as const), sites: fc.subarray([0, 1, 2, 3]) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('heat' as const, 'cool' as const),
      sites: fc.shuffledSubarray([0, 1, 2, 3], { minLength: 2 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      minutes: fc.integer({ min: 1, max: 6 }),
    }),
  },
);

/** A pack at three of four sites, and what hosts do with it. */
class World {
  readonly rules = new HotRules();
  readonly cluster: BackupCluster;
  readonly hosts: HotHost[];
  readonly pack: Awaited<ReturnType<typeof writtenPack>>;

  private constructor(cluster: BackupCluster, pack: World['pack']) {
    this.cluster = cluster;
    this.hosts = [];
    this.pack = pack;
  }

  static async open(): Promise<World> {
    const cluster = await BackupCluster.open(siteCount, { surviveSites: 1 });
    const world = new World(cluster, await writtenPack(1, { ...code, size: 3000 }));
    for (const at of cluster.sites) world.hosts.push(await hotHost(at, world.rules));
    const { distributor, committer } = world.host(0);
    const assignments = [0, 1, 2].map((index) => {
      const { agentKey: agent } = world.host(index).agent;
      return { index, agent, site: `site-${index}` };
    });
    await distributor.place(world.pack, home.id, assignments);
    await committer.commit(await prepareManifest(world.host(0), [world.pack.entry]));
    await cluster.sync();
    for (const { repairs } of world.hosts) await repairs.look();
    await cluster.clock.advance(3 * minuteMs);
    return world;
  }

  host(i: number): HotHost {
    return this.hosts[i] as HotHost;
  }

  held(i: number): readonly number[] {
    return this.host(i).shards.store.indexes(this.pack.entry.pack);
  }

  /** Different shards on all disks. */
  get shards(): number {
    return new Set(this.hosts.flatMap((_, i) => this.held(i))).size;
  }

  async do(next: Step): Promise<void> {
    const { cluster, rules } = this;
    if (next.do === 'hot') await this.host(next.at).hot.round();
    else if (next.do === 'repair') await this.host(next.at).repairs.round();
    else if (next.do === 'restart') {
      const at = cluster.sites[next.at] as (typeof cluster.sites)[number];
      // What was leaving is forgotten with the process.
      at.extras.stay(this.pack.entry.pack);
      this.hosts[next.at] = await hotHost(at, rules);
    } else if (next.do === 'damage') await this.damage(next.at);
    else if (next.do === 'wait') await cluster.clock.advance(next.minutes * minuteMs);
    else if (next.do === 'policy') {
      rules.hot = { sites: next.sites.map((i) => `site-${i}`) };
    } else if (next.do === 'heat' || next.do === 'cool') {
      rules.hot = next.do === 'cool' ? undefined : { sites: next.sites.map((i) => `site-${i}`) };
      await cluster.clock.advance(6 * minuteMs);
      for (const i of next.sites) await this.host(i).hot.round();
      if (next.do === 'heat') return cluster.sync();
      await cluster.clock.advance(minuteMs);
      for (const i of next.sites) await this.host(i).hot.round();
    } else if (next.do === 'news' && next.at !== next.from) {
      await this.host(next.at).sync.withPeer(this.host(next.from).network.self);
    }
  }

  /** One shard of a host is damaged, and all hear it; not where it is the last but k. */
  async damage(i: number): Promise<void> {
    const [index] = this.held(i);
    const others = this.hosts.flatMap((_, at) => (at === i ? [] : this.held(at)));
    if (index === undefined || new Set(others).size < code.k) return;
    const { shards, repairs } = this.host(i);
    await shards.store.remove(this.pack.entry.pack, index);
    repairs.begin();
    await repairs.round();
    await this.cluster.sync();
  }
}

test('no order of rounds, news, restarts and other policies removes the last shard of its kind', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const world = await World.open();
      await using _cluster = world.cluster;
      for (const next of steps) {
        const before = world.shards;
        await world.do(next);
        if (next.do !== 'damage') expect(world.shards).toBeGreaterThanOrEqual(before);
      }
      world.rules.hot = undefined;
      for (let i = 0; i < 8; i++) {
        await world.cluster.sync();
        await world.cluster.clock.advance(7 * minuteMs);
        for (const { hot, repairs } of world.hosts) {
          await repairs.round();
          await hot.round();
        }
      }
      // Every shard is kept for good, and nothing more is here for speed. Two may have made good the same damage.
      expect(world.shards).toBe(3);
      expect(world.hosts.map(({ extras }) => extras.size)).toEqual([0, 0, 0, 0]);
    }),
    { numRuns: Number(process.env.HOT_RUNS ?? 12), endOnFailure: true },
  );
}, 180_000);
