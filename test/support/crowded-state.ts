import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStateDirectory } from '../../src/adapters/fs/state-directory.ts';
import { openStatementLog } from '../../src/adapters/fs/statement-log.ts';
import { loadIdentity, stateFiles } from '../../src/agent/compose/identity.ts';
import { quietLog } from '../../src/agent/compose/quiet-log.ts';
import { hourMs } from '../../src/base/units.ts';
import { publicKeyOf, sign } from '../../src/core/crypto/signature.ts';
import { sealEnvelope } from '../../src/core/format/envelope.ts';
import { admissionMessage, encodeDescriptor } from '../../src/core/format/genesis.ts';
import { inviteSecret } from '../../src/core/format/invite-code.ts';
import { encodeStatement, streamOf } from '../../src/core/format/statement.ts';
import type { StatementBody } from '../../src/core/format/statement.ts';
import { type AgentKey, idOf, type StatementHash } from '../../src/core/ids.ts';
import { generation } from '../../src/core/protocol/opened-statement.ts';
import { Ledger } from '../../src/services/ledger.ts';
import { sampleAgent, secretOf } from './sample-cluster.ts';

/**
 * Makes a stopped agent that has backed up once one of a large, old cluster: members that are all away, and a snapshot an
 * hour, each signed as the real ones are, with receipts.
 */
export async function crowdState(
  stateDir: string,
  { members, snapshots }: { members: number; snapshots: number },
): Promise<void> {
  const state = await openStateDirectory(stateDir, { create: false });
  const { agentKey, statementSecret } = await loadIdentity(state);
  const operatorSecret = await state.readSecret(stateFiles.operator);
  const genesisBytes = await state.readSecret(stateFiles.genesis);
  // In memory: each statement is synced by itself.
  const fast = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const statements = mkdtempSync(join(fast, 'holdfast-crowd-'));
  cpSync(state.paths.statements, statements, { recursive: true });
  try {
    await using log = await openStatementLog(statements, quietLog);
    let nowMs = Date.now();
    const clock = { nowMs: () => nowMs, monotonicMs: () => performance.now() } as never;
    const self = { agentKey, statementSecret };
    const ledger = await Ledger.open({ genesisBytes, log, clock, self });
    for (let i = 0; i < members; i++) await admit(ledger, operatorSecret, agentKey, i);
    nowMs -= snapshots * hourMs;
    let last = ledger.manifests().at(-1)?.hash;
    for (let i = 0; i < snapshots; i++) {
      nowMs += hourMs;
      last = await addSnapshot(ledger, { last, i });
    }
  } finally {
    cpSync(statements, state.paths.statements, { recursive: true });
    rmSync(statements, { recursive: true });
  }
}

/** Two hosts a site, five regions. */
async function admit(
  ledger: Ledger,
  operatorSecret: Uint8Array,
  issuer: AgentKey,
  i: number,
): Promise<void> {
  const site = `site-${String(Math.floor(i / 2)).padStart(2, '0')}`;
  const agent = sampleAgent(site, { name: `host-${i}`, region: `region-${i % 5}` });
  const code = inviteSecret(secretOf(`code ${i}`));
  const inviteKey = idOf<never>(publicKeyOf(code));
  const { region, roles } = agent.descriptor;
  const invite = { inviteKey, site, region, roles, notAfterMs: Date.now() + hourMs, issuer };
  await ledger.appendSigned(signed(ledger, operatorSecret, { kind: 'invite', ...invite }));
  const descriptor = encodeDescriptor(agent.descriptor);
  const message = admissionMessage(ledger.cluster, descriptor);
  await ledger.append('cluster', {
    kind: 'admission',
    ...{ inviteKey, descriptor },
    inviteSignature: sign(code, message),
    agentSignature: sign(agent.statementSecret, message),
  });
}

/** The next statement of somebody who has no agent here. */
function signed(ledger: Ledger, secret: Uint8Array, body: StatementBody): Uint8Array {
  const writer = idOf<AgentKey>(publicKeyOf(secret));
  const stream = streamOf(body);
  const head = ledger.head(writer, stream);
  const payload = encodeStatement({
    ...{ writer, stream, body },
    sequence: (head?.sequence ?? 0) + 1,
    previous: head?.hash ?? new Uint8Array(32),
    timeMs: Date.now(),
  });
  const sealed = { type: 'statement', cluster: ledger.cluster, generation, payload } as const;
  return sealEnvelope({ ...sealed, secrets: [secret] }).bytes;
}

/** As the one before, with other counts. */
async function addSnapshot(
  ledger: Ledger,
  { last: before, i }: { last: StatementHash | undefined; i: number },
): Promise<StatementHash> {
  const last = before === undefined ? undefined : ledger.manifest(before);
  const receipt = last === undefined ? undefined : ledger.receipts(last.hash).at(-1);
  if (last === undefined || receipt === undefined) throw new Error('nothing was backed up before');
  const { manifest } = last;
  const body = {
    kind: 'manifest',
    ...manifest,
    packSegments: await ledger.packSegments(last),
    sequence: manifest.sequence + 1,
    previous: last.hash,
    snapshotKind: 'increment',
    tags: i % 24 === 0 ? [`day-${Math.floor(i / 24)}`] : [],
  } as const;
  const { hash } = await ledger.append(streamOf(body), body);
  const holdings = receipt.shortList ?? [];
  const word = { kind: 'receipt', ...receipt.receipt, holdings, manifest: hash } as const;
  await ledger.append('receipts', word);
  return hash;
}
