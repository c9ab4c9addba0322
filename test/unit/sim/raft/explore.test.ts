import { describe, expect, test } from 'vitest';
import { Explorer, smallBounds } from '../../../../sim/raft/explore.ts';
import { explorePromotion } from '../../../../sim/raft/explore-promotion.ts';
import { MutantBuild } from '../../../../sim/raft/mutants-build.ts';
import type * as State from '../../../../src/core/protocol/control/control-state.ts';
import type * as Shipped from '../../../../src/core/protocol/raft/raft.ts';

describe('every run of three voters', () => {
  test('within small bounds breaks no rule, and commits something', () => {
    const found = new Explorer(smallBounds).explore();
    expect(found).toMatchObject({ isComplete: true, violation: undefined });
    expect(found.committedMax).toBeGreaterThan(0);
    expect(found.states).toBeGreaterThan(10_000);
  });

  test('of a member that leads with a vote too few shows two leaders', async () => {
    using build = new MutantBuild([
      {
        file: 'core/protocol/raft/election.ts',
        old: 'role.granted.size < quorumOf(config)',
        new: 'role.granted.size < quorumOf(config) - 1',
      },
    ]);
    const { Raft } = await build.load<typeof Shipped>('core/protocol/raft/raft.ts');
    const make = (...options: ConstructorParameters<typeof Raft>) => new Raft(...options);
    const { violation } = new Explorer(smallBounds).explore(make);
    expect(violation?.text).toMatch(/lead in term/);
    expect(violation?.moves.length).toBeGreaterThan(0);
  });
});

describe('every order of two promotions', () => {
  const bounds = { hasTakeOver: false, statesMax: 2500 };

  test('as far as it is followed leaves one live copy', () => {
    const found = explorePromotion(bounds);
    expect(found.violation).toBeUndefined();
    expect(found.states).toBe(bounds.statesMax);
  });

  test('of a state that asks for no evidence shows a holder that is replaced', async () => {
    using build = new MutantBuild([
      {
        file: 'core/protocol/control/incarnation-book.ts',
        old: "if (state === 'live') throw",
        new: 'if (false) throw',
      },
    ]);
    const path = 'core/protocol/control/control-state.ts';
    const { ControlState } = await build.load<typeof State>(path);
    const { violation } = explorePromotion({ ...bounds, State: ControlState });
    expect(violation?.text).toBe('a holder is replaced without evidence');
  });
});
