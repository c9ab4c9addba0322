import { describe, expect, test } from 'vitest';
import { concat, toHex, utf8 } from '../../../../src/base/bytes.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import {
  admissionMessage,
  clusterIdOf,
  decodeDescriptor,
  decodeGenesis,
  encodeDescriptor,
  encodeGenesis,
} from '../../../../src/core/format/genesis.ts';
import type { AgentDescriptor, Custody, Genesis } from '../../../../src/core/format/records.ts';
import { encodePolicy } from '../../../../src/core/policy/policy-text.ts';
import { descriptor, filled, genesis, outcomeOf } from './samples.ts';

const [operator] = genesis.operators;

test('a genesis comes back as it was, and its bytes name the cluster', () => {
  const bytes = encodeGenesis(genesis);
  expect(decodeGenesis(bytes)).toEqual(genesis);
  expect(clusterIdOf(bytes)).toBe(toHex(hash('genesis', bytes)));
});

test('an operator may have no recipient', () => {
  const blind = { ...genesis, operators: [{ ...operator, recipient: '' }] } as Genesis;
  expect(decodeGenesis(encodeGenesis(blind))).toEqual(blind);
});

test('a voter that may lie is part of what the cluster id names', () => {
  const wary: Genesis = { ...genesis, byzantineVoters: 1 };
  expect(decodeGenesis(encodeGenesis(wary))).toEqual(wary);
  expect(clusterIdOf(encodeGenesis(wary))).not.toBe(clusterIdOf(encodeGenesis(genesis)));
});

describe('what a cluster is founded with', () => {
  const founded: Genesis = {
    ...genesis,
    policy: { version: 1, surviveSites: 2, document: encodePolicy({ destructiveDelay: '3s' }) },
    custody: {
      threshold: 2,
      custodians: [
        { name: 'Ada', recipient: '' },
        { name: 'Ben', recipient: genesis.recoveryRecipient },
      ],
    },
  };
  const { custodians } = founded.custody as Custody;

  test('comes back: the policy, and who shall keep the kit', () => {
    expect(decodeGenesis(encodeGenesis(founded))).toEqual(founded);
  });

  test.each([
    ['a document that is not canonical', { policy: { document: utf8('{ }') } }],
    [
      'a document that survives other sites',
      { policy: { document: encodePolicy({ survive: { sites: 1 } }) } },
    ],
    ['one custodian', { custody: { threshold: 1, custodians: custodians.slice(1) } }],
    ['more shares than custodians', { custody: { threshold: 3, custodians } }],
    ['a share that opens alone', { custody: { threshold: 1, custodians } }],
    [
      'a custodian twice',
      { custody: { threshold: 2, custodians: [custodians[0], custodians[0]] } },
    ],
  ])('is refused with %s', (_, change: object) => {
    const { policy, ...others } = change as { policy?: object };
    const bad = { ...founded, ...others, policy: { ...founded.policy, ...policy } };
    expect(outcomeOf(() => encodeGenesis(bad as Genesis))).toBe('bad-encoding');
  });
});

describe('a genesis is refused', () => {
  const bad: [string, object][] = [
    ['without a name', { name: '' }],
    ['with a short salt', { salt: filled(1, 16) }],
    ['without operators', { operators: [], operatorThreshold: 0 }],
    ['with an operator key twice', { operators: [operator, { ...operator, name: 'eve' }] }],
    ['with a threshold that nobody can reach', { operatorThreshold: 2 }],
    ['with a threshold of nobody', { operatorThreshold: 0 }],
    ['with a recovery recipient that is none', { recoveryRecipient: 'ssh-ed25519 AAAA' }],
    ['with policy version 0', { policy: { version: 0, surviveSites: 1 } }],
    ['with more sites to survive than shards', { policy: { version: 1, surviveSites: 32 } }],
    ['with two voters that may lie', { byzantineVoters: 2 }],
    ['with a founder of no site', { founder: { ...descriptor, site: '' } }],
  ];

  test.each(bad)('%s', (_what, changes) => {
    expect(outcomeOf(() => encodeGenesis({ ...genesis, ...changes }))).toBe('bad-encoding');
  });
});

describe('a descriptor', () => {
  test('comes back as it was', () => {
    expect(decodeDescriptor(encodeDescriptor(descriptor))).toEqual(descriptor);
  });

  test.each(['', 'Nas', 'a/b', '-nas', 'nas 1', 'ä', 'n'.repeat(64)])(
    'with the name "%s" is refused',
    (name) => {
      const wrong: AgentDescriptor = { ...descriptor, name };
      expect(outcomeOf(() => encodeDescriptor(wrong))).toBe('bad-encoding');
    },
  );

  test.each(['n', '0', 'nas-1.eu_west', 'n'.repeat(63)])('with the name "%s" is taken', (name) => {
    expect(decodeDescriptor(encodeDescriptor({ ...descriptor, name })).name).toBe(name);
  });
});

test('an admission is signed for one cluster and one descriptor', () => {
  const cluster = clusterIdOf(encodeGenesis(genesis));
  const expected = concat([utf8('holdfast-admission-1'), hash('genesis', encodeGenesis(genesis))]);
  expect(admissionMessage(cluster, filled(1, 5))).toEqual(concat([expected, filled(1, 5)]));
});
