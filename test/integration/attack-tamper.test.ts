import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeRecord, encodeRecord, logFileName } from '../../src/adapters/fs/statement-file.ts';
import { sealEnvelope } from '../../src/core/format/envelope.ts';
import { encodeStatement, manifestStream } from '../../src/core/format/statement.ts';
import type { ClusterId, DatasetId } from '../../src/core/ids.ts';
import { generation, openStatement } from '../../src/core/protocol/opened-statement.ts';
import { secretsOf } from '../support/acting-member.ts';
import { Cluster, threeSites, until } from '../support/cluster.ts';

/** Whoever has the disk of a host in hand, and edits what members have signed. */
const cluster = new Cluster();
const [source, , edited] = ['ams1', 'nyc1', 'sin1'] as const;
const tree = join(cluster.root, 'source');
/** On the disk of the edited host: the snapshots of the source. */
let file: string;
let id: ClusterId;

beforeAll(async () => {
  mkdirSync(tree);
  await cluster.form(threeSites, { surviveSites: 1 });
  for (const name of ['first', 'second']) {
    writeFileSync(join(tree, name), name);
    await cluster.backup(source, [tree]);
  }
  const dataset = (await cluster.api(source).status()).datasets[0]?.id as DatasetId;
  const { agentKey, clusterId } = await cluster.api(source).identity();
  id = clusterId as ClusterId;
  const name = logFileName({ writer: agentKey, stream: manifestStream(dataset) });
  file = join(cluster.state(edited), 'statements', name);
  await untilBothAreThere();
});

afterAll(() => cluster[Symbol.asyncDispose]());

async function untilBothAreThere(): Promise<void> {
  await until('both snapshots are there', 120_000, async () => {
    return (await cluster.snapshots(edited)).length === 2;
  });
}

function edit(change: (bytes: Uint8Array) => Uint8Array): void {
  writeFileSync(file, change(new Uint8Array(readFileSync(file))));
}

/** Where the first record begins: behind writer and stream. */
function firstRecord(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer);
  return 16 + view.getUint16(8) + view.getUint16(10);
}

/** The first record, signed with the key of the host that holds it; of the same size. */
function signedAgain(bytes: Uint8Array): Uint8Array {
  const { statement: secret } = secretsOf(cluster.state(edited));
  const start = firstRecord(bytes);
  const record = decodeRecord(bytes.subarray(start));
  if (record === undefined) throw new Error('there is no record');
  const { statement, hash } = openStatement(record.envelope, id);
  const payload = encodeStatement(statement);
  const sealed = { type: 'statement', cluster: id, generation, payload } as const;
  const { bytes: envelope } = sealEnvelope({ ...sealed, secrets: [secret] });
  const forged = encodeRecord({ sequence: 1, hash, envelope });
  const parts = [bytes.subarray(0, start), forged, bytes.subarray(start + record.size)];
  return new Uint8Array(Buffer.concat(parts));
}

describe('a bit that was flipped in what a member has signed', () => {
  it('is found, mended from others, and told with 23 until somebody has looked', async () => {
    await cluster.stop(edited);
    edit((bytes) => {
      const at = firstRecord(bytes) + 100;
      return bytes.with(at, (bytes[at] ?? 0) ^ 4);
    });
    await cluster.start(edited);
    await untilBothAreThere();
    const { err } = await cluster.expect(23, ['check'], edited);
    expect(err).toMatch(/damaged-0: was damaged and put aside; others have given it again/);
    rmSync(`${file}.damaged-0`);
    await cluster.expect(0, ['check'], edited);
  });
});

describe('a manifest that was signed again with another key', () => {
  it('keeps the agent from starting: 23, and what to do', async () => {
    await cluster.stop(edited);
    const genuine = readFileSync(file);
    edit(signedAgain);
    const { err } = await cluster.expect(23, ['agent'], edited);
    expect(err).toMatch(
      /log of this host is damaged[\s\S]*next: look who has had this disk in hand/,
    );
    writeFileSync(file, genuine);
    await cluster.start(edited);
    await cluster.untilConnected();
  });

  it('is found under an agent that runs by whoever has every signature checked', async () => {
    edit(signedAgain);
    const { err } = await cluster.expect(23, ['check', '--read-data'], edited);
    expect(err).toContain(`statement 1 of ${source} in manifests/`);
    expect(err).toContain('not signed by its writer');
  });

  it('restores nobody anything: with 23 where no other member can be asked', async () => {
    const target = join(cluster.root, 'restored');
    expect(await cluster.restore('latest', target, edited)).toMatchObject({ code: 0 });
    for (const site of cluster.running) if (site !== edited) await cluster.stop(site);
    const { code, err } = await cluster.restore('latest', join(cluster.root, 'again'), edited);
    expect(err).toContain(`${edited} handed out a statement that was tampered with`);
    expect(code).toBe(23);
  });
});
