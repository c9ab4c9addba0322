import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Cluster, threeSites } from '../support/cluster.ts';
import { filesBelow, packSecrets } from '../support/pack-secrets.ts';
import { findInMemory } from '../support/process-memory.ts';
import { randomBytes } from '../support/sample-files.ts';

const cluster = new Cluster();
const origin = threeSites[0]?.name ?? '';
let secrets: ReadonlyMap<string, Uint8Array>;

beforeAll(async () => {
  await cluster.form(threeSites.slice(0, 1), { surviveSites: 0 });
  const source = join(cluster.root, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'large'), randomBytes('sealed', 40_000_000));
  await cluster.backup(origin, [source]);
  secrets = await packSecrets(cluster.kit, cluster.state(origin));
}, 180_000);

afterAll(() => cluster[Symbol.asyncDispose]());

it('knows what it looks for', () => {
  expect(secrets.size).toBeGreaterThan(6);
  expect(secrets.get('seed of the kit')).toHaveLength(32);
});

it('a source whose memory is stolen after a backup gives nothing away that opens a pack', () => {
  const own = readdirSync(join(cluster.state(origin), 'datasets'));
  const chunkKey = readFileSync(join(cluster.state(origin), 'datasets', own[0] ?? '')).subarray(40);
  // What a source needs to recognise chunks stays in memory: finding it shows that the search finds.
  const all = new Map([...secrets, ['chunk ids', new Uint8Array(chunkKey)]]);
  const { sightings, bytes } = findInMemory(cluster.pid(origin), all);
  expect(bytes).toBeGreaterThan(30_000_000);
  expect(sightings.map(({ name }) => name)).toContain('chunk ids');
  expect(sightings.filter(({ name }) => name !== 'chunk ids')).toEqual([]);
}, 60_000);

it('a source whose disk is stolen has nothing in its state or its log that opens a pack', () => {
  const files = filesBelow(cluster.state(origin)).map(({ bytes }) => bytes);
  expect(files.length).toBeGreaterThan(10);
  for (const [name, secret] of secrets) {
    for (const file of files) expect(file.includes(Buffer.from(secret)), name).toBe(false);
  }
});
