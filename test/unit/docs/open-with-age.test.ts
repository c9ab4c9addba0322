import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ageSealer } from '../../../src/adapters/age/sealer.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { encodeKeyRecord } from '../../../src/core/format/key-record.ts';
import { manifestStream } from '../../../src/core/format/statement.ts';
import { BackupBench } from '../../support/backup-run.ts';
import { BackupCluster, type BackupSite, home } from '../../support/backup-site.ts';
import { heldShards } from '../../support/held-shards.ts';
import { PlantedTree } from '../../support/planted-tree.ts';
import { TroubledSource } from '../../support/scan-bench.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const script = fileURLToPath(new URL('../../../docs/open-with-age.mjs', import.meta.url));
const command = fileURLToPath(new URL('../../support/age-command.mjs', import.meta.url));
const found = spawnSync('age', ['--version'], { encoding: 'utf8' });
const isHere = found.status === 0;
const why = isHere ? '' : ' (skipped: age is not installed: apt-get install age)';

const source = new TroubledSource();
const scratch = scratchDirectory();
const sealer = ageSealer();
const tree = new PlantedTree();

beforeAll(() => tree.plant());

afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await tree[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

/**
 * A snapshot under the epoch, and a copy of what members have on their disks: shards, key record, manifest. Of several
 * sites one is lost, and data shards with it.
 */
async function member(
  name: string,
  { epoch, person, siteCount = 1 }: { epoch: string; person: string; siteCount?: number },
): Promise<string[]> {
  await using cluster = await BackupCluster.open(siteCount, {
    surviveSites: siteCount > 1 ? 1 : 0,
  });
  const site = cluster.sites[0] as BackupSite;
  const recipient = await identityToRecipient(epoch);
  await new BackupBench(site, source, { sealer, recipient }).run([tree.path]);
  const { agentKey: writer } = site.agent;
  const directory = join(scratch.path, name);
  mkdirSync(join(directory, 'keys'), { recursive: true });
  for (const [i, { directory: shards }] of cluster.sites.entries()) {
    const copy = join(directory, String(i));
    mkdirSync(copy);
    execFileSync('cp', ['-r', shards, join(copy, 'shards')]);
  }
  if (siteCount > 1) {
    const isData = (i: number) =>
      heldShards(join(directory, String(i))).some(
        ({ type, index }) => type === 'data' && index === 0,
      );
    const lost = cluster.sites.findIndex((_, i) => isData(i));
    rmSync(join(directory, String(lost)), { recursive: true });
  }
  const files = [await sealer.seal([await identityToRecipient(person)], utf8(epoch))];
  const of = { writer, dataset: home.id, epoch: 1 };
  const { hash, bytes } = encodeKeyRecord({ ...of, kitVersion: 1, recipients: [], files });
  writeFileSync(join(directory, 'keys', hash), bytes);
  const [manifest] = await site.ledger.read(writer, manifestStream(home.id), 1, 1);
  writeFileSync(join(directory, 'statements'), manifest as Uint8Array);
  const identity = join(scratch.path, `${name}.identity`);
  writeFileSync(identity, person, { mode: 0o600 });
  return [script, identity, join(scratch.path, `${name}.out`), directory];
}

function expectSame([, , out]: string[]): void {
  const made = join(out ?? '', tree.path);
  expect(execFileSync('diff', ['-r', tree.path, made], { encoding: 'utf8' })).toBe('');
}

// Debian's age 1.1 knows no hybrid keys. The format is the same for both kinds, so a classical epoch shows the path.
describe.skipIf(!isHere)(`stock age and the text of the format alone${why}`, () => {
  test('open a snapshot, byte by byte', async () => {
    const [epoch, person] = [await generateX25519Identity(), await generateX25519Identity()];
    const args = await member('classical', { epoch, person });
    execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' });
    expectSame(args);
  });
});

test('a hybrid epoch, as all datasets have, opens the same way, from the sites that are left', async () => {
  const bin = join(scratch.path, 'bin');
  mkdirSync(bin);
  const run = `exec '${process.execPath}' '${command}' "$@"`;
  const text = `#!/bin/sh\nif [ "$1" = --version ]; then echo 1.3.1; else ${run}; fi\n`;
  writeFileSync(join(bin, 'age'), text);
  chmodSync(join(bin, 'age'), 0o755);
  const [epoch, person] = [await generateHybridIdentity(), await generateHybridIdentity()];
  const args = await member('hybrid', { epoch, person, siteCount: 5 });
  // As the recovery kit has it: among other words, and broken in two.
  const [identity] = [args[1] as string];
  const halves = `${person.slice(0, 64)}\n              ${person.slice(64)}`;
  writeFileSync(identity, `# KIT\nIdentity:     ${halves}\nCheck:        87950685\n`);
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  execFileSync(process.execPath, args, { encoding: 'utf8', env });
  expectSame(args);
});

test('an age that is too old is named, instead of a key that seems wrong', async () => {
  const bin = join(scratch.path, 'old');
  mkdirSync(bin);
  writeFileSync(join(bin, 'age'), '#!/bin/sh\necho 1.1.1\n');
  chmodSync(join(bin, 'age'), 0o755);
  const identity = join(scratch.path, 'hybrid.key');
  writeFileSync(identity, await generateHybridIdentity());
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const args = [script, identity, join(scratch.path, 'none'), scratch.path];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  expect(status).toBe(12);
  expect(stderr).toContain('age 1.1.1 reads no hybrid keys');
});
