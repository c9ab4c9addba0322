import { beforeEach, describe, expect, test } from 'vitest';
import { toHex } from '../../../../../src/base/bytes.ts';
import { dayMs } from '../../../../../src/base/units.ts';
import { publicKeyOf } from '../../../../../src/core/crypto/signature.ts';
import type { BodyOf, SplitId } from '../../../../../src/core/format/control-records.ts';
import { type AgentKey, type FactHash, idOf } from '../../../../../src/core/ids.ts';
import { ControlState } from '../../../../../src/core/protocol/control/control-state.ts';
import {
  SampleCluster,
  sampleAgent,
  secretOf,
  startMs,
} from '../../../../support/sample-cluster.ts';
import { bergen, dbId, riga, SampleControl, substance, turku } from './sample-control.ts';

let log: SampleControl;

beforeEach(() => {
  log = SampleControl.full();
});

const fact = (name: string): FactHash => idOf<FactHash>(secretOf(name));
const epoch = { writer: riga.agentKey, dataset: dbId, epoch: 1 };
const ada = { name: 'ada', recipient: `age1pq1${'a'.repeat(60)}` };
const ben = { name: 'ben', recipient: `age1${'b'.repeat(58)}` };

function keys(change: Partial<BodyOf<'keys'>> = {}): BodyOf<'keys'> {
  const { version } = log.state.keys;
  const rest = { kit: undefined, sets: [], records: [] };
  return { kind: 'keys', version: version + 1, base: version, ...rest, ...change };
}

function wrap(record: string, base?: string): BodyOf<'keys'>['records'][number] {
  return { ...epoch, base: base === undefined ? undefined : fact(base), record: fact(record) };
}

function sayTime(logTimeMs: number): void {
  for (const voter of [log.oslo, bergen, turku]) log.by(voter, { kind: 'time', logTimeMs });
}

/** The state as a member has it that was sent an image. */
function copied(): ControlState {
  return ControlState.decode(log.state.encode(), log.state.genesis, log.state.cluster);
}

describe('who can open what', () => {
  test('operators put a record in the place of the one that the source began with', () => {
    expect(log.byOperator(keys({ records: [wrap('second', 'first')] }))).toBe('applied');
    expect(log.state.keys.decided(epoch)).toMatchObject({ record: fact('second'), kitVersion: 1 });
  });

  test('a source cannot: neither for its own dataset nor for others', () => {
    const body = keys({ records: [wrap('mine', 'first')] });
    expect(log.by(riga, body)).toBe('1 operators must sign this, 0 did');
    expect(log.state.keys.decided(epoch)).toBeUndefined();
  });

  test('a record that was replaced meanwhile is not replaced again unseen', () => {
    log.byOperator(keys({ records: [wrap('second', 'first')] }));
    expect(log.byOperator(keys({ records: [wrap('third', 'first')] }))).toContain(
      'has another key record by now',
    );
    expect(log.byOperator(keys({ records: [wrap('third', 'second')] }))).toBe('applied');
  });

  test('a change that was made for older keys is void', () => {
    const late = keys({ records: [wrap('late', 'first')] });
    log.byOperator(keys({ sets: [{ of: undefined, recipients: [ada] }] }));
    expect(log.byOperator(late)).toBe('it replaces version 1 by 2, but 2 is current');
  });

  test('recipients of all datasets and of one add up, each once', () => {
    const of = { writer: riga.agentKey, dataset: dbId };
    log.byOperator(
      keys({
        sets: [
          { of: undefined, recipients: [ada] },
          { of, recipients: [ada, ben] },
        ],
      }),
    );
    expect(log.state.keys.recipientsOf(of)).toEqual([ada, ben]);
    expect(log.state.keys.recipientsOf()).toEqual([ada]);
    log.byOperator(keys({ sets: [{ of: undefined, recipients: [] }] }));
    expect(log.state.keys.recipientsOf()).toEqual([]);
  });

  test('a new kit takes the place of the one before, and records are of its version', () => {
    const kit = {
      recipient: `age1pq1${'k'.repeat(60)}`,
      recoveryKey: idOf<never>(secretOf('kit')),
    };
    expect(log.byOperator(keys({ kit, records: [wrap('second', 'first')] }))).toBe('applied');
    expect(log.state.keys.kit).toMatchObject({ ...kit, version: 2 });
    expect(log.state.keys.decided(epoch)).toMatchObject({ kitVersion: 2 });
    expect(substance(copied())).toBe(substance(log.state));
  });

  test('an epoch is destroyed after the delay for what cannot be taken back, and stays so', () => {
    const destroy = { kind: 'key-destroy', ...epoch, reason: 'by order of a court' } as const;
    expect(log.by(riga, destroy)).toBe('1 operators must sign this, 0 did');
    expect(log.byOperator(destroy)).toBe('applied');
    sayTime(startMs);
    sayTime(startMs + log.state.policy.current.destructiveDelayMs - 1);
    expect(log.state.keys.isDestroyed(epoch)).toBe(false);
    sayTime(startMs + log.state.policy.current.destructiveDelayMs);
    expect(log.state.keys.isDestroyed(epoch)).toBe(true);
    expect(log.byOperator(destroy)).toBe('the epoch was destroyed already');
    expect(log.byOperator(keys({ records: [wrap('again', 'first')] }))).toContain('was destroyed');
    expect(copied().keys.decided(epoch)).toEqual(log.state.keys.decided(epoch));
  });

  test('an epoch of what is held is not destroyed, also when the hold comes while it waits', () => {
    const destroy = { kind: 'key-destroy', ...epoch, reason: 'anger' } as const;
    const hold = {
      kind: 'hold',
      dataset: epoch.dataset,
      snapshot: undefined,
      reason: 'case 12',
    } as const;
    const waiting = log.byOperator(destroy);
    expect(waiting).toBe('applied');
    sayTime(startMs);
    expect(log.byOperator(hold)).toBe('applied');
    sayTime(startMs + log.state.policy.current.destructiveDelayMs);
    expect(log.state.keys.isDestroyed(epoch)).toBe(false);
    expect(log.state.proposals.all()).toMatchObject([
      { state: 'failed', reason: expect.stringContaining('it is held: case 12') },
    ]);
    expect(log.byOperator({ ...destroy, reason: 'again' })).toContain('it is held: case 12');
  });

  test('one operator of two alone destroys nothing', () => {
    const second = secretOf('second operator');
    const { genesis } = log.cluster;
    const key = idOf<AgentKey>(publicKeyOf(second));
    const operators = [...genesis.operators, { name: 'second', key, recipient: '' }];
    const two = new SampleControl(new SampleCluster('two', { operators, operatorThreshold: 2 }));
    const destroy = { kind: 'key-destroy', ...epoch, reason: 'anger' } as const;
    expect(two.say(destroy, two.operator)).toBe('2 operators must sign this, 1 did');
    expect(two.say(destroy, two.operator, second)).toBe('applied');
  });

  test('one command names an epoch once', () => {
    const records = [wrap('one', 'first'), wrap('two', 'first')];
    expect(log.byOperator(keys({ records }))).toBe('it names one epoch twice');
  });

  test('before the first decision the state is what it was before there were keys in the log', () => {
    expect(log.state.keys.version).toBe(1);
    expect(log.state.keys.kit.recoveryKey).toBe(log.state.genesis.recoveryKey);
  });
});

describe('shares of the kit', () => {
  const secrets = ['one', 'two', 'three'].map((name) => secretOf(`share ${name}`));
  const split: BodyOf<'split'> = {
    kind: 'split',
    kitVersion: 1,
    threshold: 2,
    custodians: secrets.map((secret, i) => ({
      name: `custodian ${i}`,
      commitment: secretOf(`commitment ${i}`),
      key: idOf<AgentKey>(publicKeyOf(secret)),
    })),
  };
  const secret = (share: number): Uint8Array => secrets[share - 1] as Uint8Array;

  function proof(share: number): BodyOf<'share-proof'> {
    return { kind: 'share-proof', split: log.state.escrow.current?.id ?? none, share };
  }

  /** The share signs, and the host of a custodian. */
  function prove(
    share: number,
    { host = turku, timeMs = startMs, body = proof(share) } = {},
  ): string {
    const secretsOf = [secret(share), host.statementSecret];
    const outcome = log.append(log.seal(body, secretsOf, { timeMs }));
    return outcome.outcome === 'applied' ? 'applied' : outcome.reason;
  }

  beforeEach(() => {
    const { agentKey: agent } = turku;
    log.byOperator({ kind: 'roles', agent, add: ['custodian'], remove: [] });
  });

  const none = toHex(new Uint8Array(32)) as SplitId;

  test('operators commit to them, of the kit in force alone', () => {
    expect(log.by(bergen, split)).toBe('1 operators must sign this, 0 did');
    expect(log.byOperator({ ...split, kitVersion: 2 })).toContain('not in force');
    expect(log.byOperator(split)).toBe('applied');
    expect(log.state.escrow.current).toMatchObject({ threshold: 2, kitVersion: 1 });
  });

  test('a custodian shows its own share, and nobody elses', () => {
    log.byOperator(split);
    const must = 'the key of the share and the host of a custodian must sign this';
    expect(prove(1)).toBe('applied');
    expect(prove(1, { body: proof(2) })).toContain(must);
    expect(log.byOperator(proof(2))).toContain(must);
    expect(prove(2, { body: { ...proof(2), share: 4 } })).toBe('the split has no share 4');
    expect([...(log.state.escrow.current?.proofs.keys() ?? [])]).toEqual([1]);
    expect(copied().escrow.current).toEqual(log.state.escrow.current);
  });

  test('a proof counts only from the host of a custodian', () => {
    log.byOperator(split);
    expect(log.say(proof(1), secret(1))).toContain('the host of a custodian must sign this');
    expect(prove(1, { host: bergen })).toBe('"bergen-host" has not the role custodian');
    expect(prove(1, { host: sampleAgent('nowhere') })).toContain('is no member');
  });

  test('a proof that somebody has kept for later shows nothing of then', () => {
    log.byOperator(split);
    const kept = log.seal(proof(1), [secret(1), turku.statementSecret]);
    sayTime(startMs + 2 * dayMs);
    expect(log.append(kept)).toMatchObject({ reason: expect.stringContaining('more than a day') });
    expect(prove(1, { timeMs: startMs + 9 * dayMs })).toContain('more than a day');
    expect(prove(1, { timeMs: startMs + 2 * dayMs })).toBe('applied');
  });

  test('what a custodian shows counts from log time, not from its own clock', () => {
    log.byOperator(split);
    sayTime(400 * dayMs);
    expect(prove(3, { timeMs: 400 * dayMs })).toBe('applied');
    expect(log.state.escrow.current?.proofs.get(3)?.timeMs).toBe(log.state.time.nowMs);
  });

  test('shares of an older split show nothing', () => {
    log.byOperator(split);
    const old = proof(1);
    log.byOperator({ ...split, threshold: 3 });
    expect(prove(1, { body: old })).toBe('the share is of another split than the newest');
    expect(log.state.escrow.current?.proofs.size).toBe(0);
  });
});
