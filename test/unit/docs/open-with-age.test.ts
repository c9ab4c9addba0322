import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ageSealer } from '../../../src/adapters/age/sealer.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { encodeKeyRecord } from '../../../src/core/format/key-record.ts';
import { manifestStream } from '../../../src/core/format/statement.ts';
import { BackupBench } from '../../support/backup-run.ts';
import { BackupCluster, type BackupSite, home } from '../../support/backup-site.ts';
import { PlantedTree } from '../../support/planted-tree.ts';
import { TroubledSource } from '../../support/scan-bench.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const script = fileURLToPath(new URL('../../../docs/open-with-age.mjs', import.meta.url));
const found = spawnSync('age', ['--version'], { encoding: 'utf8' });
const isHere = found.status === 0;
const why = isHere ? '' : ' (skipped: age is not installed: apt-get install age)';

// Debian's age 1.1 knows no hybrid keys. The format is the same for both kinds, so a classical epoch shows the path.
describe.skipIf(!isHere)(`stock age and the text of the format alone${why}`, () => {
  const source = new TroubledSource();
  const scratch = scratchDirectory();
  const sealer = ageSealer();
  const tree = new PlantedTree();
  let cluster: BackupCluster;

  beforeAll(async () => {
    cluster = await BackupCluster.open(1, { surviveSites: 0 });
    tree.plant();
  });

  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
    await tree[Symbol.asyncDispose]();
    await scratch[Symbol.asyncDispose]();
  });

  test('open a snapshot, byte by byte', async () => {
    const site = cluster.sites[0] as BackupSite;
    const [epoch, person] = [await generateX25519Identity(), await generateX25519Identity()];
    const recipient = await identityToRecipient(epoch);
    const bench = new BackupBench(site, source, { sealer, recipient });
    await bench.run([tree.path]);
    const member = join(scratch.path, 'member');
    mkdirSync(join(member, 'keys'), { recursive: true });
    // What a member has on its disk: shards, the key record, and the manifest among its statements.
    execFileSync('cp', ['-r', site.directory, join(member, 'shards')]);
    const files = [await sealer.seal([await identityToRecipient(person)], utf8(epoch))];
    const name = { writer: site.agent.agentKey, dataset: home.id, epoch: 1 };
    const { hash, bytes } = encodeKeyRecord({ ...name, kitVersion: 1, recipients: [], files });
    writeFileSync(join(member, 'keys', hash), bytes);
    const [manifest] = await site.ledger.read(site.agent.agentKey, manifestStream(home.id), 1, 1);
    writeFileSync(join(member, 'statements'), manifest as Uint8Array);
    const identity = join(scratch.path, 'identity');
    writeFileSync(identity, person, { mode: 0o600 });
    const out = join(scratch.path, 'out');
    execFileSync(process.execPath, [script, identity, out, member], { encoding: 'utf8' });
    const differences = execFileSync('diff', ['-r', tree.path, join(out, tree.path)], {
      encoding: 'utf8',
    });
    expect(differences).toBe('');
  });
});
