import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeHolding, factHash, type PackEntry } from '../../../src/core/format/facts.ts';
import { receiptStream } from '../../../src/core/format/statement.ts';
import { type AgentKey, type FactHash, idBytes, idOf } from '../../../src/core/ids.ts';
import { DurabilityView } from '../../../src/services/durability-view.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import { everybodyStays } from '../../../src/services/standing.ts';
import { BackupCluster, type BackupSite, signSnapshot } from '../../support/backup-site.ts';
import { MemoryFactStore } from '../../support/memory-statement-log.ts';
import { packIdAt } from '../core/format/samples.ts';

let cluster: BackupCluster;
let source: BackupSite;

// One for all, since each test has a snapshot of its own.
beforeAll(async () => {
  cluster = await BackupCluster.open(5);
  source = site(0);
});

afterAll(() => cluster[Symbol.asyncDispose]());

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

const data: PackEntry = { pack: packIdAt(1), k: 3, m: 2, type: 'data', size: 300_000 };
const metadata: PackEntry = { pack: packIdAt(2), k: 1, m: 0, type: 'metadata', size: 9_000 };

/** Site i signs for these masks, in the order of the packs. The fact goes to the source when it is to have it. */
async function sign(
  i: number,
  record: ManifestRecord,
  masks: readonly number[],
  change: { fact?: Uint8Array; isFactSent?: boolean } = {},
): Promise<void> {
  const [segment] = record.shortList ?? [];
  const fact = change.fact ?? encodeHolding({ segment: idBytes(segment?.hash as FactHash), masks });
  const hash = factHash(fact);
  if (change.isFactSent !== false) await source.facts.put(hash, fact);
  const holdings = [idOf<FactHash>(hash)];
  const counts = { freeBytes: 1, shardCount: 1 };
  const { ledger } = site(i);
  await ledger.append(receiptStream, {
    kind: 'receipt',
    manifest: record.hash,
    holdings,
    ...counts,
  });
  if (i !== 0) await source.sync.withPeer(site(i).network.self);
}

/** The same, by somebody whom this site has not shown what it has signed for. */
function viewDoubting(i: number): DurabilityView {
  const isFailing = (agent: AgentKey): boolean => agent === site(i).agent.agentKey;
  return new DurabilityView(source.ledger, source.facts, { ...everybodyStays, isFailing });
}

function snapshot(packs: readonly PackEntry[] = [data, metadata]): Promise<ManifestRecord> {
  return signSnapshot(source, packs);
}

/** One data shard and the metadata for each site. */
async function signAll(record: ManifestRecord, sites: readonly number[]): Promise<void> {
  for (const i of sites) await sign(i, record, [1 << i, 1]);
}

describe('what is known of a snapshot', () => {
  test('is what sites have signed, each pack with its own place', async () => {
    const record = await snapshot();
    await signAll(record, [0, 1, 2, 3, 4]);
    const { view } = source;
    expect(view.storageSites()).toHaveLength(5);
    expect(view.code()).toEqual({ k: 3, m: 2, sites: 5, survives: 2 });
    expect(await view.assess(record)).toMatchObject({
      state: 'committed',
      sitesMayFail: 2,
      degradedPacks: 0,
      packs: [data, metadata],
    });
    expect(await view.missingSites(record)).toEqual([]);
    const located = await view.holders(record);
    expect(located.get(data.pack)?.holders.map(({ site: at, index }) => [at, index])).toEqual(
      [0, 1, 2, 3, 4].map((i) => [`site-${i}`, i]),
    );
    expect(located.get(metadata.pack)?.holders).toHaveLength(5);
    const peers = located.get(data.pack)?.holders.map(({ peer }) => peer);
    expect(peers).toEqual(cluster.sites.map(({ network }) => network.self));
  });

  test('can be asked of some of the agents alone', async () => {
    const record = await snapshot();
    await signAll(record, [0, 1, 2, 3, 4]);
    const { agentKey } = site(0).agent;
    expect(await source.view.assess(record, (agent) => agent === agentKey)).toMatchObject({
      state: 'staged',
      lostPacks: 1,
      sites: ['site-0'],
    });
  });

  test('does not rest on a host that is failing, which may be asked all the same', async () => {
    const record = await snapshot();
    await signAll(record, [0, 1, 2, 3, 4]);
    const view = viewDoubting(4);
    expect(await view.assess(record)).toMatchObject({
      ...{ state: 'committed', sitesMayFail: 1, degradedPacks: 1 },
      sites: [0, 1, 2, 3].map((i) => `site-${i}`),
    });
    expect(await view.missingSites(record)).toEqual(['site-4']);
    expect((await view.holders(record)).get(data.pack)?.holders).toHaveLength(5);
  });

  test('names who is missing for a commit, though as many sites may fail as shall', async () => {
    const record = await snapshot();
    for (const i of [0, 1, 2]) await sign(i, record, [0b111, 1]);
    const durability = await source.view.assess(record);
    expect(durability).toMatchObject({ state: 'placed', sitesMayFail: 2, degradedPacks: 0 });
    expect(await source.view.missingSites(record)).toEqual(['site-3', 'site-4']);
  });

  test('is nothing while the list of packs has not arrived', async () => {
    const record = await snapshot();
    await signAll(record, [0, 1, 2, 3, 4]);
    const late = site(1);
    await late.sync.withPeer(source.network.self);
    const view = new DurabilityView(late.ledger, new MemoryFactStore());
    expect(await view.packs(record)).toBeUndefined();
    expect(await view.assess(record)).toMatchObject({ state: 'staged', isRecoverable: false });
    expect((await view.holders(record)).size).toBe(0);
  });

  test('follows the newest word of a site', async () => {
    const record = await snapshot();
    await signAll(record, [0, 1, 2, 3, 4]);
    await sign(4, record, [0, 1]);
    expect(await source.view.assess(record)).toMatchObject({ sitesMayFail: 1, degradedPacks: 1 });
    await sign(4, record, [16, 1]);
    expect(await source.view.assess(record)).toMatchObject({ sitesMayFail: 2, degradedPacks: 0 });
  });
});

test('a pack is wanted at as many sites as its own kind of code has, not the newest kind', () => {
  const { view } = source;
  expect(view.code().k).toBe(3);
  expect(view.wantedSites(data)).toBe(5);
  expect(view.wantedSites(metadata)).toBe(5);
  // Written when there were three sites, or by a cluster of more sites than there are now.
  expect(view.wantedSites({ ...data, k: 1, m: 0 })).toBe(3);
  expect(view.wantedSites({ ...data, k: 8, m: 2 })).toBe(5);
});

describe('a receipt does not count', () => {
  test('while its facts have not arrived', async () => {
    const others = [data, metadata].map((pack, i) => ({ ...pack, pack: packIdAt(3 + i) }));
    const record = await snapshot(others);
    await signAll(record, [0, 1, 2]);
    await sign(3, record, [8, 1], { isFactSent: false });
    expect((await source.view.holdings(record)).map(({ site: at }) => at)).toEqual([
      'site-0',
      'site-1',
      'site-2',
    ]);
  });

  test('that follows another leaves what was said before in force until its facts have arrived', async () => {
    const record = await snapshot();
    await signAll(record, [0, 1, 2, 3, 4]);
    expect(await source.view.assess(record)).toMatchObject({ sitesMayFail: 2, degradedPacks: 0 });
    const fewer = [0, 0] as const;
    await sign(4, record, fewer, { isFactSent: false });
    expect(await source.view.assess(record)).toMatchObject({ sitesMayFail: 2, degradedPacks: 0 });
    await sign(4, record, fewer);
    expect(await source.view.assess(record)).toMatchObject({ sitesMayFail: 1, degradedPacks: 1 });
  });

  test('that names the shards of other packs', async () => {
    const record = await snapshot();
    const other = new Uint8Array(32).fill(9);
    await sign(1, record, [], { fact: encodeHolding({ segment: other, masks: [7, 1] }) });
    expect(await source.view.holdings(record)).toEqual([]);
  });

  test('that speaks of another number of packs', async () => {
    const record = await snapshot();
    await sign(1, record, [7]);
    expect(await source.view.holdings(record)).toEqual([]);
  });

  test('that names a fact which is no holding, and does not hide what others say', async () => {
    const record = await snapshot();
    const [segment] = record.shortList ?? [];
    const wrong = await source.facts.get(idBytes(segment?.hash as FactHash));
    await sign(1, record, [], { fact: wrong as Uint8Array });
    await signAll(record, [0, 2, 3, 4]);
    expect((await source.view.assess(record)).sites).toEqual([
      'site-0',
      'site-2',
      'site-3',
      'site-4',
    ]);
  });
});

describe('where something is still to be delivered', () => {
  test('are the sites that have not signed', async () => {
    const record = await snapshot();
    await signAll(record, [0, 1, 3]);
    expect(await source.view.missingSites(record)).toEqual(['site-2', 'site-4']);
  });

  test('are, once all have signed, those with gaps, each named once', async () => {
    const record = await snapshot();
    await signAll(record, [0, 1, 2, 3]);
    await sign(4, record, [0, 1]);
    expect(await source.view.missingSites(record)).toEqual(['site-4']);
  });
});
