import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { minuteMs } from '../../../src/base/units.ts';
import { hash } from '../../../src/core/crypto/hash.ts';
import { publicKeyOf } from '../../../src/core/crypto/signature.ts';
import { encodeCommand } from '../../../src/core/format/control-command.ts';
import type {
  CommandHash,
  CommandId,
  ControlBody,
  ControlCommand,
  SplitId,
} from '../../../src/core/format/control-records.ts';
import { sealEnvelope } from '../../../src/core/format/envelope.ts';
import { clusterIdOf, encodeGenesis } from '../../../src/core/format/genesis.ts';
import { type AgentKey, type DatasetId, idOf } from '../../../src/core/ids.ts';
import { encodePlan, planHash } from '../../../src/core/policy/plan-text.ts';
import type { PolicyDocument } from '../../../src/core/policy/policy-document.ts';
import { encodePolicy } from '../../../src/core/policy/policy-text.ts';
import type { RestorePlan } from '../../../src/core/policy/restore-plan.ts';
import * as sample from '../../unit/core/format/samples.ts';

const { agentKey, agentSecret, filled, operatorSecret } = sample;

export const genesis = encodeGenesis(sample.genesis);
export const cluster = clusterIdOf(genesis);
export const timeMs = 1_767_225_600_000;

const keyOf = (secret: Uint8Array): AgentKey => idOf<AgentKey>(publicKeyOf(secret));

/** The founder and two others. */
const voterSecrets = [agentSecret, filled(31), filled(32)];
const strangerSecret = filled(33);
export const voters = voterSecrets.map(keyOf).sort();
export const operatorKey = keyOf(operatorSecret);
export const strangerKey = keyOf(strangerSecret);

/** Of all who have signed something in the vectors, by public key. */
export const secrets: ReadonlyMap<string, Uint8Array> = new Map(
  [...voterSecrets, operatorSecret, strangerSecret].map((secret) => [keyOf(secret), secret]),
);

const dataset = idOf<DatasetId>(filled(7, 16));

export const plan: RestorePlan = {
  version: 1,
  name: 'database-to-bergen',
  target: { site: 'bergen' },
  datasets: [
    {
      name: 'Büro "db"',
      id: dataset,
      writer: agentKey,
      snapshot: idOf(filled(14)),
      sequence: 2,
      path: '',
    },
  ],
  steps: [
    {
      id: 'restore',
      kind: 'restore',
      after: [],
      dataset: 'Büro "db"',
      to: '/srv/db',
      timeoutMs: 3_600_000,
      attempts: 3,
    },
    {
      id: 'start',
      kind: 'hook',
      after: ['restore'],
      on: 'nas-2',
      argv: ['/usr/bin/systemctl', 'start', 'postgresql'],
      undo: ['/usr/bin/systemctl', 'stop', 'postgresql'],
      timeoutMs: 60_000,
      attempts: 1,
    },
    {
      id: 'answers',
      kind: 'check',
      after: ['start'],
      probe: { kind: 'tcp', address: '[::1]:5432' },
      timeoutMs: 1000,
      attempts: 10,
    },
    {
      id: 'promote',
      kind: 'promote',
      after: ['answers'],
      dataset: 'Büro "db"',
      timeoutMs: 600_000,
      attempts: 1,
    },
  ],
  onFailure: 'roll-back',
  created: '2026-01-01 by ada',
};

export const planBytes = encodePlan(plan);
const ofRun = { plan: planHash(planBytes), run: 1 };
const fence = { generation: 1, index: 2 ** 40 };
const slot = { dataset, incarnation: 1, fence };

/** Every field that there is. */
export const policy: PolicyDocument = {
  survive: { sites: 2 },
  siteLostAfter: '15m',
  failover: {
    action: 'restore',
    standby: [
      { dataset, site: 'bergen', plan: ofRun.plan },
      { dataset: idOf<DatasetId>(filled(8, 16)), site: 'oslo' },
    ],
  },
  decreeNotice: '30m',
  destructiveDelay: '72h',
  expiry: { veto: '7d', trash: '1w' },
  datasets: [
    {
      match: 'Büro *',
      retention: {
        ...{ keepLast: 3, keepHourly: 0, keepDaily: 14, keepWeekly: 8, keepMonthly: 12 },
        ...{ keepYearly: 10, keepWithin: '30d', keepTags: ['audit'] },
      },
      lock: { mode: 'governance', for: '30d' },
      budget: { perDay: '50GiB', total: '1TiB', over: 'quarantine' },
      regions: ['eu-*', 'north'],
      restore: { approvals: 1, by: ['Ada'] },
      tripwire: {
        ...{ changedPercent: 50, deletedPercent: 50, entropyPercent: 30 },
        canaries: ['/srv/canary'],
      },
    },
    { match: '*', lock: { mode: 'none' } },
  ],
};

const filledId = toHex(filled(16, 16)) as CommandId;
const selection = {
  dataset,
  writer: agentKey,
  ranges: [
    { first: 1, last: 1 },
    { first: 3, last: 5 },
  ],
  reason: 'made by mistake',
};

export const policyBody: ControlBody = {
  kind: 'policy',
  version: 2,
  base: 1,
  document: encodePolicy(policy),
};

export const planBody: ControlBody = { kind: 'plan', plan: planBytes, hash: ofRun.plan };

/** One or two of each kind. */
export const bodies: readonly ControlBody[] = [
  { kind: 'layout', version: 2, base: 1, mode: 'auto', voters: [] },
  { kind: 'layout', version: 3, base: 2, mode: 'pinned', voters },
  policyBody,
  planBody,
  {
    kind: 'grant',
    lastsMs: 86_400_000,
    ...ofRun,
    agent: agentKey,
    sealed: { kind: 'inline', bytes: utf8('age-encryption.org/v1') },
  },
  {
    kind: 'grant',
    lastsMs: 86_400_000,
    ...ofRun,
    agent: agentKey,
    sealed: { kind: 'fact', hash: idOf(filled(15)), size: 5000 },
  },
  { kind: 'assign', ...ofRun, coordinator: agentKey },
  {
    kind: 'mark',
    ...ofRun,
    ...{ step: 'restore', attempt: 1, fence, outcome: 'done', worker: agentKey },
    ...{ detail: '12 files – fine', evidence: utf8('{"files":12}') },
  },
  { kind: 'plan-decision', ...ofRun, decision: 'resume' },
  { kind: 'promote', ...ofRun, ...slot, name: 'Büro "db"', target: agentKey, step: 'promote' },
  { kind: 'fence-vote', ...slot, generation: 1, target: agentKey },
  { kind: 'fence-vote', ...slot, generation: 1, target: undefined },
  { kind: 'demote', dataset, incarnation: 0 },
  { kind: 'lease', dataset, incarnation: 0, forMs: 60_000 },
  { kind: 'lease', dataset, incarnation: 0, forMs: 0 },
  { kind: 'lease-lapse', dataset, incarnation: 0, generation: 1, index: 12 },
  { kind: 'isolate', agent: agentKey, dataset, reason: 'its power is cut' },
  { kind: 'isolate', agent: agentKey, dataset: undefined, reason: 'stolen' },
  { kind: 'reinstate', agent: agentKey, dataset },
  { kind: 'vouch', note: 'of a log\n\n— holdfast/aa AAAAAAA=\n' },
  { kind: 'abandon', dataset, incarnation: 1, reason: 'fra1 must not go live' },
  {
    kind: 'anchor',
    manifests: [statement('manifest 2 of a dataset'), statement('manifest 7 of another')],
  },
  { kind: 'site-report', site: 'oslo', state: 'lost' },
  {
    kind: 'keys',
    version: 2,
    base: 1,
    kit: { recipient: `age1pq1${'q'.repeat(60)}`, recoveryKey: idOf(filled(16)) },
    sets: [
      { of: undefined, recipients: [{ name: 'ada', recipient: `age1${'z'.repeat(58)}` }] },
      { of: { writer: agentKey, dataset }, recipients: [] },
    ],
    records: [
      { writer: agentKey, dataset, epoch: 1, base: undefined, record: idOf(filled(17)) },
      { writer: agentKey, dataset, epoch: 2, base: idOf(filled(18)), record: idOf(filled(19)) },
    ],
  },
  { kind: 'key-destroy', writer: agentKey, dataset, epoch: 1, reason: 'by order of a court' },
  {
    kind: 'split',
    kitVersion: 1,
    threshold: 2,
    custodians: [20, 21, 22].map((i) => ({
      name: `custodian ${i}`,
      commitment: filled(i),
      key: keyOf(filled(i)),
    })),
  },
  { kind: 'share-proof', split: toHex(filled(23)) as SplitId, share: 3 },
  { kind: 'admit', invite: statement('invite'), admission: statement('admission') },
  {
    kind: 'propose',
    command: encodeCommand(commandOf(policyBody, 'a proposed policy')),
    lastsMs: 7 * 24 * 60 * minuteMs,
  },
  { kind: 'approve', hash: 'ab'.repeat(32) as CommandHash },
  { kind: 'deny', hash: 'ab'.repeat(32) as CommandHash, reason: 'not before Monday' },
  { kind: 'veto', hash: 'ab'.repeat(32) as CommandHash, reason: 'nobody is on holiday' },
  {
    kind: 'operators',
    version: 2,
    base: 1,
    threshold: 1,
    operators: [...sample.genesis.operators, { name: 'Bea', key: strangerKey, recipient: '' }],
  },
  { kind: 'roles', agent: agentKey, add: ['auditor'], remove: ['source', 'voter'] },
  { kind: 'expel', agent: agentKey, reason: 'stolen from the office' },
  sample.bodies.invite as ControlBody,
  { kind: 'format', version: 2 },
  {
    kind: 'decree',
    generation: 2,
    voters: [agentKey],
    abandoned: [idOf(filled(9))],
    logSize: 6,
    rootHash: filled(10),
    reason: 'two sites have burnt down',
    noticeMs: 30 * minuteMs,
    announcedMs: timeMs,
  },
  { kind: 'time', logTimeMs: timeMs },
  { kind: 'thaw', agent: agentKey, freeze: 2 },
  { kind: 'drain', target: { agent: agentKey }, isOver: false },
  { kind: 'drain', target: { site: 'riga' }, isOver: true },
  { kind: 'hold', dataset, snapshot: undefined, reason: 'case 12' },
  { kind: 'hold', dataset, snapshot: { writer: agentKey, sequence: 3 }, reason: 'case 13' },
  { kind: 'release', hold: filledId, reason: 'case 12 is closed' },
  { kind: 'forget', ...selection },
  { kind: 'undelete', ...selection },
  { kind: 'unlock', ...selection },
  {
    kind: 'expire',
    head: { writer: agentKey, dataset, sequence: 9, hash: idOf(filled(14)) },
    ranges: selection.ranges,
  },
  { kind: 'confirm-expiry', expiry: filledId },
  { kind: 'quarantine', dataset, writer: agentKey, sequence: 4, reason: 'over its budget' },
  { kind: 'clear-quarantine', dataset, writer: agentKey },
  { kind: 'drill', sequence: 7, hash: idOf(filled(61)) },
  { kind: 'clear-suspect', manifest: idOf(filled(41)), reason: 'a migration, done by Anna' },
  {
    kind: 'restore-request',
    agent: agentKey,
    dataset,
    writer: agentKey,
    snapshot: idOf(filled(42)),
    name: 'home',
    path: '/home/anna',
    recipient: `age1${'q'.repeat(58)}`,
    lastsMs: 86_400_000,
    reason: 'the disk of host4 has died',
  },
  {
    kind: 'restore-grant',
    request: 'ab'.repeat(32) as CommandHash,
    sealed: { kind: 'inline', bytes: utf8('an age file') },
    packs: 3,
  },
  {
    kind: 'restore-grant',
    request: 'ab'.repeat(32) as CommandHash,
    sealed: { kind: 'fact', hash: idOf(filled(43)), size: 4096 },
    packs: 70_000,
  },
  { kind: 'restore-use', request: 'ab'.repeat(32) as CommandHash },
  {
    kind: 'restore-end',
    request: 'ab'.repeat(32) as CommandHash,
    outcome: 'used',
    reason: '3 files restored',
  },
];

/** Envelopes inside a command are checked where it is applied, not where it is decoded. */
function statement(what: string): Uint8Array {
  const envelope = { type: 'statement', cluster, generation: 1n, payload: utf8(what) } as const;
  return sealEnvelope({ ...envelope, secrets: [operatorSecret] }).bytes;
}

/** A command whose id follows from its text. */
export function commandOf(body: ControlBody, name: string): ControlCommand {
  const id = toHex(hash('fact', utf8(name)).subarray(0, 16)) as CommandId;
  return { id, timeMs, body };
}
