import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PackEntry } from '../../../src/core/format/facts.ts';
import type { PackId } from '../../../src/core/ids.ts';
import type { Assignment } from '../../../src/core/policy/placement.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import { OutboxLeftovers } from '../../../src/services/outbox-leftovers.ts';
import { surveyPacks } from '../../../src/services/repair/pack-survey.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  writtenPack,
} from '../../support/backup-site.ts';

let cluster: BackupCluster;
/** Snapshots in the trash, those that are gone for good, packs that the index knows. */
const trashed = new Set<string>();
const gone = new Set<string>();
const known = new Set<PackId>();
let isBackingUp: boolean;
let leftovers: OutboxLeftovers;

beforeEach(async () => {
  for (const set of [trashed, gone, known]) set.clear();
  isBackingUp = false;
  cluster = await BackupCluster.open(3, { surviveSites: 1 });
  const { ledger, outbox, facts, logger: log } = site(0);
  const isDiscarded = ({ hash }: ManifestRecord): boolean => trashed.has(hash) || gone.has(hash);
  outbox.isAddressed = true;
  leftovers = new OutboxLeftovers({
    ...{ ledger, outbox, log, clock: cluster.clock },
    survey: () => surveyPacks({ ledger, facts, isDiscarded }),
    packUse: {
      named: async (packs) => ({
        packs: new Set([...packs].filter((pack) => pack === named?.pack)),
      }),
      unneeded: async () => {
        const [user] = ledger.manifests();
        if (user === undefined || named === undefined) return { packs: new Map() };
        const { pack, size, k, m } = named;
        return { packs: new Map(isDiscarded(user) ? [[pack, { users: [user], size, k, m }]] : []) };
      },
    },
    isGone: ({ hash }) => gone.has(hash),
    indexOf: async () => ({
      packs: () => [...known].map((pack) => ({ entry: { pack } as PackEntry }) as never),
    }),
    isBackingUp: () => isBackingUp,
  });
});

afterEach(() => cluster[Symbol.asyncDispose]());

/** What the snapshot names. */
let named: PackEntry | undefined;

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

/** The last site is away: its shard waits at the first. */
async function place(): Promise<PackEntry> {
  named = undefined;
  cluster.isolate(2);
  const pack = await writtenPack(1, { k: 2, m: 1 });
  const assignments = [0, 1, 2].map(
    (index): Assignment => ({ index, agent: site(index).agent.agentKey, site: `site-${index}` }),
  );
  await site(0).distributor.place(pack, home.id, assignments);
  return pack.entry;
}

async function backUp(): Promise<ManifestRecord> {
  const entry = await place();
  const { record } = await site(0).committer.commit(await prepareManifest(site(0), [entry]));
  named = entry;
  return record;
}

function waiting(): number {
  return site(0).outboxShards.usage().shards;
}

describe('in the outbox', () => {
  test('what a snapshot needs and an absent member should have stays', async () => {
    await backUp();
    await leftovers.round();
    expect(waiting()).toBe(1);
  });

  test('what a snapshot has that is in the trash stays, and goes once that is gone', async () => {
    const { hash } = await backUp();
    trashed.add(hash);
    await leftovers.round();
    expect(waiting()).toBe(1);
    gone.add(hash);
    await leftovers.round();
    expect(waiting()).toBe(0);
    expect(site(0).outbox.agents()).toEqual([]);
  });

  test('what a backup left that was cut off stays while the next one may build on it', async () => {
    const { pack } = await place();
    known.add(pack);
    await leftovers.round();
    expect(waiting()).toBe(1);
    known.clear();
    isBackingUp = true;
    await leftovers.round();
    expect(waiting()).toBe(1);
    isBackingUp = false;
    await leftovers.round();
    expect(waiting()).toBe(0);
  });

  test('what waits for nobody goes when others can make it', async () => {
    await backUp();
    await site(0).outbox.release(site(2).agent.agentKey);
    site(0).outbox.isAddressed = false;
    await leftovers.round();
    expect(waiting()).toBe(1);
    site(0).outbox.isAddressed = true;
    await leftovers.round();
    expect(waiting()).toBe(0);
  });

  test('what waits for nobody stays when it is needed to make the pack', async () => {
    const { hash } = await backUp();
    await site(0).outbox.release(site(2).agent.agentKey);
    const { pack } = named as PackEntry;
    await site(1).shards.store.remove(pack, 1);
    const record = site(1).ledger.manifest(hash);
    if (record !== undefined) await site(1).storage.sign(record);
    await cluster.sync();
    await leftovers.round();
    expect(waiting()).toBe(1);
  });

  test('nothing goes while a list of packs has not arrived', async () => {
    await backUp();
    await site(0).outbox.release(site(2).agent.agentKey);
    site(0).facts.get = async () => undefined;
    named = undefined;
    await leftovers.round();
    expect(waiting()).toBe(1);
  });
});
