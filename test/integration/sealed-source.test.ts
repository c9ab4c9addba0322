import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ageSealer } from '../../src/adapters/age/sealer.ts';
import { fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { decodeKeyRecord } from '../../src/core/format/key-record.ts';
import { decodePackHeader } from '../../src/core/format/pack.ts';
import { parseKit } from '../../src/core/format/recovery-kit.ts';
import { Cluster, threeSites } from '../support/cluster.ts';
import { findInMemory } from '../support/process-memory.ts';
import { randomBytes } from '../support/sample-files.ts';

const cluster = new Cluster();
const origin = threeSites[0]?.name ?? '';
const sealer = ageSealer();
const secrets = new Map<string, Uint8Array>();

beforeAll(async () => {
  await cluster.form(threeSites.slice(0, 1), { surviveSites: 0 });
  const source = join(cluster.root, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'large'), randomBytes('sealed', 40_000_000));
  await cluster.backup(origin, [source]);
  await collectSecrets();
}, 180_000);

afterAll(() => cluster[Symbol.asyncDispose]());

/** Everything that opens what was stored, as whoever holds the kit finds it out. */
async function collectSecrets(): Promise<void> {
  const { identity: kit } = parseKit(readFileSync(cluster.kit, 'utf8'));
  secrets.set('kit', utf8(kit)).set('seed of the kit', seedOf(kit));
  const state = cluster.state(origin);
  const [name = ''] = readdirSync(join(state, 'keys'));
  const { files } = decodeKeyRecord(readFileSync(join(state, 'keys', name)));
  const epoch = fromUtf8(await sealer.open(kit, files[0] as Uint8Array)) ?? '';
  secrets.set('epoch', utf8(epoch)).set('seed of the epoch', seedOf(epoch));
  for (const pack of packsBelow(join(state, 'shards'))) {
    const { sealedKey } = decodePackHeader(pack);
    secrets.set(`key of pack ${secrets.size}`, await sealer.open(epoch, sealedKey));
  }
}

/** With one site every shard is a whole pack: proto/README.md, "Shard file". */
function packsBelow(directory: string): Uint8Array[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)))
    .filter((file) => file.subarray(0, 4).toString('latin1') === 'HFSH')
    .map((file) => file.subarray(Math.ceil((12 + file.readUInt32BE(8)) / 4096) * 4096));
}

/** The bytes in a Bech32 text (BIP 173), without its check. */
function seedOf(identity: string): Uint8Array {
  const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
  const data = identity.toLowerCase().slice(identity.lastIndexOf('1') + 1, -6);
  const bits = [...data].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  const bytes = bits.match(/.{8}/g) ?? [];
  return Uint8Array.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}

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
  const files = readdirSync(cluster.state(origin), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
  expect(files.length).toBeGreaterThan(10);
  for (const [name, secret] of secrets) {
    for (const file of files) expect(file.includes(Buffer.from(secret)), name).toBe(false);
  }
});
