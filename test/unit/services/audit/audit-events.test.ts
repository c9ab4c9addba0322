import { describe, expect, test } from 'vitest';
import { publicKeyOf } from '../../../../src/core/crypto/signature.ts';
import { sealCommand } from '../../../../src/core/format/control-envelope.ts';
import type { ControlBody, ControlCommand } from '../../../../src/core/format/control-records.ts';
import { type AgentKey, type DatasetId, idOf } from '../../../../src/core/ids.ts';
import { auditDecisions } from '../../../../src/services/audit/audit-events.ts';
import type { AuditEvent } from '../../../../src/services/audit/audit-log.ts';
import type { AppliedCommand } from '../../../../src/services/control/control-access.ts';
import { SampleCluster, secretOf } from '../../../support/sample-cluster.ts';

const sample = new SampleCluster();
const cluster = sample.id;
const keyOf = (name: string): AgentKey => idOf(publicKeyOf(secretOf(name)));
const names = new Map([
  [keyOf('ada'), 'operator Ada'],
  [keyOf('thief'), 'ams1'],
]);
const thaw: ControlBody = { kind: 'thaw', agent: keyOf('thief'), freeze: 1 };
const confirm = { kind: 'confirm-expiry', expiry: 'cd'.repeat(16) } as ControlBody;

function seal(body: ControlBody, signer: string): Uint8Array {
  const command = { id: 'ab'.repeat(16), timeMs: 1, body } as unknown as ControlCommand;
  return sealCommand({ command, cluster, generation: 1, secrets: [secretOf(signer)] }).bytes;
}

function heard(envelope: Uint8Array, body: ControlBody, isVoid: boolean) {
  const events: AuditEvent[] = [];
  const usurped: unknown[] = [];
  const forged: string[] = [];
  let tell: (command: AppliedCommand) => void = () => {};
  auditDecisions({
    cluster,
    control: {
      onApplied: (listener) => {
        tell = listener;
        return () => {};
      },
    },
    audit: (event) => void events.push(event),
    isOperator: (key) => key === keyOf('ada'),
    onForged: (signers) => void forged.push(...signers),
    onUsurped: ({ signers }, kind) => void usurped.push([signers, kind]),
    last: undefined,
    nameOf: (key) => names.get(key) ?? key,
  });
  const outcome = isVoid
    ? ({ outcome: 'void', reason: 'an operator must sign this' } as const)
    : ({ outcome: 'applied' } as const);
  tell({ index: 5, generation: 1, body, outcome, envelope });
  return { events, forged, usurped };
}

describe('a command of the log', () => {
  test('is taken down with those who have signed it', () => {
    const { events, usurped } = heard(seal(thaw, 'ada'), thaw, false);
    expect(events).toMatchObject([{ kind: 'decision', actor: 'operator Ada', outcome: 'done' }]);
    expect(usurped).toEqual([]);
  });

  test('that anchors what its writer has not signed is told to people, and no other anchor is', () => {
    const at = { dataset: 'cd'.repeat(16) as DatasetId, sequence: 2 };
    const { envelope } = sample.manifestAt(secretOf('a source'), at);
    const late = { kind: 'anchor', manifests: [envelope] } as const;
    expect(heard(seal(late, 'thief'), late, true)).toMatchObject({ events: [], forged: [] });
    const flipped = envelope.with(-1, (envelope.at(-1) ?? 0) ^ 1);
    const forgery = { kind: 'anchor', manifests: [envelope, flipped] } as const;
    const { events, forged } = heard(seal(forgery, 'thief'), forgery, true);
    expect(events).toMatchObject([{ actor: 'ams1', action: 'anchor', outcome: 'refused' }]);
    expect(forged).toEqual(['ams1']);
  });

  test('that only operators may say, signed by none, is told to people', () => {
    const { events, usurped } = heard(seal(thaw, 'thief'), thaw, true);
    expect(events).toMatchObject([{ actor: 'ams1', action: 'thaw', outcome: 'refused' }]);
    expect(usurped).toEqual([[['ams1'], 'thaw']]);
  });

  test('is never laid to an operator whose key stands beside a signature that does not hold', () => {
    const envelope = seal(thaw, 'ada');
    envelope[envelope.length - 1] = (envelope.at(-1) ?? 0) ^ 1;
    const { events, usurped } = heard(envelope, thaw, true);
    expect(events[0]?.actor).toBe('nobody: its signatures do not hold');
    expect(usurped).toEqual([[[], 'thaw']]);
  });

  test('that comes too late or twice is no alarm, when an operator or nobody but machines says it', () => {
    expect(heard(seal(thaw, 'ada'), thaw, true).usurped).toEqual([]);
    expect(heard(seal(confirm, 'thief'), confirm, true).usurped).toEqual([]);
  });
});
