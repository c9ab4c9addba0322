import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MiB } from '../../src/base/units.ts';
import { Cluster, messages, summaryOf, threeSites } from '../support/cluster.ts';
import { heldShards } from '../support/held-shards.ts';

/** In the long form, `npm run attacks`, as many as people back up. */
const chunkCount = process.env.ATTACK_SNAPSHOTS === undefined ? 1000 : 100_000;
const filesPerDirectory = 1000;

const cluster = new Cluster();
const host = threeSites[0]?.name ?? '';
const source = join(cluster.root, 'source');

/** Each file is a chunk of its own. */
beforeAll(async () => {
  for (let i = 0; i < chunkCount; i++) {
    const directory = join(source, String(Math.floor(i / filesPerDirectory)));
    if (i % filesPerDirectory === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, String(i)), `chunk ${i} `.repeat(50));
  }
  await cluster.form(threeSites.slice(0, 1), { surviveSites: 0 });
  await cluster.backup(host, ['--dataset', 'home', source]);
}, 600_000);

afterAll(() => cluster[Symbol.asyncDispose]());

/** What cannot be the same when a shard was written again. */
function shards(): string[] {
  return heldShards(cluster.state(host)).map(({ path }) => {
    const { ino, size, mtimeMs } = statSync(path);
    return `${path} ${ino} ${size} ${mtimeMs}`;
  });
}

function spent(): { cpuSeconds: number; bytesWritten: number } {
  const of = (name: string): string => readFileSync(`/proc/${cluster.pid(host)}/${name}`, 'utf8');
  const fields = of('stat').split(' ');
  return {
    cpuSeconds: (Number(fields[13]) + Number(fields[14])) / 100,
    bytesWritten: Number(/^wchar: (\d+)$/m.exec(of('io'))?.[1]),
  };
}

it(`the epoch and all recipients of ${chunkCount} chunks are rotated in seconds, and no data is written again`, async () => {
  const [shardsBefore, before] = [shards(), spent()];
  const identity = await generateHybridIdentity();
  const anna = join(cluster.root, 'anna');
  writeFileSync(anna, `${identity}\n`, { mode: 0o600 });
  const recipient = join(cluster.root, 'anna.pub');
  writeFileSync(recipient, await identityToRecipient(identity));
  const kit = join(cluster.root, 'new-kit');
  const steps = [
    ['rotate', 'home'],
    ['add', '--all', '--recipient-file', recipient, '--name', 'anna', '--kit', cluster.kit],
    ['kit', '-o', kit, '--kit', cluster.kit],
    ['remove', '--all', 'anna', '--kit', kit],
    ['add', 'home', '--recipient-file', recipient, '--name', 'anna', '--kit', kit],
  ];
  for (const step of steps) await cluster.expect(0, ['key', ...step], host);
  const after = spent();
  expect(shards()).toEqual(shardsBefore);
  // The agent's own work for five decisions; records are some KiB, whatever they open.
  expect(after.cpuSeconds - before.cpuSeconds).toBeLessThan(10);
  expect(after.bytesWritten - before.bytesWritten).toBeLessThan(2 * MiB);
  const { out } = await cluster.expect(0, ['key', 'list', '--json'], host);
  expect(messages(out).filter(({ epoch }) => epoch !== undefined)).toMatchObject([
    { epoch: 1, is_current: false, kit_version: 2, recipients: ['anna'] },
    { epoch: 2, is_current: true, kit_version: 2, recipients: ['anna'] },
  ]);
  const target = join(cluster.root, 'back');
  const first = `latest:${join(source, '0')}`;
  const restored = await cluster.expect(
    0,
    ['restore', first, '--kit', kit, '-t', target, '--json'],
    host,
  );
  expect(summaryOf(restored)).toMatchObject({ files_restored: filesPerDirectory });
}, 600_000);
