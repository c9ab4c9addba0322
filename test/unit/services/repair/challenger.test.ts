import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../../src/base/bytes.ts';
import { dayMs, hourMs, minuteMs } from '../../../../src/base/units.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import { type ErrorCode, HoldfastError } from '../../../../src/core/errors.ts';
import { idOf, type PackId } from '../../../../src/core/ids.ts';
import type { Member } from '../../../../src/core/protocol/roster.ts';
import type { Alarm } from '../../../../src/services/alarms.ts';
import type { WrittenPack } from '../../../../src/services/pack-writer.ts';
import {
  Challenger,
  confirmMs,
  readChallenges,
  unansweredMax,
} from '../../../../src/services/repair/challenger.ts';
import { surveyPacks } from '../../../../src/services/repair/pack-survey.ts';
import { everybodyStays } from '../../../../src/services/standing.ts';
import {
  BackupCluster,
  type BackupSite,
  home,
  prepareManifest,
  writtenPack,
} from '../../../support/backup-site.ts';
import { MemoryRecords } from '../../../support/memory-records.ts';

let cluster: BackupCluster;
let packs: WrittenPack[];
let records: MemoryRecords;
let alarms: Alarm[];
let challenger: Challenger;
let drawn: number;

/** The same numbers in each run: by chance a run would hardly ask for one of the packs now and then. */
const entropy = {
  bytes: (count: number): Uint8Array => hash('leaf', utf8(`drawn ${drawn++}`)).subarray(0, count),
};

beforeEach(async () => {
  drawn = 0;
  cluster = await BackupCluster.open(3, { surviveSites: 1 });
  packs = [await writtenPack(1, { k: 2, m: 1 }), await writtenPack(2, { k: 2, m: 1 })];
  for (const pack of packs) await place(pack);
  const manifest = await prepareManifest(
    site(0),
    packs.map(({ entry }) => entry),
  );
  await site(0).committer.commit(manifest);
  await cluster.sync();
  records = new MemoryRecords();
  alarms = [];
  challenger = await challengerOf(site(0));
});

afterEach(() => cluster[Symbol.asyncDispose]());

async function place(pack: WrittenPack): Promise<void> {
  const assignments = [0, 1, 2].map((i) => ({
    index: i,
    agent: site(i).agent.agentKey,
    site: `site-${i}`,
  }));
  await site(0).distributor.place(pack, home.id, assignments);
}

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

function memberAt(i: number): Member {
  return site(0).ledger.roster.member(site(i).agent.agentKey) as Member;
}

async function challengerOf(at: BackupSite): Promise<Challenger> {
  const { ledger, facts, peers, network, clock, logger: log } = at;
  const raise = async (alarm: Alarm): Promise<void> => void alarms.push(alarm);
  return Challenger.open(
    {
      ...{ ledger, peers, network, clock, log, records, entropy, standing: everybodyStays },
      self: at.agent.agentKey,
      alarms: { raise },
      survey: () => surveyPacks({ ledger, facts, isDiscarded: () => false }),
    },
    await readChallenges(records),
  );
}

/** It has signed for them and has them no more; an honest peer would say so. */
async function cheat(i: number): Promise<void> {
  const { store } = site(i).shards;
  for (const { entry } of packs) await store.remove(entry.pack, i);
}

function stateOf(i: number): string {
  return challenger.report(memberAt(i)).state;
}

describe('a storage peer that is asked for leaves', () => {
  test('is good once it has shown one, and unknown before', async () => {
    expect(stateOf(1)).toBe('unknown');
    await challenger.round();
    expect([stateOf(1), stateOf(2)]).toEqual(['good', 'good']);
    expect(challenger.report(memberAt(1))).toMatchObject({ passed: 1, failed: 0 });
    await cluster.clock.advance(dayMs);
    expect(stateOf(1)).toBe('unknown');
  });

  test('is offline, and not failing, while it cannot be reached', async () => {
    cluster.isolate(1);
    await cluster.clock.advance(minuteMs);
    await challenger.round();
    await cluster.clock.advance(confirmMs);
    await challenger.round();
    expect([stateOf(1), stateOf(2), alarms.length]).toEqual(['offline', 'good', 0]);
  });

  test('is failing when it has signed for what it does not have', async () => {
    await cheat(1);
    await challenger.round();
    expect(challenger.isFailing(memberAt(1).agentKey)).toBe(false);
    await cluster.clock.advance(confirmMs);
    await challenger.round();
    expect(stateOf(1)).toBe('failing');
    expect(alarms.map(({ kind, subject }) => [kind, subject])).toEqual([
      ['peer-failing', 'site-1-host'],
    ]);
    expect(challenger.report(memberAt(1)).caught).toHaveLength(1);
    expect(stateOf(2)).toBe('good');
  });

  test('is failing when it answers with something else', async () => {
    const { network, shards } = site(1);
    network.servePulls(async (_, request) => {
      const head = await shards.store.head(packs[0]?.entry.pack as never, request.index);
      return { bytes: new Uint8Array(65_536), head };
    });
    await challenger.round();
    await cluster.clock.advance(confirmMs);
    await challenger.round();
    expect(stateOf(1)).toBe('failing');
  });

  test('is not failing when it takes its word back in time', async () => {
    await cheat(1);
    await challenger.round();
    const [record] = site(1).ledger.manifests();
    if (record !== undefined) await site(1).storage.sign(record);
    await cluster.sync();
    await cluster.clock.advance(confirmMs);
    await challenger.round();
    expect([stateOf(1), alarms.length]).toEqual(['unknown', 0]);
  });

  test('stays failing over a restart, until it has or says what is true', async () => {
    await cheat(1);
    await challenger.round();
    await cluster.clock.advance(confirmMs);
    await challenger.round();
    challenger = await challengerOf(site(0));
    expect(stateOf(1)).toBe('failing');
    await challenger.round();
    expect(stateOf(1)).toBe('failing');
    const [record] = site(1).ledger.manifests();
    if (record !== undefined) await site(1).storage.sign(record);
    await cluster.sync();
    await challenger.round();
    expect(stateOf(1)).not.toBe('failing');
  });

  test('is not judged by an answer that does not come', async () => {
    site(1).network.servePulls(async () => {
      throw new HoldfastError('timeout', 'slow');
    });
    for (let i = 0; i < 3; i++) {
      await challenger.round();
      await cluster.clock.advance(confirmMs);
    }
    const { state, silent } = challenger.report(memberAt(1));
    expect(state).toBe('unknown');
    // Once each time, and again for what it was asked for before.
    expect(silent).toBeGreaterThan(3);
    expect(alarms).toEqual([]);
  });
});

test('a storage peer that lacks one leaf of a shard is asked for that leaf again, and is failing', async () => {
  const large = await writtenPack(3, { k: 2, m: 1, size: 8_000_000 });
  await place(large);
  const manifest = await prepareManifest(site(0), [large.entry]);
  await site(0).committer.commit(manifest);
  await cluster.sync();
  const { network, storage } = site(1);
  let lost: { pack: Uint8Array; leaf: number } | undefined;
  network.servePulls(async (_, request) => {
    const { pack, leaf } = request;
    lost ??= { pack, leaf };
    const isLost = leaf === lost.leaf && idOf<PackId>(pack) === idOf<PackId>(lost.pack);
    if (isLost) throw new HoldfastError('not-found', 'there is no such shard');
    return storage.serve(request);
  });
  for (let i = 0; i < 2; i++) {
    await challenger.round();
    await cluster.clock.advance(confirmMs);
  }
  expect(stateOf(1)).toBe('failing');
});

describe('a storage peer that shows some leaves, and gives no answer for others', () => {
  /** Of two packs: one is shown, and the other is answered for with this code. */
  function hide(code: ErrorCode): void {
    const { network, shards } = site(1);
    network.servePulls(async (_, request) => {
      const pack = idOf<PackId>(request.pack);
      if (pack === packs[0]?.entry.pack) throw new HoldfastError(code, 'not now');
      const { index, leaf, count } = request;
      const head = await shards.store.head(pack, index);
      return { bytes: await shards.store.read(pack, index, leaf, count), head };
    });
  }

  async function ask(rounds: number, everyMs = confirmMs): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      await challenger.round();
      await cluster.clock.advance(everyMs);
    }
  }

  test.each(['timeout', 'limit-exceeded', 'not-permitted', 'peer-unreachable'] as const)(
    'is failing when that goes on: %s',
    async (code) => {
      hide(code);
      await ask(unansweredMax - 10);
      expect([stateOf(1), alarms.length]).toEqual(['good', 0]);
      expect(challenger.report(memberAt(1)).unanswered).toHaveLength(1);
      await ask(30);
      expect([stateOf(1), stateOf(2)]).toEqual(['failing', 'good']);
      expect(alarms[0]?.text).toContain('shows other leaves');
      expect(challenger.report(memberAt(1))).toMatchObject({ unanswered: [] });
    },
  );

  test('is not failing when it shows at last what it was asked for', async () => {
    hide('timeout');
    await ask(unansweredMax - 10);
    site(1).network.servePulls((_, request) => site(1).storage.serve(request));
    await ask(30);
    expect([stateOf(1), alarms.length]).toEqual(['good', 0]);
    expect(challenger.report(memberAt(1)).unanswered).toEqual([]);
  });

  test('is believed for a day when it says that its cold store is away', async () => {
    hide('store-unreachable');
    await ask(unansweredMax * 2);
    expect([stateOf(1), alarms.length]).toEqual(['unknown', 0]);
    await ask(unansweredMax, hourMs);
    expect(stateOf(1)).toBe('failing');
  });

  test('is no longer called good when it hides so much that little can be shown', async () => {
    const { network, shards } = site(1);
    let count = 0;
    network.servePulls(async (_, request) => {
      const pack = idOf<PackId>(request.pack);
      if (++count > 2) throw new HoldfastError('timeout', 'not now');
      const head = await shards.store.head(pack, request.index);
      return { bytes: await shards.store.read(pack, request.index, request.leaf, 1), head };
    });
    await ask(unansweredMax + 10);
    expect([stateOf(1), alarms.length]).toEqual(['unknown', 0]);
  });
});
