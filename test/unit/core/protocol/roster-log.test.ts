import { beforeEach, describe, expect, test } from 'vitest';
import { hourMs } from '../../../../src/base/units.ts';
import { decodeDescriptor } from '../../../../src/core/format/genesis.ts';
import type { BodyOf } from '../../../../src/core/format/control-records.ts';
import { openStatement } from '../../../../src/core/protocol/opened-statement.ts';
import { Roster } from '../../../../src/core/protocol/roster.ts';
import {
  type SampleAgent,
  sampleAgent,
  sampleDataset,
  sampleManifest,
  startMs,
} from '../../../support/sample-cluster.ts';
import { bergen, turku } from './control/sample-control.ts';
import { OperatorsControl, operatorNamed, type Person } from './control/sample-operators.ts';

const nora = sampleAgent('nora');
const paul = sampleAgent('paul');

let log: OperatorsControl;
let roster: Roster;

beforeEach(() => {
  log = OperatorsControl.begin();
  roster = new Roster(log.cluster.genesis, log.cluster.id);
});

/** Takes statements as they came from a peer. */
function take(...envelopes: Uint8Array[]): void {
  for (const envelope of envelopes) {
    const { statement, signers, hash } = openStatement(envelope, log.cluster.id);
    roster.apply(statement, signers, hash);
  }
}

function admit(agent: SampleAgent, names: [Person, ...Person[]]): void {
  const { invite, admission } = log.admissionBy(agent, names);
  take(invite, admission);
}

function names(): string[] {
  return roster.members().map(({ name }) => name);
}

const operators = (people: Person[], version: number): BodyOf<'operators'> => ({
  kind: 'operators',
  ...{ version, base: version - 1, threshold: 2, operators: people.map(operatorNamed) },
});

describe('operators of the control log', () => {
  test('one added later invites, wherever the statement comes first', () => {
    expect(() => admit(nora, ['Dora', 'Ada'])).toThrow('is not known here');
    log.signed(operators(['Ada', 'Bea', 'Cid', 'Dora'], 2), 'Ada', 'Bea');
    roster.adoptLog(log.state);
    admit(nora, ['Dora', 'Ada']);
    expect(names()).toContain('nora-host');
  });

  test('invites of a removed one admit nobody any more; whom the log has admitted by them stays', () => {
    const { invite, admission } = log.admissionBy(nora, ['Cid', 'Ada']);
    take(invite, admission);
    log.by(log.oslo, { kind: 'admit', invite, admission });
    admit(paul, ['Cid', 'Bea']);
    const open = log.cluster.sign(log.oslo.statementSecret, log.cluster.admission(turku));
    expect(open.statement.sequence).toBeGreaterThan(0);
    roster.adoptLog(log.state);
    expect(names()).toEqual(['nora-host', 'oslo-host', 'paul-host']);
    log.signed(operators(['Ada', 'Bea'], 2), 'Ada', 'Bea');
    log.passTo(0);
    log.passTo(72 * hourMs);
    expect(roster.adoptLog(log.state)).toBe(true);
    expect(names()).toEqual(['nora-host', 'oslo-host']);
    expect(roster.mayConnect(paul.peerKey, startMs)).toBeUndefined();
    expect(roster.openInvites(startMs)).toEqual([]);
  });

  test('a host that knows no log yet learns of them from a statement that proves itself', () => {
    const { hash } = log.propose(operators(['Ada', 'Bea', 'Cid', 'Dora'], 2));
    log.approve(hash, 'Bea');
    const evidence = [...(log.state.operators.history.at(-1)?.evidence ?? [])];
    const tell = (envelopes: Uint8Array[]): Uint8Array =>
      log.cluster.sign(
        log.oslo.statementSecret,
        { kind: 'operators', evidence: envelopes },
        { after: undefined },
      ).envelope;
    expect(() => take(tell(evidence.slice(0, 1)))).toThrow('not known here');
    take(tell(evidence));
    admit(nora, ['Dora', 'Ada']);
    expect(names()).toContain('nora-host');
  });
});

describe('roles of the control log', () => {
  beforeEach(() => {
    for (const agent of [bergen, turku]) {
      const { invite, admission } = log.admissionBy(agent, ['Ada', 'Bea']);
      expect(decodeDescriptor(log.cluster.admission(agent).descriptor).name).toBeDefined();
      take(invite, admission);
    }
    roster.adoptLog(log.state);
  });

  const dataset = sampleDataset('db');

  /** Three snapshots of bergen, of which the log has seen the first. */
  function snapshots(): Uint8Array[] {
    const secret = bergen.statementSecret;
    take(log.cluster.sign(secret, dataset).envelope);
    const envelopes: Uint8Array[] = [];
    let end: { sequence: number; hash: Uint8Array } | undefined;
    for (let i = 0; i < 3; i++) {
      const { envelope, statement, hash } = log.cluster.sign(
        secret,
        sampleManifest(dataset.id, end),
      );
      end = { sequence: statement.sequence, hash };
      envelopes.push(envelope);
    }
    const manifests = envelopes.slice(0, 1);
    expect(log.by(turku, { kind: 'anchor', manifests })).toBe('applied');
    return envelopes;
  }

  test('a role that was taken holds whatever the invite had said, and one given holds too', () => {
    const roles = { agent: bergen.agentKey, add: ['auditor'], remove: ['storage'] } as const;
    log.signed({ kind: 'roles', ...roles }, 'Ada', 'Bea');
    roster.adoptLog(log.state);
    expect(roster.member(bergen.agentKey)?.roles).toEqual(['source', 'voter', 'auditor']);
  });

  test('snapshots count up to what the log had seen when their writer lost its role', () => {
    const [first, second] = snapshots() as [Uint8Array, Uint8Array];
    const roles = { agent: bergen.agentKey, add: [], remove: ['source'] } as const;
    log.signed({ kind: 'roles', ...roles }, 'Ada', 'Bea');
    roster.adoptLog(log.state);
    take(first);
    expect(() => take(second)).toThrow('the log has not seen this one');
    expect(roster.log.isCounted(bergen.agentKey, dataset.id, 1)).toBe(true);
    expect(roster.log.isCounted(bergen.agentKey, dataset.id, 2)).toBe(false);
  });

  test('who was put out is cut off, says nothing more, and what it had backed up stays', () => {
    const [first, second] = snapshots() as [Uint8Array, Uint8Array];
    log.signed({ kind: 'expel', agent: bergen.agentKey, reason: 'stolen' }, 'Ada', 'Bea');
    expect(roster.adoptLog(log.state)).toBe(true);
    expect(roster.mayConnect(bergen.peerKey, startMs)).toBeUndefined();
    expect(names()).not.toContain('bergen-host');
    take(first);
    expect(() => take(second)).toThrow('may write no snapshots any more');
    const address = { kind: 'address', multiaddrs: [], version: '1' } as const;
    expect(() => take(log.cluster.sign(bergen.statementSecret, address).envelope)).toThrow(
      'is no member any more',
    );
    expect(roster.datasets().map(({ name }) => name)).toEqual(['db']);
  });
});
