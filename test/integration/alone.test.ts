import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { end, startNode } from '../support/child-process.ts';
import {
  Cluster,
  fiveSites,
  messages,
  summaryOf,
  threeSites,
  told,
  until,
} from '../support/cluster.ts';
import { randomBytes, writeFiles } from '../support/sample-files.ts';

const cluster = new Cluster();
const origin = 'ams1';
const source = join(cluster.root, 'source');
const calm = join(source, 'calm');
const growing = join(source, 'growing');
const vanishing = join(source, 'vanishing');
const writer = fileURLToPath(new URL('../support/restless-writer.ts', import.meta.url));
const broughtWithinMs = 45_000;

beforeAll(async () => {
  for (const path of [calm, growing, vanishing]) mkdirSync(path, { recursive: true });
  writeFiles(calm, { count: 500, seed: 'calm', sizeMax: 10_000 });
  // Large enough that the backup lasts for as long as others change beside them.
  writeFileSync(join(calm, 'large'), randomBytes('calm', 30_000_000));
  for (const name of ['one', 'two']) {
    writeFileSync(join(growing, name), randomBytes(name, 5_000_000));
  }
  for (let i = 0; i < 4000; i++) writeFileSync(join(vanishing, `file ${i}`), `file ${i}`);
  await cluster.form(threeSites.slice(0, 1), { surviveSites: 2 });
});

afterAll(() => cluster[Symbol.asyncDispose]());

describe('files that change while they are backed up', () => {
  let unstable: unknown[];

  it('are listed one by one, and the backup exits 3', async () => {
    const child = startNode([writer, growing, vanishing], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (child.stdout !== null) await once(child.stdout, 'data');
    const outcome = await cluster.run(['backup', source, '--json'], origin);
    await end(child, 'SIGKILL');
    expect(outcome.code, told(outcome)).toBe(3);
    const problems = messages(outcome.err).filter(({ during }) => during === 'backup');
    unstable = problems.map(({ item }) => item);
    expect(unstable).toEqual(expect.arrayContaining([join(growing, 'one'), join(growing, 'two')]));
    const vanished = problems.filter(({ item }) => String(item).startsWith(vanishing));
    expect(vanished.length, 'files that were listed and gone when their turn came').toBeGreaterThan(
      0,
    );
    expect(vanished[0]).toMatchObject({ error: { message: expect.stringContaining('vanished') } });
    expect(summaryOf(outcome)).toMatchObject({
      state: 'committed',
      error_count: problems.length,
      files_unstable: problems.length,
    });
  });

  it('leave all others exact in the restore, and are there in some state that they had', async () => {
    const target = join(cluster.root, 'restored');
    const outcome = await cluster.restore('latest', target, origin);
    expect(outcome.code, told(outcome)).toBe(0);
    const at = (path: string): string => join(target, path);
    expect(await compareTrees(calm, at(calm))).toEqual([]);
    for (const name of readdirSync(growing)) {
      const stored = readFileSync(at(join(growing, name)));
      const now = readFileSync(join(growing, name)).subarray(0, stored.length);
      expect(stored.equals(now), 'what was appended to begins as it is now').toBe(true);
    }
    const [left, restored] = [vanishing, at(vanishing)].map((path) => new Set(readdirSync(path)));
    for (const name of left ?? []) expect(restored).toContain(name);
    for (const name of restored ?? []) expect(unstable).not.toContain(join(vanishing, name));
    rmSync(target, { recursive: true });
  });

  it('are taken up by the next backup, when they rest again', async () => {
    const summary = await cluster.backup(origin, [source]);
    expect(summary).toMatchObject({ state: 'committed', error_count: 0, files_unstable: 0 });
    const target = join(cluster.root, 'restored');
    const outcome = await cluster.restore('latest', target, origin);
    expect(outcome.code, told(outcome)).toBe(0);
    expect(await compareTrees(source, join(target, source))).toEqual([]);
    rmSync(target, { recursive: true });
  });
});

describe('a cluster that has backed up before it grows', () => {
  const others = fiveSites.filter(({ name }) => name !== origin);

  it('brings what it holds to its new sites with its next backups, until any two may fail', async () => {
    for (const site of others) {
      await cluster.join(site.name, await cluster.invite(site, { through: origin }));
      await cluster.start(site.name);
    }
    await cluster.untilConnected();
    await until('any two sites may fail', broughtWithinMs, async () => {
      await cluster.run(['backup', source], origin);
      const [dataset] = (await cluster.api(origin).status()).datasets;
      return dataset?.restorable?.sitesMayFail === 2 && dataset.pending === undefined;
    });
    for (const site of [origin, 'nyc1']) await cluster.kill(site);
    const target = join(cluster.root, 'restored');
    const outcome = await cluster.restore('latest', target, 'sin1');
    expect(outcome.code, told(outcome)).toBe(0);
    expect(await compareTrees(source, join(target, source))).toEqual([]);
  });
});
