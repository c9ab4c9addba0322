import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inlineCompute } from '../../../../src/adapters/compute/inline.ts';
import { leafHashes, merkleRoot } from '../../../../src/core/coding/merkle.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { packIdOf } from '../../../../src/core/format/shard.ts';
import { limits } from '../../../../src/core/limits.ts';
import { LeafFetcher } from '../../../../src/services/leaf-fetcher.ts';
import type { WrittenPack } from '../../../../src/services/pack-writer.ts';
import { surveyPacks } from '../../../../src/services/repair/pack-survey.ts';
import {
  DecodeCheck,
  type DecodeCheckResult,
} from '../../../../src/services/validate/decode-check.ts';
import type { ValidationFinding } from '../../../../src/services/validate/validation.ts';
import {
  BackupCluster,
  type BackupSite,
  entropy,
  home,
  prepareManifest,
  writtenPack,
} from '../../../support/backup-site.ts';

let cluster: BackupCluster;
let findings: ValidationFinding[];
let away: ReadonlySet<number>;
/** Shards that were read from their first leaf on with others, in their order. */
const whole: number[] = [];
/** Which of these reads fails, counted from 0. */
let failing: number | undefined;

beforeEach(async () => {
  findings = [];
  away = new Set();
  failing = undefined;
  cluster = await BackupCluster.open(6, { surviveSites: 2 });
});

afterEach(() => cluster[Symbol.asyncDispose]());

function site(i: number): BackupSite {
  return cluster.sites[i] as BackupSite;
}

/** Shard i of the pack at site i. */
async function backUp(pack: WrittenPack): Promise<void> {
  const { k, m } = pack.entry;
  const assignments = Array.from({ length: k + m }, (_, index) => ({
    ...{ index, agent: site(index).agent.agentKey, site: `site-${index}` },
  }));
  await site(0).distributor.place(pack, home.id, assignments);
  await site(0).committer.commit(await prepareManifest(site(0), [pack.entry]));
  await cluster.sync();
}

/** Site 5, which holds nothing, looks at everything. */
async function check(isDecoded = false): Promise<DecodeCheckResult> {
  const { ledger, facts, network, clock, logger: log } = site(5);
  const survey = await surveyPacks({ ledger, facts, isDiscarded: () => false });
  const purpose = { kind: 'audit' } as const;
  const leaves = new LeafFetcher({ network, store: undefined, clock, log, purpose });
  const validator = new DecodeCheck({
    leaves: {
      head: (entry, holder) => leaves.head(entry, holder),
      fetch: async (entry, holder, range, stop) => {
        if (range.leaf === 0 && range.count > 1) whole.push(holder.index);
        if (range.count > 1 && whole.length - 1 === failing) {
          failing = undefined;
          throw new HoldfastError('corrupt', 'a leaf is not as it was');
        }
        return leaves.fetch(entry, holder, range, stop);
      },
    },
    compute: inlineCompute(),
    entropy,
    counts: () => true,
    holderOf: (agent) => {
      const i = cluster.sites.findIndex((one) => one.agent.agentKey === agent);
      return away.has(i) ? undefined : { peer: site(i).network.self, site: `site-${i}` };
    },
    snapshotName: () => 'home',
  });
  const decoded = new Set(isDecoded ? survey.packs.keys() : []);
  return validator.run([...survey.packs.values()], survey.usersOf, decoded, {
    onFinding: (finding) => findings.push(finding),
    onStep: () => undefined,
    signal: new AbortController().signal,
  });
}

describe('a pack', () => {
  test('that is whole is shown by as many as it takes, and can be decoded', async () => {
    await backUp(await writtenPack(1, { k: 3, m: 2 }));
    expect(await check()).toMatchObject({ packs: 1, packsProven: 1, packsDecoded: 0 });
    expect(await check(true)).toMatchObject({ packsProven: 1, packsDecoded: 1 });
    expect(findings).toEqual([]);
  });

  test('of which some shards are gone can be had all the same', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    await backUp(pack);
    for (const i of [1, 3]) await site(i).shards.store.remove(pack.entry.pack, i);
    expect(await check(true)).toMatchObject({ packsProven: 1, packsDecoded: 1 });
    expect(findings).toEqual([]);
  });

  test('of which one shard is bad costs the others no second way over the network', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2, size: 3_000_000 });
    await backUp(pack);
    whole.length = 0;
    // The last of the first three is whole no more when it is read.
    failing = 2;
    expect(await check(true)).toMatchObject({ packsDecoded: 1, shardsMissing: 1 });
    expect(new Set(whole).size).toBe(whole.length);
  });

  test('of which too many shards are gone is found', async () => {
    const pack = await writtenPack(1, { k: 3, m: 2 });
    await backUp(pack);
    for (const i of [1, 3, 4]) await site(i).shards.store.remove(pack.entry.pack, i);
    expect(await check()).toMatchObject({ packsProven: 0, shardsMissing: 3 });
    expect(findings).toMatchObject([
      { check: 'decodability', detail: expect.stringContaining('2 of the 3 shards') },
    ]);
  });

  test('whose holders are not there is not seen, which is no finding', async () => {
    await backUp(await writtenPack(1, { k: 3, m: 2 }));
    away = new Set([0, 1, 2]);
    expect(await check()).toMatchObject({ packsProven: 0, packsUnseen: 1 });
    expect(findings).toEqual([]);
  });

  test('that its source has encoded wrongly shows when it is decoded', async () => {
    const good = await writtenPack(7, { k: 3, m: 2 });
    const shards = good.encoded.shards.map((one, i) => (i === 4 ? one.map((b) => b ^ 1) : one));
    const leaves = shards.map((shard) => leafHashes(shard, limits.leafSize));
    const roots = leaves.map(merkleRoot);
    const pack = packIdOf({ k: 3, m: 2, packSize: good.entry.size, roots });
    const entry = { ...good.entry, pack };
    await backUp({ ...good, entry, encoded: { shards, leaves, roots } });
    await check();
    expect(findings).toEqual([]);
    await check(true);
    expect(findings[0]?.detail).toContain('encoded it wrongly');
  });
});
