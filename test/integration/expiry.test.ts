import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dayMs, hourMs } from '../../src/base/units.ts';
import { Cluster, messages, pause, threeSites, until } from '../support/cluster.ts';
import { heldShards } from '../support/held-shards.ts';

const cluster = new Cluster();
const [origin, second] = ['ams1', 'nyc1'];
const sites = [origin, second];
const source = join(cluster.root, 'source');
const clock = join(cluster.root, 'ahead.txt');
const text = (word: string) => Array.from({ length: 4000 }, (_, i) => `${word} ${i}`).join('\n');

let aheadMs = 0;
/** Snapshots, oldest first, and the packs that lay at each site before the second was made. */
let ids: string[];
let before: Map<string, Set<string>>;

/** So much later, for every process of the cluster. */
async function pass(ms: number): Promise<void> {
  aheadMs += ms;
  writeFileSync(clock, String(aheadMs));
  await pause(200);
}

/** Packs at a site, with those in its trash. */
function packsAt(site: string): Set<string> {
  const trash = readdirSync(join(cluster.state(site), 'shards', 'trash'));
  const inTrash = trash.map((name) => name.split('.')[0] ?? '');
  return new Set([...heldShards(cluster.state(site)).map(({ pack }) => pack), ...inTrash]);
}

async function backUp(word: string): Promise<string> {
  writeFileSync(join(source, 'notes.txt'), text(word));
  return String((await cluster.backup(origin, ['--dataset', 'office', source])).snapshot_id);
}

async function stageOf(snapshot: string): Promise<string | undefined> {
  const found = (await cluster.snapshots(second)).find(({ id }) => id === snapshot);
  return found?.keeping?.stage;
}

beforeAll(async () => {
  mkdirSync(source);
  writeFileSync(clock, '0');
  process.env.STEPPED_CLOCK = clock;
  const loader = new URL('../support/stepped-clock.ts', import.meta.url).href;
  process.env.NODE_OPTIONS = `--import=${loader}`;
  await cluster.form(threeSites.slice(0, 2), { surviveSites: 1 });
  const rule = {
    match: 'office',
    retention: { keepLast: 1 },
    lock: { mode: 'compliance', for: '3d' },
  };
  const policy = join(cluster.root, 'policy.json');
  writeFileSync(policy, JSON.stringify({ survive: { sites: 1 }, datasets: [rule] }));
  await cluster.expect(0, ['policy', 'propose', policy], origin);
  ids = [await backUp('first')];
  before = new Map(sites.map((site) => [site, packsAt(site)]));
  await pass(dayMs);
  ids.push(await backUp('second'));
});

afterAll(async () => {
  delete process.env.NODE_OPTIONS;
  delete process.env.STEPPED_CLOCK;
  await cluster[Symbol.asyncDispose]();
});

describe('a snapshot that no rule keeps', () => {
  it('stays while it is locked, and says until when', async () => {
    const [first] = ids as [string, string];
    // Until the voters have told the new day, both may be of one hour, of which the first stays.
    await until('the voters have told the new day', 20_000, async () => {
      const { out } = await cluster.expect(0, ['forget', '--dry-run'], second);
      expect(out).toContain('office of ams1: keep last 1');
      return out.includes('1 snapshot kept, 1 may go.');
    });
    // Each site counts its own lock from when it takes it, so the clocks must not be stepped before.
    for (const site of sites) {
      await until(`${site} has locked it`, 20_000, async () => {
        const { out } = await cluster.expect(0, ['forget', '-n', first], site);
        return /may go +no rule keeps it; locked until/.test(out);
      });
    }
    expect(await stageOf(first)).toBe('live');
  });

  it('goes through veto and trash when the lock has ended and another site reckons alike', async () => {
    const [first] = ids as [string, string];
    await pass(3 * dayMs);
    await until('it is on its way out', 25_000, async () => (await stageOf(first)) === 'veto');
    const { out } = await cluster.expect(0, ['prune'], origin);
    expect(out).toMatch(/office +1 +waits: undelete stops it/);
    await pause(2500);
    await pass(7 * dayMs + hourMs);
    await until('it is in the trash', 20_000, async () => (await stageOf(first)) === 'trash');
    await until('every site has put it aside', 30_000, async () => {
      const reports = await Promise.all(sites.map((site) => cluster.api(site).prune()));
      return reports.every(({ trash }) => trash.shards > 0);
    });
    expect(
      sites.every((site) => [...(before.get(site) ?? [])].every((one) => packsAt(site).has(one))),
    ).toBe(true);
  });

  it('is gone after that: its shards are deleted at every site, one site a day', async () => {
    await pause(2500);
    await pass(7 * dayMs + hourMs);
    const [first] = ids as [string, string];
    await until('it is gone', 20_000, async () => (await stageOf(first)) === undefined);
    // Nobody waits for anybody: a backup runs while the sites delete.
    const third = backUp('third');
    /** When each site was first seen without a pack. */
    const goneMs = new Map<string, Map<string, number>>();
    for (let step = 0; step < 16; step++) {
      const reports = await Promise.all(sites.map((site) => cluster.api(site).prune()));
      for (const site of sites) {
        const left = packsAt(site);
        for (const pack of [...(before.get(site) ?? [])].filter((one) => !left.has(one))) {
          const times = goneMs.get(pack) ?? new Map<string, number>();
          goneMs.set(pack, times.set(site, times.get(site) ?? aheadMs));
        }
      }
      if (reports.every(({ trash }) => trash.shards === 0)) break;
      await pass(6 * hourMs);
    }
    ids.push(await third);
    expect(goneMs.size).toBeGreaterThan(0);
    for (const times of goneMs.values()) {
      const [earlier, later] = [...times.values()].sort((a, b) => a - b);
      expect((later ?? 0) - (earlier ?? 0)).toBeGreaterThanOrEqual(dayMs);
    }
    const { out } = await cluster.expect(0, ['prune', '--json'], origin);
    const prune = messages(out).find(({ message_type }) => message_type === 'prune');
    expect(prune).toMatchObject({ trash: { shards: 0, bytes: 0 }, reasons: [] });
    expect((await cluster.expect(0, ['snapshots'], origin)).out).not.toContain(first.slice(0, 8));
  });

  it('leaves the others whole: they are restored bit by bit', async () => {
    const restored = ['second', 'third'].map(async (word, i) => {
      const target = join(cluster.root, word);
      const { code } = await cluster.restore(ids[i + 1] ?? '', target, second);
      expect(code).toBe(0);
      expect(readFileSync(join(target, source, 'notes.txt'), 'utf8')).toBe(text(word));
    });
    await Promise.all([...restored, cluster.expect(0, ['check', '--read-data'], second)]);
  });
});
