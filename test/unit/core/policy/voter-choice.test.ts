import { describe, expect, test } from 'vitest';
import type { AgentKey } from '../../../../src/core/ids.ts';
import {
  chooseVoters,
  lintVoters,
  type VoterCandidate,
} from '../../../../src/core/policy/voter-choice.ts';

/** "site/name", with a region of the same name unless told otherwise. */
function host(place: string, change: Partial<VoterCandidate> = {}): VoterCandidate {
  const [site = '', name = ''] = place.split('/');
  return {
    agent: `key of ${place}` as AgentKey,
    name,
    site,
    region: site,
    roles: ['source', 'storage', 'voter'],
    isReachable: true,
    ...change,
  };
}

function namesOf(members: readonly VoterCandidate[], current: readonly string[] = []): string[] {
  const keys = members.filter(({ name }) => current.includes(name)).map(({ agent }) => agent);
  const { voters } = chooseVoters(members, keys);
  return members.filter(({ agent }) => voters.includes(agent)).map(({ name }) => name);
}

const three = [host('a/a1'), host('a/a2'), host('b/b1'), host('c/c1')];

describe('the choice of voters', () => {
  test('takes one of each site, and an odd number of sites', () => {
    expect(namesOf(three)).toEqual(['a1', 'b1', 'c1']);
    expect(namesOf([...three, host('d/d1')])).toHaveLength(3);
    expect(namesOf([...three, host('d/d1'), host('e/e1')])).toEqual(['a1', 'b1', 'c1', 'd1', 'e1']);
  });

  test('is never more than seven', () => {
    const many = Array.from({ length: 12 }, (_, i) => host(`site${i}/host${i}`));
    expect(namesOf(many)).toHaveLength(7);
  });

  test('takes three hosts of one site or two, so that one host may be lost', () => {
    expect(namesOf([host('a/a1'), host('a/a2'), host('a/a3'), host('a/a4')])).toHaveLength(3);
    expect(namesOf([host('a/a1'), host('a/a2'), host('b/b1')])).toEqual(['a1', 'a2', 'b1']);
    expect(namesOf([host('a/a1'), host('b/b1')])).toHaveLength(1);
    expect(namesOf([host('a/a1')])).toEqual(['a1']);
    expect(namesOf([])).toEqual([]);
  });

  test('a witness makes two sites three', () => {
    const witness = host('w/witness', { roles: ['witness'] });
    expect(namesOf([host('a/a1'), host('b/b1'), witness])).toEqual(['a1', 'b1', 'witness']);
  });

  test('a host without a vote is never chosen', () => {
    expect(namesOf([host('a/a1'), host('b/b1', { roles: ['storage'] })])).toEqual(['a1']);
  });

  test('voters of now stay', () => {
    expect(namesOf(three, ['a2'])).toEqual(['a2', 'b1', 'c1']);
    const four = [...three, host('d/d1')];
    expect(namesOf(four, ['b1', 'c1', 'd1'])).toEqual(['b1', 'c1', 'd1']);
  });

  test('regions are spread before voters stay', () => {
    const north = { region: 'north' };
    const members = [
      host('a/a1', north),
      host('b/b1', north),
      host('c/c1', north),
      host('d/d1', { region: 'south' }),
    ];
    expect(namesOf(members, ['a1', 'b1', 'c1'])).toContain('d1');
  });

  test('a host that cannot be reached gives way to another of its site', () => {
    const members = [host('a/a1', { isReachable: false }), ...three.slice(1)];
    expect(namesOf(members, ['a1'])).toEqual(['a2', 'b1', 'c1']);
  });

  test('does not depend on the order of the members', () => {
    const forth = chooseVoters(three, []).voters;
    expect(chooseVoters(three.toReversed(), []).voters).toEqual(forth);
  });

  test('gives a reason for each', () => {
    const { reasons } = chooseVoters(three, [three[1]?.agent as AgentKey]);
    expect(reasons).toEqual([
      'a2: for site a, first of region a, votes already',
      'b1: for site b, first of region b',
      'c1: for site c, first of region c',
      '3 of 4 candidates: an odd number, no more than 7',
    ]);
  });
});

describe('warnings about voters', () => {
  const warn = (members: readonly VoterCandidate[], names: readonly string[]): string[] =>
    lintVoters(
      members,
      members.filter(({ name }) => names.includes(name)).map(({ agent }) => agent),
    ).map(({ text }) => text);

  test('three sites with a voter each have none', () => {
    expect(warn(three, ['a1', 'b1', 'c1'])).toEqual([]);
  });

  test('an even number', () => {
    expect(warn(three, ['a1', 'a2', 'b1', 'c1'])).toEqual([
      '4 voters survive no more losses than 3, and a split stops both halves.',
    ]);
  });

  test('all of them, or a majority, in one site', () => {
    expect(warn(three, ['a1'])).toEqual([
      'All voters are in site a: when it is lost, nothing can be decided.',
    ]);
    expect(warn(three, ['a1', 'a2', 'b1'])).toEqual([
      'Site a has a majority alone: when it is lost, nothing can be decided.',
    ]);
  });

  test('two sites without a witness', () => {
    const two = three.slice(0, 3);
    expect(warn(two, ['a1', 'a2', 'b1'])).toContain(
      'Two sites without a witness elsewhere: neither can go on alone when the other is lost.',
    );
    const withWitness = [...two, host('w/w1', { roles: ['witness'] })];
    expect(warn(withWitness, ['a1', 'b1', 'w1'])).toEqual([]);
  });

  test('too few to outvote one that may lie, with what is missing', () => {
    const text =
      '3 voters cannot outvote 1 that may lie: one that lies or is away keeps every promotion from being decided. It takes 5 voters.';
    const of = (members: readonly VoterCandidate[]) =>
      lintVoters(
        members,
        members.slice(-3).map(({ agent }) => agent),
        1,
      );
    expect(of(three.slice(1))).toEqual([
      { text, next: 'holdfast invite --site SITE --region REGION --role voter' },
    ]);
    expect(of([host('d/d1'), host('e/e1'), ...three.slice(1)])).toEqual([
      { text, next: 'holdfast layout plan --pin NAME,NAME,NAME,NAME,NAME' },
    ]);
    const five = ['a/a1', 'b/b1', 'c/c1', 'd/d1', 'e/e1'].map((place) => host(place));
    expect(
      lintVoters(
        five,
        five.map(({ agent }) => agent),
        1,
      ),
    ).toEqual([]);
  });

  test('nobody, and each comes with the next command', () => {
    expect(warn(three, [])).toEqual(['Nobody votes: nothing can be decided.']);
    const found = lintVoters(three, [three[0]?.agent as AgentKey]);
    expect(found.map(({ next }) => next)).toEqual([
      'holdfast invite --site SITE --region REGION --role voter',
    ]);
  });
});
