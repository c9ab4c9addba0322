import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { Cluster, fiveSites, summaryOf, told, until } from '../support/cluster.ts';
import { type BackupStatus, interruptBackup } from '../support/running-backup.ts';
import { randomBytes, writeFiles } from '../support/sample-files.ts';

const cluster = new Cluster();
const origin = 'ams1';
const source = join(cluster.root, 'source');
const deliveredWithinMs = 60_000;
const MB = 1e6;

beforeAll(async () => {
  mkdirSync(source);
  writeFiles(source, { count: 600, seed: 'crash', sizeMax: 8000 });
  await cluster.form(fiveSites, { surviveSites: 2 });
});

afterAll(() => cluster[Symbol.asyncDispose]());

function writeLarge(name: string, size: number): void {
  writeFileSync(join(source, name), randomBytes(name, size));
}

async function expectIntact(snapshot: string, through: string): Promise<void> {
  const target = join(cluster.root, 'restored');
  const outcome = await cluster.restore(snapshot, target, through);
  expect(outcome.code, told(outcome)).toBe(0);
  expect(await compareTrees(source, join(target, source))).toEqual([]);
  rmSync(target, { recursive: true });
}

/** Every shard of every snapshot is read back where it lies. */
async function expectWhole(): Promise<void> {
  const outcome = await cluster.run(['check', '--read-data', '--json'], origin);
  expect(outcome.code, told(outcome)).toBe(0);
  expect(summaryOf(outcome)).toMatchObject({ bad_shards: 0, degraded_packs: 0 });
}

describe('a source that is killed while it backs up', () => {
  const halfWay = 'with half of the bytes sent';
  const moments: { when: string; isReached: (status: BackupStatus) => boolean }[] = [
    { when: 'at the first sign of progress', isReached: () => true },
    { when: 'with the first bytes sent', isReached: ({ bytesSent }) => bytesSent > 0 },
    { when: halfWay, isReached: ({ bytesSent }) => bytesSent > 70 * MB },
    { when: 'with everything read', isReached: ({ bytesDone }) => bytesDone > 98 * MB },
  ];

  it.each(moments)('completes the next backup when killed $when', async ({ when, isReached }) => {
    writeLarge(when, 96 * MB);
    const act = (): Promise<void> => cluster.kill(origin);
    const backup = { site: origin, paths: [source] };
    const { wasRunning, error } = await interruptBackup(cluster, backup, { isReached, act });
    await cluster.start(origin);
    await cluster.untilConnected();
    expect(wasRunning, 'it was killed while it ran').toBe(true);
    expect(error).toMatchObject({ code: 'agent-unreachable' });
    const summary = await cluster.backup(origin, [source]);
    expect(summary).toMatchObject({ state: 'committed', missing_sites: [], error_count: 0 });
    // What the killed one had delivered is not sent again; what arrived last may not have been noted before it died.
    if (when === halfWay) expect(summary.data_added).toBeLessThan(90 * MB);
    rmSync(join(source, when));
  });

  it('has left nothing damaged, and the newest snapshot restores exactly', async () => {
    writeLarge(moments[0]?.when ?? '', 24 * MB);
    await cluster.backup(origin, [source]);
    await expectWhole();
    await expectIntact('latest', 'fra1');
  });
});

it('a backup whose command is killed ends, and the next one is not held up by it', async () => {
  writeLarge('given up', 24 * MB);
  const giveUp = new AbortController();
  const command = cluster.run(['backup', source], origin, { signal: giveUp.signal });
  setTimeout(() => giveUp.abort(), 1500);
  await command;
  const summary = await cluster.backup(origin, [source]);
  expect(summary).toMatchObject({ state: 'committed', missing_sites: [] });
});

describe('a storage peer that is killed in the middle of a transfer', () => {
  const lost = 'nyc1';

  it('does not stop the backup, which says what is still owed to the peer', async () => {
    writeLarge('in transfer', 96 * MB);
    const isReached = ({ bytesSent }: BackupStatus): boolean => bytesSent > 8 * MB;
    const backup = { site: origin, paths: [source] };
    const act = (): Promise<void> => cluster.kill(lost);
    const { wasRunning, last, error } = await interruptBackup(cluster, backup, { isReached, act });
    expect(error).toBeUndefined();
    expect(wasRunning).toBe(true);
    expect(last).toMatchObject({
      type: 'summary',
      summary: { state: 'committed', missingSites: [lost], problems: 0 },
    });
    const again = await cluster.run(['backup', source], origin);
    expect(again.code, told(again)).toBe(22);
    expect(again.err).toMatch(/below policy until nyc1/);
  });

  it('gets the missing shards after its restart, without another backup', async () => {
    await cluster.start(lost);
    await until('nyc1 holds all its shards', deliveredWithinMs, async () => {
      const [dataset] = (await cluster.api(origin).status()).datasets;
      return dataset?.restorable?.sitesMayFail === 2;
    });
    await expectWhole();
  });

  it('serves nothing that is half written: a restore that needs its shards is exact', async () => {
    for (const site of [origin, 'fra1']) await cluster.kill(site);
    await expectIntact('latest', lost);
    for (const site of [origin, 'fra1']) await cluster.start(site);
    await cluster.untilConnected();
  });

  it('that comes back while the backup still runs holds everything soon', async () => {
    writeLarge('in transfer too', 40 * MB);
    const isReached = ({ bytesSent }: BackupStatus): boolean => bytesSent > 8 * MB;
    const act = async (): Promise<void> => {
      await cluster.kill(lost);
      await cluster.start(lost);
    };
    const backup = { site: origin, paths: [source] };
    const { last, error } = await interruptBackup(cluster, backup, { isReached, act });
    expect(error).toBeUndefined();
    expect(last).toMatchObject({ type: 'summary', summary: { state: 'committed' } });
    await until('nyc1 holds all its shards', deliveredWithinMs, async () => {
      const [dataset] = (await cluster.api(origin).status()).datasets;
      return dataset?.restorable?.sitesMayFail === 2;
    });
    await expectWhole();
  });
});
