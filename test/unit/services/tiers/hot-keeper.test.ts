import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { equal } from '../../../../src/base/bytes.ts';
import { inlineCompute } from '../../../../src/adapters/compute/inline.ts';
import { dayMs, hourMs, minuteMs } from '../../../../src/base/units.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { shardSizeOf } from '../../../../src/core/format/shard.ts';
import type { HotRule } from '../../../../src/core/policy/policy-terms.ts';
import type { ShardStore } from '../../../../src/ports/shard-store.ts';
import type { ManifestRecord } from '../../../../src/services/ledger.ts';
import { type PackSource, PackReader } from '../../../../src/services/pack-reader.ts';
import type { WrittenPack } from '../../../../src/services/pack-writer.ts';
import { forecastOf } from '../../../../src/services/repair/loss-forecast.ts';
import { keptMask, type HeardWord } from '../../../../src/services/repair/pack-survey.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  writtenPack,
} from '../../../support/backup-site.ts';
import { noise } from '../../../support/build-snapshot.ts';
import {
  type HotHost as Host,
  type HotHostChange,
  HotRules,
  hotHost,
} from '../../../support/hot-host.ts';

/** So late a host finds out that something has grown old, or that a rule of these tests has changed. */
const agedMs = 5 * minuteMs;

let cluster: BackupCluster;
let hosts: Host[];
let rules: HotRules;

beforeEach(async () => {
  rules = new HotRules();
  cluster = await BackupCluster.open(6, { surviveSites: 2 });
  hosts = await Promise.all(cluster.sites.map((at) => hostOf(at)));
});

afterEach(() => cluster[Symbol.asyncDispose]());

/** The host's program begins anew, with something of its world changed. */
function hostOf(at: BackupSite, change: HotHostChange = {}): Promise<Host> {
  return hotHost(at, rules, change);
}

function host(i: number): Host {
  return hosts[i] as Host;
}

/** Shard i of each pack at site i + 1 (the last at site 0): k + m sites in all. */
async function backUp(packs: readonly WrittenPack[]): Promise<ManifestRecord> {
  for (const pack of packs) {
    const { k, m } = pack.entry;
    const assignments = Array.from({ length: k === 1 ? 3 : k + m }, (_, index) => {
      const at = (index + 1) % hosts.length;
      return { index: k === 1 ? 0 : index, agent: host(at).agent.agentKey, site: `site-${at}` };
    });
    await host(0).distributor.place(pack, home.id, assignments);
  }
  const entries = packs.map(({ entry }) => entry);
  const { record } = await host(0).committer.commit(await prepareManifest(host(0), entries));
  await cluster.sync();
  for (const { repairs } of hosts) await repairs.look();
  await cluster.clock.advance(3 * minuteMs);
  return record;
}

function held(i: number, { entry }: WrittenPack): readonly number[] {
  return host(i).shards.store.indexes(entry.pack);
}

/** What a host has signed for of a pack: all of it, and what it keeps for good. */
async function wordOf(i: number, { entry }: WrittenPack): Promise<{ mask: number; kept: number }> {
  const { survey } = await host(3).repairs.look();
  const word = survey.packs.get(entry.pack)?.words.get(host(i).agent.agentKey) as HeardWord;
  return { mask: word?.mask ?? 0, kept: word === undefined ? 0 : keptMask(word) };
}

/** Lets full copies that are wanted no more go: first the word, then the shards. */
async function coolWith({ hot: keeper }: Host): Promise<void> {
  await cluster.clock.advance(agedMs);
  await keeper.round();
  await cluster.sync();
  await cluster.clock.advance(minuteMs);
  await keeper.round();
  await cluster.sync();
}

const cool = (i: number): Promise<void> => coolWith(host(i));

async function words(at = 3): Promise<{ copied: number; packs: number; problem: unknown }[]> {
  await cluster.clock.advance(minuteMs);
  return (await host(at).hotView.copies()).flatMap(({ sites }) =>
    sites.map(({ copied, packs, problem }) => ({ copied, packs, problem })),
  );
}

describe('a full copy', () => {
  test('is all data shards of each pack at one host of the site, signed for apart', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    const full = await writtenPack(2, {});
    const metadata = await writtenPack(3, { type: 'metadata' });
    await backUp([pack, full, metadata]);
    expect(held(0, pack)).toEqual([]);
    expect(await words()).toEqual([{ copied: 0, packs: 3, problem: undefined }]);
    await host(0).hot.round();
    await cluster.sync();
    expect(held(0, pack)).toEqual([0, 1, 2, 3]);
    expect([held(0, full), held(0, metadata)]).toEqual([[0], [0]]);
    expect(await wordOf(0, pack)).toEqual({ mask: 0b1111, kept: 0 });
    expect(await words()).toEqual([{ copied: 3, packs: 3, problem: undefined }]);
    expect(host(0).hot.state).toMatchObject({ waiting: 0, made: 6, problem: undefined });
    for (const index of [0, 1, 2, 3]) {
      expect(await host(0).shards.store.verify(pack.entry.pack, index)).toBeUndefined();
    }
    await host(1).hot.round();
    expect(held(1, pack)).toEqual([0]);
  });

  test('reads each missing shard once, and computes one that no host can give', async () => {
    const pack = await writtenPack(1, { k: 4, m: 2, size: 400_000 });
    await backUp([pack]);
    expect(held(0, pack)).toEqual([5]);
    cluster.isolate(2);
    await cluster.clock.advance(1000);
    await host(0).hot.round();
    expect(held(0, pack)).toEqual([0, 1, 2, 3, 5]);
    expect(await host(0).shards.store.verify(pack.entry.pack, 1)).toBeUndefined();
  });

  test('of what a restart has interrupted goes on, and what was given stays this host’s', async () => {
    const packs = [await writtenPack(1, { k: 4, m: 2 }), await writtenPack(2, { k: 4, m: 2 })];
    await backUp(packs);
    const stop = new AbortController();
    const { store } = host(0).shards;
    let writes = 0;
    const dying = new Proxy(store, {
      get: (target, name) => {
        if (name !== 'write')
          return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name);
        return (head: Parameters<ShardStore['write']>[0]) => {
          if (++writes === 3) stop.abort(new HoldfastError('interrupted', 'the agent stops'));
          return target.write(head);
        };
      },
    });
    const cut = await hostOf(host(0), { store: dying });
    await expect(cut.hot.round({ signal: stop.signal })).rejects.toThrow('stops');
    const again = await hostOf(host(0));
    await again.hot.round();
    await cluster.sync();
    for (const pack of packs) {
      expect(held(0, pack)).toEqual([0, 1, 2, 3, 5]);
      expect(await wordOf(0, pack)).toEqual({ mask: 0b101111, kept: 0b100000 });
    }
  });

  test('waits while the host is busy, but not for ever', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    rules.isBusy = true;
    const round = host(0).hot.round();
    await cluster.clock.advance(minuteMs);
    expect(held(0, pack)).toEqual([]);
    await cluster.clock.advance(2 * minuteMs);
    await round;
    expect(held(0, pack)).toEqual([0, 1, 2, 3]);
  });

  test('is not made where it would leave no room for what is placed there, and says why', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    const { bytes } = host(0).shards.store.usage();
    const full = await hostOf(host(0), { bytesMax: bytes + 200_000 });
    await full.hot.round();
    expect(held(0, pack)).toEqual([]);
    expect(full.hot.state).toMatchObject({ waiting: 1, made: 0 });
    expect(full.hot.state.problem).toMatch(/^no room: 195.* are free here/);
  });

  test('makes room for what is promised when little is left, and is not made again at once', async () => {
    const packs = [await writtenPack(1, { k: 4, m: 1 }), await writtenPack(2, { k: 4, m: 1 })];
    const [old, young] = packs as [WrittenPack, WrittenPack];
    await backUp([old]);
    await backUp([young]);
    await host(0).hot.round();
    expect([held(0, old), held(0, young)].flat()).toHaveLength(8);
    const { bytes } = host(0).shards.store.usage();
    const crowded = await hostOf(host(0), { bytesMax: bytes + 1000 });
    await coolWith(crowded);
    expect([held(0, old), held(0, young)]).toEqual([[], [0, 1, 2, 3]]);
    const roomier = await hostOf(host(0), { bytesMax: bytes + 20_000 });
    await roomier.hot.round();
    expect(held(0, old)).toEqual([]);
    expect(roomier.hot.state.problem).toContain('no room');
  });

  test('of a disk that is full all the same is given up, said, and made when there is room', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    const { store } = host(0).shards;
    let isFull = true;
    const write = store.write.bind(store);
    store.write = async (head) => {
      if (isFull) throw new HoldfastError('disk-full', 'the disk is full');
      return write(head);
    };
    await expect(host(0).hot.round()).rejects.toThrow('full');
    expect(host(0).hot.state.problem).toContain('full');
    isFull = false;
    await host(0).hot.round();
    expect(held(0, pack)).toEqual([0, 1, 2, 3]);
    expect(host(0).hot.state).toMatchObject({ waiting: 0, problem: undefined });
  });

  test('that has lost a shard is made whole again', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    await host(0).hot.round();
    await host(0).shards.store.remove(pack.entry.pack, 2);
    await host(0).repairs.round();
    expect(held(0, pack)).toEqual([0, 1, 3]);
    await host(0).hot.round();
    expect(held(0, pack)).toEqual([0, 1, 2, 3]);
  });

  test('is not made of a snapshot in the trash, nor by a host that is to leave', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    const record = await backUp([pack]);
    rules.leaving.add('site-0');
    await host(0).hot.round();
    rules.leaving.clear();
    rules.discarded.add(record.hash);
    await host(0).hot.round();
    expect(held(0, pack)).toEqual([]);
  });
});

describe('a full copy that is wanted no more', () => {
  test('goes, and the pack outlives as much as before there was one', async () => {
    const pack = await writtenPack(1, { k: 4, m: 2 });
    const record = await backUp([pack]);
    const before = await host(3).view.assess(record);
    rules.hot = { sites: ['site-0'], for: undefined, forMs: hourMs } as HotRule;
    await host(0).hot.round();
    await cluster.sync();
    expect(held(0, pack)).toEqual([0, 1, 2, 3, 5]);
    await cluster.clock.advance(hourMs);
    await cool(0);
    expect(held(0, pack)).toEqual([5]);
    expect(await wordOf(0, pack)).toEqual({ mask: 0b100000, kept: 0b100000 });
    const after = await host(3).view.assess(record);
    expect([after.sitesMayFail, after.state]).toEqual([before.sitesMayFail, before.state]);
    expect(host(0).extras.size).toBe(0);
    expect(host(0).hot.state.removed).toBe(4);
  });

  test('is held until others have heard that it is not signed for any more', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    await host(0).hot.round();
    await cluster.sync();
    rules.hot = undefined;
    await cluster.clock.advance(agedMs);
    await host(0).hot.round();
    await cluster.sync();
    expect((await wordOf(0, pack)).mask).toBe(0);
    expect(held(0, pack)).toEqual([0, 1, 2, 3]);
    await host(0).hot.round();
    expect(held(0, pack)).toEqual([0, 1, 2, 3]);
    await cluster.clock.advance(minuteMs);
    await host(0).hot.round();
    expect(held(0, pack)).toEqual([]);
  });

  test('stays after a start until the host knows what the policy says', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    await host(0).hot.round();
    await cluster.sync();
    rules.hot = undefined;
    rules.isKnown = false;
    await cluster.clock.advance(agedMs);
    await cool(0);
    expect(held(0, pack)).toEqual([0, 1, 2, 3]);
    expect((await wordOf(0, pack)).mask).toBe(0b1111);
    rules.isKnown = true;
    await cool(0);
    expect(held(0, pack)).toEqual([]);
  });

  test('stays when it is wanted again meanwhile, and is signed for again', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    await host(0).hot.round();
    rules.hot = undefined;
    await cluster.clock.advance(agedMs);
    await host(0).hot.round();
    rules.hot = { sites: ['site-0'] };
    await cluster.clock.advance(hourMs);
    await host(0).hot.round();
    await cluster.sync();
    expect(held(0, pack)).toEqual([0, 1, 2, 3]);
    expect((await wordOf(0, pack)).mask).toBe(0b1111);
  });

  test('stays, as far as it is the last of its kind, until a repair has made others', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    await host(0).hot.round();
    await cluster.sync();
    rules.hot = undefined;
    cluster.isolate(2);
    await cluster.clock.advance(1000);
    rules.lost.add('site-2');
    await cool(0);
    expect(held(0, pack)).toEqual([0, 1, 2, 3]);
    await cluster.clock.advance(2 * dayMs);
    for (const at of [0, 1, 3, 4, 5]) await host(at).repairs.round();
    await cluster.sync();
    await cool(0);
    const left = [0, 1, 3, 4, 5].flatMap((at) => held(at, pack));
    expect(left.toSorted()).toEqual([0, 1, 2, 3, 4]);
    // The hot host was the site without a shard: what it had for speed is now what it keeps.
    expect(await wordOf(0, pack)).toEqual({ mask: 0b10, kept: 0b10 });
  });

  test('of two sites at once leaves every shard where it was placed', async () => {
    const pack = await writtenPack(1, { k: 4, m: 2 });
    await backUp([pack]);
    rules.hot = { sites: ['site-0', 'site-2'] };
    await host(0).hot.round();
    await host(2).hot.round();
    await cluster.sync();
    expect([held(0, pack), held(2, pack)]).toEqual([
      [0, 1, 2, 3, 5],
      [0, 1, 2, 3],
    ]);
    rules.hot = undefined;
    // Neither hears the other before it decides.
    await cluster.clock.advance(agedMs);
    await host(0).hot.round();
    await host(2).hot.round();
    await cluster.clock.advance(minuteMs);
    await host(0).hot.round();
    await host(2).hot.round();
    expect([held(0, pack), held(2, pack)]).toEqual([[5], [1]]);
  });

  test('counts no copy of another hot site, which may go as well', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    rules.hot = { sites: ['site-0', 'site-5'] };
    await host(0).hot.round();
    await host(5).hot.round();
    await cluster.sync();
    // Whoever was given shard 1 has lost it, and no repair has run yet.
    await host(2).shards.store.remove(pack.entry.pack, 1);
    await host(2).storage.sign(host(2).ledger.manifests().at(-1) as ManifestRecord);
    await cluster.sync();
    rules.hot = undefined;
    await cool(0);
    await cool(5);
    expect(held(0, pack)).toContain(1);
    expect(held(5, pack)).toContain(1);
  });

  test('is kept when a source brings the same shard for good', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    await host(0).hot.round();
    const { agentKey: agent } = host(0).agent;
    await host(0).distributor.place(pack, home.id, [{ index: 2, agent, site: 'site-0' }]);
    await host(0).hot.round();
    await host(0).extras.keep(pack.entry.pack, [2]);
    rules.hot = undefined;
    await cool(0);
    expect(held(0, pack)).toEqual([2]);
  });
});

describe('a restore', () => {
  const sourceOf = async (at: Host, record: ManifestRecord): Promise<PackSource> => {
    const located = await at.view.holders(record);
    return { locate: (pack) => located.get(pack) };
  };

  function readerAt(at: Host, source: PackSource): PackReader {
    const { network, clock, logger: log, shards } = at;
    const { store } = shards;
    return new PackReader({ network, source, store, compute: inlineCompute(), clock, log });
  }

  test('at the hot site needs nobody else, and decodes nothing', async () => {
    const pack = await writtenPack(1, { k: 4, m: 2 });
    const record = await backUp([pack]);
    await host(0).hot.round();
    for (const i of [1, 2, 3, 4, 5]) cluster.isolate(i);
    const reader = readerAt(host(0), await sourceOf(host(0), record));
    const { pack: id, size } = pack.entry;
    expect(equal(await reader.read(id, 0, size), noise(size, 1))).toBe(true);
    const bytesLocal = 4 * shardSizeOf({ k: 4, packSize: size });
    expect(reader.stats).toMatchObject({ bytesFetched: 0, bytesLocal, packsDecoded: 0 });
  });

  test('elsewhere takes from the copy what is lost, instead of decoding', async () => {
    const pack = await writtenPack(1, { k: 4, m: 2 });
    const record = await backUp([pack]);
    await host(0).hot.round();
    await cluster.sync();
    cluster.isolate(2);
    await cluster.clock.advance(1000);
    const reader = readerAt(host(3), await sourceOf(host(3), record));
    const { pack: id, size } = pack.entry;
    expect(equal(await reader.read(id, 0, size), noise(size, 1))).toBe(true);
    expect(reader.stats.packsDecoded).toBe(0);
    expect(reader.stats.sites).toContain('site-0');
  });
});

describe('repair', () => {
  test('counts a pack as if the full copy were not there, and reads from it', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    await host(0).hot.round();
    await cluster.sync();
    const quiet = await host(3).repairs.look();
    expect(quiet.tasks).toEqual([]);
    cluster.isolate(2);
    await cluster.clock.advance(1000);
    rules.lost.add('site-2');
    const { tasks } = await host(3).repairs.look();
    expect(tasks.map(({ index }) => index)).toEqual([1]);
    expect(tasks[0]?.takers[0]).toBe(host(0).agent.agentKey);
    const { bytesRead } = host(0).repairs.state;
    await host(0).repairs.round();
    await cluster.sync();
    expect(host(0).repairs.state.bytesRead).toBe(bytesRead);
    expect((await wordOf(0, pack)).kept).toBe(0b10);
    expect((await host(3).repairs.look()).tasks).toEqual([]);
  });

  test('moves away what a hot site that leaves was given, and nothing else', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    rules.hot = { sites: ['site-2'] };
    await host(2).hot.round();
    await cluster.sync();
    rules.leaving.add('site-2');
    const { tasks } = await host(3).repairs.look();
    expect(tasks.map(({ index, isMove }) => ({ index, isMove }))).toEqual([
      { index: 1, isMove: true },
    ]);
    await host(0).repairs.round();
    await cluster.sync();
    expect(held(0, pack)).toEqual([1]);
    expect((await host(3).repairs.look()).tasks).toEqual([]);
  });

  test('a forecast counts the copy: with it alone everything can be restored', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    await host(0).hot.round();
    await cluster.sync();
    const all = new Set(['site-1', 'site-2', 'site-3', 'site-4', 'site-5']);
    const siteOf = (lostSites: ReadonlySet<string>) => (agent: string) => {
      const site = hosts.find((one) => one.agent.agentKey === agent)?.agent.descriptor.site;
      return site === undefined || lostSites.has(site) ? undefined : site;
    };
    const judged = await host(3).repairView.suppose(all);
    const [dataset] = forecastOf(judged, siteOf(all)).datasets;
    expect(dataset).toMatchObject({ lostPacks: 0, sitesMayFail: 0 });
    const none = new Set(['site-0', 'site-1', 'site-2']);
    expect(
      forecastOf(await host(3).repairView.suppose(none), siteOf(none)).datasets[0],
    ).toMatchObject({
      lostPacks: 1,
    });
  });
});

describe('what is told of full copies', () => {
  test('a site without a host that may hold it, or that cannot be reached', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    await backUp([pack]);
    rules.hot = { sites: ['nowhere', 'site-0', 'site-5'] };
    rules.leaving.add('site-5');
    cluster.isolate(0);
    await cluster.clock.advance(1000);
    expect((await words(1)).map(({ problem }) => problem)).toEqual([
      'there is no such site',
      'no host there can be reached',
      'its hosts are to leave',
    ]);
  });

  test('what it costs apart from the code', async () => {
    const pack = await writtenPack(1, { k: 4, m: 1 });
    const record = await backUp([pack]);
    await host(0).hot.round();
    await cluster.sync();
    const { stored, hot: extra } = await host(3).view.expansion(record);
    expect([stored.toFixed(2), extra.toFixed(2)]).toEqual(['2.25', '1.00']);
    const usage = await host(0).hotView.extraUsage();
    const size = shardSizeOf({ k: 4, packSize: pack.entry.size });
    expect(usage).toEqual({ shards: 4, bytes: 4 * size });
  });
});
