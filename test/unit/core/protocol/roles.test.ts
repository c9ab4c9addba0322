import { beforeEach, describe, expect, test } from 'vitest';
import { publicKeyOf } from '../../../../src/core/crypto/signature.ts';
import { codeOf } from '../../../../src/core/errors.ts';
import { encodeCommand } from '../../../../src/core/format/control-command.ts';
import type { ControlBody } from '../../../../src/core/format/control-records.ts';
import { type Role, roles } from '../../../../src/core/format/records.ts';
import type { StatementBody } from '../../../../src/core/format/statement.ts';
import { type AgentKey, idOf, type StatementHash } from '../../../../src/core/ids.ts';
import { commandHash } from '../../../../src/core/protocol/control/evidence.ts';
import { mayRelay } from '../../../../src/core/protocol/member.ts';
import { openStatement } from '../../../../src/core/protocol/opened-statement.ts';
import { Roster } from '../../../../src/core/protocol/roster.ts';
import {
  type SampleAgent,
  SampleCluster,
  sampleAgent,
  sampleDataset,
  secretOf,
  startMs,
} from '../../../support/sample-cluster.ts';
import { commandId, SampleControl } from './control/sample-control.ts';

/** What members judge alike, of a member that has one role alone. */
const may: Record<Role, readonly string[]> = {
  source: ['write a dataset'],
  storage: ['sign a receipt'],
  voter: ['say the time', 'relay the log'],
  witness: ['say the time', 'relay the log'],
  relay: ['relay the log'],
  auditor: ['stop what waits'],
  custodian: ['bring a share'],
};

const share = secretOf('a share');
let log: SampleControl;
let roster: Roster;
let agent: SampleAgent;

function begin(role: Role): void {
  agent = sampleAgent('lund', { roles: [role] });
  const cluster = new SampleCluster();
  log = new SampleControl(cluster);
  roster = new Roster(cluster.genesis, cluster.id);
  const [invite, admission] = cluster.admit(agent) as [Uint8Array, Uint8Array];
  for (const envelope of [invite, admission]) take(envelope);
  expect(log.by(log.oslo, { kind: 'admit', invite, admission })).toBe('applied');
  log.configure([log.oslo, agent]);
}

function take(envelope: Uint8Array): void {
  const { statement, signers, hash } = openStatement(envelope, log.cluster.id);
  roster.apply(statement, signers, hash);
}

function isTaken(body: StatementBody): boolean {
  try {
    take(log.cluster.sign(agent.statementSecret, body).envelope);
    return true;
  } catch (error) {
    expect(codeOf(error)).toBe('not-permitted');
    return false;
  }
}

function isApplied(body: ControlBody, ...more: Uint8Array[]): boolean {
  return log.say(body, agent.statementSecret, ...more) === 'applied';
}

/** Destructive, so it waits, whoever has signed it. */
function waiting(): ReturnType<typeof commandHash> {
  const dataset = sampleDataset('home').id;
  const epoch = { writer: log.oslo.agentKey, dataset, epoch: 1 };
  const body = { kind: 'key-destroy', ...epoch, reason: 'x' } as const;
  const id = commandId('destroy');
  expect(log.append(log.seal(body, [log.operator], { id })).outcome).toBe('applied');
  const payload = encodeCommand({ id, timeMs: startMs, body });
  return commandHash(payload, { cluster: log.cluster.id, generation: 1 });
}

function splitAmongTwo(): void {
  const custodians = [share, secretOf('another')].map((secret, i) => ({
    name: `custodian ${i}`,
    commitment: secretOf(`commitment ${i}`),
    key: idOf<AgentKey>(publicKeyOf(secret)),
  }));
  log.byOperator({ kind: 'split', kitVersion: 1, threshold: 2, custodians });
}

const acts: Record<string, () => boolean> = {
  'write a dataset': () => isTaken(sampleDataset('home')),
  'sign a receipt': () =>
    isTaken({
      kind: 'receipt',
      manifest: idOf<StatementHash>(new Uint8Array(32).fill(1)),
      ...{ holdings: [], freeBytes: 0, shardCount: 0 },
    }),
  'say the time': () => isApplied({ kind: 'time', logTimeMs: startMs }),
  'stop what waits': () => isApplied({ kind: 'veto', hash: waiting(), reason: 'no' }),
  'bring a share': () => {
    splitAmongTwo();
    const { id } = log.state.escrow.current ?? {};
    return id !== undefined && isApplied({ kind: 'share-proof', split: id, share: 1 }, share);
  },
  'relay the log': () => mayRelay(roster.memberByName('lund-host')),
};

describe.each(roles)('a member that is %s alone', (role) => {
  beforeEach(() => begin(role));

  test.each(Object.keys(acts))('and what it may: %s', (act) => {
    expect(acts[act]?.()).toBe(may[role].includes(act));
  });
});
