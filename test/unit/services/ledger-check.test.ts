import { beforeEach, describe, expect, test } from 'vitest';
import { sealEnvelope } from '../../../src/core/format/envelope.ts';
import {
  encodeStatement,
  manifestStream,
  type Statement,
} from '../../../src/core/format/statement.ts';
import { generation } from '../../../src/core/protocol/opened-statement.ts';
import { badStatements } from '../../../src/services/ledger-check.ts';
import { Ledger } from '../../../src/services/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryStatementLog } from '../../support/memory-statement-log.ts';
import {
  SampleCluster,
  sampleAgent,
  sampleDataset,
  sampleManifest,
} from '../../support/sample-cluster.ts';

const home = sampleDataset('home');
const bergen = sampleAgent('bergen');
const { signal } = new AbortController();

let cluster: SampleCluster;
let log: MemoryStatementLog;
let ledger: Ledger | undefined;
let manifests: { envelope: Uint8Array; statement: Statement; hash: Uint8Array }[];

const stream = manifestStream(home.id);
const name = () => ({ writer: cluster.founder.agentKey, stream });

beforeEach(async () => {
  cluster = new SampleCluster();
  log = new MemoryStatementLog();
  const secret = cluster.founder.statementSecret;
  ledger = await open();
  for (const envelope of cluster.admit(bergen)) await ledger.ingest(envelope);
  await ledger.ingest(cluster.sign(secret, home).envelope);
  manifests = [];
  for (let i = 0; i < 3; i++) {
    const last = manifests.at(-1);
    const after = last && { sequence: last.statement.sequence, hash: last.hash };
    const manifest = cluster.sign(secret, sampleManifest(home.id, after));
    manifests.push(manifest);
    expect(await ledger.ingest(manifest.envelope)).toMatchObject({ outcome: 'accepted' });
  }
});

function open(): Promise<Ledger> {
  return Ledger.open({ genesisBytes: cluster.genesisBytes, log, clock: new ManualClock() });
}

/** What a check finds once the disk has been edited under an agent that runs. */
async function foundAfter(sequence: number, change: (envelope: Uint8Array) => Uint8Array) {
  if (ledger === undefined) throw new Error('no ledger is open');
  log.damage(name(), sequence, change);
  return badStatements(ledger, signal);
}

function signedBy(secret: Uint8Array, statement: Statement): Uint8Array {
  const payload = encodeStatement(statement);
  const sealed = { type: 'statement', cluster: cluster.id, generation, payload } as const;
  return sealEnvelope({ ...sealed, secrets: [secret] }).bytes;
}

describe('the record of statements on the disk', () => {
  test('is well as it was written', async () => {
    expect(await badStatements(await open(), signal)).toEqual([]);
  });

  test('is found edited where one was signed again with another key', async () => {
    const [, second] = manifests as [unknown, (typeof manifests)[0]];
    const found = await foundAfter(2, () => signedBy(bergen.statementSecret, second.statement));
    expect(found).toMatchObject([
      { ...name(), sequence: 2, problem: expect.stringContaining('not signed by its writer') },
    ]);
  });

  test('is found edited where a signature was lost, or belongs to other words', async () => {
    const lost = (envelope: Uint8Array) => envelope.with(-1, (envelope.at(-1) ?? 0) ^ 1);
    expect(await foundAfter(3, lost)).toMatchObject([
      { sequence: 3, problem: expect.stringContaining('is wrong') },
    ]);
  });

  test('is found edited where its writer has signed other words for the place', async () => {
    const secret = cluster.founder.statementSecret;
    const [first, second] = manifests as [(typeof manifests)[0], (typeof manifests)[0]];
    const other = { ...second.statement, timeMs: second.statement.timeMs + 1 };
    expect(await foundAfter(2, () => signedBy(secret, other))).toMatchObject([
      { sequence: 3, problem: 'it does not follow the one before it' },
    ]);
    log.damage(name(), 2, () => second.envelope);
    expect(await foundAfter(3, () => first.envelope)).toMatchObject([
      { sequence: 3, problem: 'it is of another place in its sequence' },
    ]);
  });

  test('is well where it holds the proof of a second history', async () => {
    const secret = cluster.founder.statementSecret;
    const [first] = manifests as [(typeof manifests)[0]];
    const after = { sequence: 1, hash: first.hash };
    const forked = sampleManifest(home.id, after, { host: 'clone' });
    const ledger = await open();
    await ledger.ingest(cluster.sign(secret, forked, { after }).envelope);
    expect(ledger.forks()).toHaveLength(1);
    expect(await badStatements(ledger, signal)).toEqual([]);
  });

  test('is left alone once nobody waits for the answer', async () => {
    const stopped = AbortSignal.abort(new Error('stopped'));
    await expect(badStatements(await open(), stopped)).rejects.toThrow('stopped');
  });
});
