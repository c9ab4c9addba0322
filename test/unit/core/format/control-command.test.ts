import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../../src/base/bytes.ts';
import { publicKeyOf } from '../../../../src/core/crypto/signature.ts';
import { codeOf } from '../../../../src/core/errors.ts';
import { decodeCommand, encodeCommand } from '../../../../src/core/format/control-command.ts';
import { openCommand, sealCommand } from '../../../../src/core/format/control-envelope.ts';
import { controlLimits } from '../../../../src/core/format/control-limits.ts';
import type {
  ControlBody,
  ControlCommand,
  PlanHash,
} from '../../../../src/core/format/control-records.ts';
import { openEnvelope } from '../../../../src/core/format/envelope.ts';
import { type AgentKey, type DatasetId, idOf } from '../../../../src/core/ids.ts';
import { SampleCluster, sampleAgent, secretOf, startMs } from '../../../support/sample-cluster.ts';
import { commandId } from '../protocol/control/sample-control.ts';

const cluster = new SampleCluster();
const agent = sampleAgent('bergen').agentKey;
const dataset = idOf<DatasetId>(secretOf('db').subarray(0, 16));
const plan = 'ab'.repeat(32) as PlanHash;
const fence = { generation: 1, index: 2 ** 40 };
const bytes = Uint8Array.of(1, 2, 3);

const mark = {
  kind: 'mark',
  plan,
  run: 1,
  step: 'restore-db',
  attempt: 1,
  fence,
  outcome: 'done',
  worker: agent,
  detail: 'fine',
  evidence: bytes,
} as const;

const policy = {
  kind: 'policy',
  version: 2,
  base: 1,
  document: utf8('{}'),
} as const;

const decree = {
  kind: 'decree',
  generation: 2,
  voters: [agent],
  abandoned: [],
  logSize: 3,
  rootHash: new Uint8Array(32),
  reason: 'lost',
  noticeMs: 1,
  announcedMs: startMs,
} as const;

const bodies: readonly ControlBody[] = [
  { kind: 'layout', version: 2, base: 1, mode: 'pinned', voters: [agent] },
  policy,
  { kind: 'plan', plan: utf8('{}'), hash: plan },
  { kind: 'grant', plan, run: 1, agent, sealed: { kind: 'inline', bytes }, lastsMs: 86_400_000 },
  {
    kind: 'grant',
    lastsMs: 86_400_000,
    plan,
    run: 1,
    agent,
    sealed: { kind: 'fact', hash: idOf(secretOf('f')), size: 9 },
  },
  { kind: 'assign', plan, run: 1, coordinator: agent },
  mark,
  { kind: 'plan-decision', plan, run: 1, decision: 'roll-back' },
  {
    kind: 'promote',
    dataset,
    name: 'db',
    incarnation: 1,
    target: agent,
    plan,
    run: 1,
    step: 'promote-db',
    fence,
  },
  { kind: 'fence-vote', dataset, incarnation: 1, generation: 1, target: agent, fence },
  { kind: 'fence-vote', dataset, incarnation: 1, generation: 1, target: undefined, fence },
  { kind: 'demote', dataset, incarnation: 0 },
  { kind: 'lease', dataset, incarnation: 0, forMs: 60_000 },
  { kind: 'lease-lapse', dataset, incarnation: 0, generation: 1, index: 12 },
  { kind: 'isolate', agent, dataset, reason: 'off' },
  { kind: 'isolate', agent, dataset: undefined, reason: 'off' },
  { kind: 'reinstate', agent, dataset },
  { kind: 'anchor', manifests: [bytes, utf8('another')] },
  { kind: 'site-report', site: 'oslo', state: 'lost' },
  { kind: 'admit', invite: bytes, admission: bytes },
  decree,
];

const command = (body: ControlBody): ControlCommand => ({
  id: commandId(body.kind),
  timeMs: startMs,
  body,
});

describe('commands', () => {
  test.each(bodies)('$kind comes back as it was', (body) => {
    expect(decodeCommand(encodeCommand(command(body)))).toEqual(command(body));
  });

  test('the samples show every kind', () => {
    expect(new Set(bodies.map(({ kind }) => kind)).size).toBe(18);
  });

  test('what a later version might add is refused: members must reach one state', () => {
    const payload = encodeCommand(command(mark));
    const unknown = new Uint8Array([...payload, 0xc0, 0x0c, 0x01]);
    expect(() => decodeCommand(unknown)).toThrow('not encoded in the one allowed way');
    expect(() => decodeCommand(payload.subarray(0, 30))).toThrow(/says nothing|not a valid/);
  });

  test('a field that stands twice is refused', () => {
    const payload = encodeCommand(command({ kind: 'demote', dataset, incarnation: 1 }));
    const twice = new Uint8Array([...payload.subarray(0, 18), ...payload]);
    expect(() => decodeCommand(twice)).toThrow('not encoded in the one allowed way');
  });

  test('damage never passes for a command of another meaning without notice', () => {
    const payload = encodeCommand(command(mark));
    for (let length = 0; length < payload.length; length++) {
      expect(() => decodeCommand(payload.subarray(0, length))).toThrow();
    }
  });

  test.each<[string, ControlBody]>([
    ['detail', { ...mark, detail: 'x'.repeat(controlLimits.detailSizeMax + 1) }],
    ['detail', { ...mark, detail: '\u00e9'.repeat(controlLimits.detailSizeMax - 1) }],
    ['evidence', { ...mark, evidence: new Uint8Array(controlLimits.evidenceSizeMax + 1) }],
    ['attempt', { ...mark, attempt: 0 }],
    ['step', { ...mark, step: 'No Step' }],
    ['outcome', { ...mark, outcome: 'perhaps' as 'done' }],
    ['index', { ...mark, fence: { generation: 1, index: 0 } }],
    [
      'restore plan',
      { kind: 'plan', plan: new Uint8Array(controlLimits.planSizeMax + 1), hash: plan },
    ],
    ['reason', { kind: 'isolate', agent, dataset, reason: '' }],
    ['heads', { kind: 'anchor', manifests: [] }],
    ['manifest', { kind: 'anchor', manifests: [bytes, new Uint8Array()] }],
    [
      'heads',
      {
        kind: 'anchor',
        manifests: Array.from({ length: controlLimits.anchorHeadsMax + 1 }, () => bytes),
      },
    ],
    ['invite', { kind: 'admit', invite: new Uint8Array(), admission: bytes }],
    ['at least one voter', { ...decree, voters: [] }],
    ['one of its own voters', { ...decree, abandoned: [agent] }],
    ['generation', { ...decree, generation: 1 }],
    ['root hash', { ...decree, rootHash: bytes }],
    ['policy document', { ...policy, document: new Uint8Array(controlLimits.policySizeMax + 1) }],
    [
      'grant',
      {
        kind: 'grant',
        plan,
        run: 1,
        agent,
        sealed: { kind: 'inline', bytes: new Uint8Array() },
        lastsMs: 86_400_000,
      },
    ],
    [
      'grant',
      {
        kind: 'grant',
        plan,
        run: 0,
        agent,
        sealed: { kind: 'inline', bytes },
        lastsMs: 86_400_000,
      },
    ],
  ])('a wrong %s is refused', (_, body) => {
    let code: unknown;
    try {
      encodeCommand(command(body));
    } catch (error) {
      code = codeOf(error);
    }
    expect(code).toBe('bad-encoding');
  });
});

describe('their envelopes', () => {
  const secrets = [cluster.operatorSecret, cluster.founder.statementSecret];
  const sealed = sealCommand({
    command: command(mark),
    cluster: cluster.id,
    generation: 3,
    secrets,
  });

  test('they give back the command, the generation and who signed', () => {
    const opened = openCommand(sealed.bytes, cluster.id);
    expect(opened.command).toEqual(command(mark));
    expect(opened.generation).toBe(3);
    expect(opened.hash).toEqual(sealed.hash);
    const keys = secrets.map((secret) => idOf<AgentKey>(publicKeyOf(secret)));
    expect([...opened.signers]).toEqual(keys);
  });

  test('their hash does not depend on who signed', () => {
    const [secret] = secrets;
    const alone = sealCommand({
      command: command(mark),
      cluster: cluster.id,
      generation: 3,
      secrets: [secret as Uint8Array],
    });
    expect(alone.hash).toEqual(sealed.hash);
  });

  test('a command never passes for a statement', () => {
    expect(() => openEnvelope(sealed.bytes, { cluster: cluster.id })).toThrow('another purpose');
  });

  test('no byte can be changed', () => {
    for (let i = 0; i < sealed.bytes.length; i++) {
      const changed = sealed.bytes.slice();
      changed[i] = (changed[i] as number) ^ 1;
      let code: unknown;
      try {
        openCommand(changed, cluster.id);
      } catch (error) {
        code = codeOf(error);
      }
      expect(['bad-signature', 'bad-encoding']).toContain(code);
    }
  });

  test('one key counts once', () => {
    const secret = cluster.operatorSecret;
    const twice = sealCommand({
      command: command(mark),
      cluster: cluster.id,
      generation: 1,
      secrets: [secret, secret],
    });
    expect(() => openCommand(twice.bytes, cluster.id)).toThrow('signed it twice');
  });

  test('nobody signed is not enough', () => {
    const { bytes: unsigned } = sealCommand({
      command: command(mark),
      cluster: cluster.id,
      generation: 1,
      secrets: [],
    });
    expect(() => openCommand(unsigned, cluster.id)).toThrow('nobody signed it');
  });
});
