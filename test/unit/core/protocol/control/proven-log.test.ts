import { beforeEach, describe, expect, test } from 'vitest';
import {
  cosignCheckpoint,
  encodeSignedCheckpoint,
} from '../../../../../src/core/format/checkpoint.ts';
import { encodeLogImage } from '../../../../../src/core/format/log-image.ts';
import { MerkleRange } from '../../../../../src/core/format/merkle-range.ts';
import { encodePolicy } from '../../../../../src/core/policy/policy-text.ts';
import {
  checkpointText,
  cosigner,
} from '../../../../../src/core/protocol/control/log-checkpoint.ts';
import { beginGeneration } from '../../../../../src/core/protocol/control/new-generation.ts';
import { policyObjection } from '../../../../../src/core/protocol/control/policy-proof.ts';
import { provenFromGenesis } from '../../../../../src/core/protocol/control/proven-log.ts';
import { type SampleAgent, startMs } from '../../../../support/sample-cluster.ts';
import { bergen, riga, turku } from './sample-control.ts';
import { OperatorsControl, type Person, secretOfPerson } from './sample-operators.ts';

let log: OperatorsControl;

beforeEach(() => {
  log = OperatorsControl.begin();
});

function policyOf(version: number, sites: number) {
  const document = encodePolicy({ survive: { sites } });
  return { kind: 'policy', version, base: version - 1, document } as const;
}

/** The tree decides nothing here. */
function treeOf(size: number): MerkleRange {
  const tree = MerkleRange.empty();
  for (let i = 0; i < size; i++) tree.append(new Uint8Array(32));
  return tree;
}

function noteBy(...agents: SampleAgent[]): string {
  const { state, index } = log;
  const tree = treeOf(index);
  const head = {
    size: index,
    root: tree.root(),
    stateHash: state.hash(),
    voters: state.config.voters,
  };
  const text = checkpointText(log.cluster.id, state.generation, head);
  const lines = agents.map(({ agentKey, statementSecret: secret }) =>
    cosignCheckpoint(text, { by: cosigner(agentKey), secret, timeSeconds: 1 }),
  );
  return encodeSignedCheckpoint(text, lines);
}

function image(): Uint8Array {
  return encodeLogImage({ tree: treeOf(log.index), state: log.state.encode() });
}

function proven(
  note: string,
  { bytes = image(), decree }: { bytes?: Uint8Array; decree?: Uint8Array } = {},
) {
  const { genesis, id } = log.cluster;
  return provenFromGenesis({ note, image: bytes, decree }, { genesis, cluster: id });
}

/** The founder vouches for those who vote after it. */
function vouch(): void {
  const note = noteBy(log.oslo, bergen);
  log.by(log.oslo, log.admissionBy(riga, ['Ada', 'Bea']));
  expect(log.by(log.oslo, { kind: 'vouch', note })).toBe('applied');
}

describe('a log is proven to who knows the genesis alone', () => {
  test('when the founder has vouched for the voters whose majority has signed it', () => {
    vouch();
    expect(proven(noteBy(bergen, turku))).toMatchObject({ size: log.index });
  });

  test('not by voters for whom nobody has vouched', () => {
    expect(proven(noteBy(bergen, turku))).toContain('no voters that follow from the genesis');
    expect(proven(noteBy(log.oslo, bergen))).toMatchObject({ size: log.index });
  });

  test('not when too few of them, or others, have signed', () => {
    vouch();
    expect(proven(noteBy(bergen))).toContain('no voters');
    expect(proven(noteBy(bergen, riga))).toContain('no voters');
  });

  test('not when it holds anything else than what they have signed', () => {
    vouch();
    const note = noteBy(bergen, turku);
    log.signed(policyOf(2, 0), 'Ada', 'Bea');
    expect(proven(note)).toContain('no voters');
    const bytes = image();
    expect(proven(note, { bytes: bytes.subarray(0, -1) })).toEqual(expect.any(String));
  });
});

describe('the log of a generation that a decree has begun', () => {
  function decree(...names: [Person, ...Person[]]): Uint8Array {
    const body = {
      kind: 'decree',
      generation: 2,
      voters: [bergen.agentKey],
      abandoned: [log.oslo.agentKey],
      logSize: log.index,
      rootHash: new Uint8Array(32),
      reason: 'lost',
      noticeMs: 30 * 60_000,
      announcedMs: startMs,
    } as const;
    return log.seal(body, names.map(secretOfPerson), { generation: 2 });
  }

  test('is proven by the operators who have signed the decree, and by nothing else', () => {
    const envelope = decree('Ada', 'Bea');
    const alone = decree('Ada');
    log.state = beginGeneration(log.state, envelope);
    log.append(envelope);
    const note = noteBy(bergen);
    expect(proven(note, { decree: envelope })).toMatchObject({ size: log.index });
    expect(proven(note)).toContain('the operators of now have not signed');
    expect(proven(note, { decree: alone })).toContain('the operators of now have not signed');
  });
});

describe('a version of the policy', () => {
  test('holds when the operators of then have signed it, whoever is one now', () => {
    expect(log.signed(policyOf(2, 0), 'Ada', 'Bea')).toBe('applied');
    const operators = log.state.operators.current.operators.filter(({ name }) => name !== 'Bea');
    const next = { kind: 'operators', version: 2, base: 1, threshold: 2, operators } as const;
    log.propose(next, ['Ada', 'Cid']);
    expect([0, 1].map((at) => policyObjection(log.state, at))).toEqual([undefined, undefined]);
  });

  test('does not hold with the signature of one of two who had to sign', () => {
    const envelope = log.seal(policyOf(2, 0), [secretOfPerson('Ada')]);
    const place = { generation: 1, index: 9, timeMs: 1, signers: new Set<string>() };
    log.state.policy.check(policyOf(2, 0), [], { ...place, envelope, evidence: [envelope] })();
    expect(policyObjection(log.state, 1)).toBe('2 operators had to sign it, 1 did');
  });

  test('does not hold with signatures that are for another one', () => {
    const secrets = [secretOfPerson('Ada'), secretOfPerson('Bea')];
    const other = log.seal({ ...policyOf(3, 0) }, secrets);
    const place = { generation: 1, index: 9, timeMs: 1, signers: new Set<string>() };
    log.state.policy.check(policyOf(2, 0), [], { ...place, envelope: other, evidence: [other] })();
    expect(policyObjection(log.state, 1)).toBe('its signatures are for another command');
  });
});
