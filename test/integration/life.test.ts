import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { Cluster, fiveSites, type Message, messages, told, until } from '../support/cluster.ts';
import { makeOddTree } from '../support/odd-tree.ts';
import { randomBytes, writeFiles } from '../support/sample-files.ts';

const cluster = new Cluster();
const origin = 'ams1';
const source = join(cluster.root, 'source');
const odd = join(source, 'odd');
const many = join(source, 'many');
const large = join(many, 'large');
const fileCount = 1000;

beforeAll(async () => {
  for (const path of [source, odd, many]) mkdirSync(path);
  makeOddTree(odd);
  writeFiles(many, { count: fileCount, seed: 'life', sizeMax: 8000 });
  writeFileSync(large, randomBytes('large', 30_000_000));
  await cluster.form(fiveSites, { surviveSites: 2 });
});

afterAll(() => cluster[Symbol.asyncDispose]());

/** Restores through one member, and compares everything below the source. */
async function restoreAndCompare(snapshot: string, through: string): Promise<string[]> {
  const target = join(cluster.root, `restored ${snapshot} ${cluster.running.join(' ')}`);
  const outcome = await cluster.restore(snapshot, target, through);
  expect(outcome.code, told(outcome)).toBe(0);
  const differences = await compareTrees(source, join(target, source));
  rmSync(target, { recursive: true });
  return differences;
}

describe('the life of a cluster of five sites that survives any two', () => {
  let first: Message;
  let latest: Message;

  it('commits the first backup, with every shard at its site', async () => {
    first = await cluster.backup(origin, [odd, many]);
    expect(first).toMatchObject({ state: 'committed', missing_sites: [], error_count: 0 });
    expect(first.total_files_processed).toBeGreaterThan(fileCount);
    expect(first.files_new).toBe(first.total_files_processed);
    const stored = Number(first.data_stored) / Number(first.data_added);
    expect(stored, 'what three data shards and two of parity cost').toBeCloseTo(5 / 3, 1);
  });

  it('reads no content in a second backup of the same files, and adds next to nothing', async () => {
    const second = await cluster.backup(origin, [odd, many]);
    expect(second).toMatchObject({
      state: 'committed',
      total_bytes_read: 0,
      files_new: 0,
      files_changed: 0,
      files_unmodified: first.total_files_processed,
      total_bytes_processed: first.total_bytes_processed,
    });
    expect(second.data_added).toBeLessThan(20_000);
  });

  it('reads a file that has grown, and stores only what was added to it', async () => {
    appendFileSync(large, 'some more');
    rmSync(join(many, 'directory 3/file 60'));
    renameSync(join(many, 'directory 4'), join(many, 'directory four'));
    latest = await cluster.backup(origin, [odd, many]);
    expect(latest).toMatchObject({ state: 'committed', files_changed: 1, files_new: 20 });
    expect(latest.data_added).toBeLessThan(1_000_000);
  });

  it('says in the status of every site that the dataset outlives any two more losses', async () => {
    for (const { name } of fiveSites) {
      await until(`${name} has heard of the newest snapshot`, 30_000, async () =>
        (await cluster.snapshots(name)).some(({ id }) => id === latest.snapshot_id),
      );
      const { out } = await cluster.expect(0, ['status', '--json'], name);
      const dataset = messages(out).find(({ message_type }) => message_type === 'dataset');
      expect(dataset, name).toMatchObject({
        name: origin,
        snapshots: 3,
        restorable: {
          snapshot: latest.snapshot_id,
          is_restorable_now: true,
          sites_may_fail: 2,
          sites: fiveSites.map((site) => site.name),
        },
      });
    }
  });

  it('finds nothing to make anew, whoever is asked and for however much', async () => {
    for (const options of [[], ['--all'], ['--dry-run']]) {
      const { out } = await cluster.expect(0, ['repair', ...options], 'fra1');
      expect(out).toContain('every shard is where it should be');
    }
    const both = await cluster.expect(2, ['repair', '--all', '--dry-run'], 'fra1');
    expect(both.err).toContain('--dry-run');
  });

  it('shows with the kit what the snapshots hold, which the sites themselves cannot', async () => {
    const kit = await cluster.recovery('sin1');
    const listed = await cluster.expect(0, ['snapshots', '--json', ...kit]);
    const ids = (JSON.parse(listed.out) as { id: string }[]).map(({ id }) => id);
    expect(ids).toHaveLength(3);
    const [oldest = '', , newest = ''] = ids;

    const found = await cluster.expect(0, ['find', 'file 60', '--json', ...kit]);
    const hits = messages(found.out).map(({ snapshot }) => snapshot);
    expect(hits, 'only the snapshots before it was deleted').toEqual(ids.slice(0, 2));

    const path = `${many}/directory 5`;
    const list = await cluster.expect(0, ['ls', '-r', `latest:${path}`, '--json', ...kit]);
    const files = messages(list.out).filter(({ type }) => type === 'file');
    expect(files.map((file) => file.path)).toContain(`${path}/file 100`);
    expect(files).toHaveLength(20);

    const diff = await cluster.expect(0, ['diff', oldest, newest, '--json', ...kit]);
    const summary = messages(diff.out).at(-1);
    expect(summary).toMatchObject({ message_type: 'summary', content: 1 });
    const changed = messages(diff.out).filter(({ change }) => change === 'content');
    expect(changed.map((change) => change.path)).toEqual([large]);

    const dump = await cluster.expect(0, ['dump', `${oldest}:${many}/directory 3/file 60`, ...kit]);
    expect(dump.out.length).toBeGreaterThan(0);
    const refused = await cluster.expect(12, ['ls', 'latest'], 'sin1');
    expect(refused.err).toContain('kit');
  });

  it.each([
    { lost: [origin, 'nyc1'], survivor: 'sfo1' },
    { lost: ['fra1', 'sin1'], survivor: 'nyc1' },
    { lost: ['sfo1', origin], survivor: 'fra1' },
  ])('restores everything exactly from the survivors when $lost are killed', async (pair) => {
    for (const site of pair.lost) await cluster.kill(site);
    expect(await restoreAndCompare('latest', pair.survivor)).toEqual([]);
    const silent = { silent_hosts: [...pair.lost].sort() };
    const repair = await cluster.expect(0, ['repair', '--dry-run', '--json'], pair.survivor);
    expect(messages(repair.out)).toMatchObject([silent]);
    const loss = ['layout', 'plan', '--what-if', `lose ${pair.survivor}`, '--json'];
    expect(messages((await cluster.expect(0, loss, pair.survivor)).out)).toMatchObject([silent]);
    for (const site of pair.lost) await cluster.start(site);
    await cluster.untilConnected();
  });

  it('backs up on after the losses, and outlives two again', async () => {
    writeFileSync(join(many, 'after the losses'), 'new');
    const summary = await cluster.backup(origin, [odd, many]);
    expect(summary).toMatchObject({ state: 'committed', files_new: 1, missing_sites: [] });
    const dump = ['dump', `latest:${many}/after the losses`, ...(await cluster.recovery('fra1'))];
    expect((await cluster.expect(0, dump)).out).toBe('new');
    expect(readFileSync(join(many, 'after the losses'), 'utf8')).toBe('new');
  });

  it('holds all of it where the policy wants a full copy: that host alone restores everything', async () => {
    const near = 'sfo1';
    const policy = join(cluster.root, 'policy.json');
    const rule = { match: '*', tiers: { hot: { sites: [near] } } };
    writeFileSync(policy, JSON.stringify({ datasets: [rule] }));
    await cluster.expect(0, ['policy', 'propose', policy], origin);
    await until(`a full copy at ${near}`, 240_000, async () => {
      const { datasets } = await cluster.api(near).status();
      const copy = datasets[0]?.hot?.find(({ site }) => site === near);
      return copy !== undefined && copy.packs > 0 && copy.copied === copy.packs;
    });
    for (const { name } of fiveSites) if (name !== near) await cluster.kill(name);
    expect(await restoreAndCompare('latest', near)).toEqual([]);
  });
});
