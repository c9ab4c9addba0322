import { describe, expect, test } from 'vitest';
import { Explorer } from '../../../../sim/raft/explore.ts';
import { type Profile, profiles, smallProfiles } from '../../../../sim/raft/explore-profiles.ts';
import { explorePromotion } from '../../../../sim/raft/explore-promotion.ts';
import { leastOf, marksOf, memberKey } from '../../../../sim/raft/explore-symmetry.ts';
import type { RaftMutant } from '../../../../sim/raft/mutant.ts';
import { raftMutants } from '../../../../sim/raft/mutants.ts';
import { MutantBuild } from '../../../../sim/raft/mutants-build.ts';
import { huntEverywhere } from '../../../../sim/raft/mutants-hunt.ts';
import { toHex } from '../../../../src/base/bytes.ts';
import type { AgentKey } from '../../../../src/core/ids.ts';
import type * as State from '../../../../src/core/protocol/control/control-state.ts';
import { encodeConfig } from '../../../../src/core/protocol/raft/config-codec.ts';

describe('every run of three voters and a newcomer', () => {
  test.for(smallProfiles)('within small bounds breaks no rule: $name', (search) => {
    const found = new Explorer(search).explore();
    expect(found).toMatchObject({ isComplete: true, violation: undefined });
    expect(found.states).toBeGreaterThan(100);
    expect(found.committedMax).toBeGreaterThan(0);
  });

  // One that needs few moves, of each kind of thing that may happen in a run.
  test.for([
    ['forgets its vote in a crash', 'crashes', 5],
    ['leads with one vote fewer than a quorum', 'crashes', 4],
    ['counts votes of an earlier term', 'late answers', 6],
    ['counts learners for a commit', 'a learner', 5],
    ['begins a second change before the first is committed', 'two changes', 5],
    ['answers reads without asking whether it still leads', 'reads', 6],
    ['stands although its journal was damaged', 'damage', 5],
  ] as const)('shows what is wrong with a member that %s', async ([name, search, depth]) => {
    const mutant = raftMutants.find((one) => one.name === name) as RaftMutant;
    const one = profiles.find((other) => other.name === search) as Profile;
    const found = await huntEverywhere(mutant, [{ ...one, bounds: { ...one.bounds, depth } }], {
      statesMax: 20_000,
    });
    expect(found.find).toMatchObject({ search, moves: expect.any(Number) });
  });
});

describe('the mark of a world', () => {
  const [a, b, c, d] = [0, 1, 2, 3].map(memberKey) as [AgentKey, AgentKey, AgentKey, AgentKey];
  const least = (...texts: string[]): number => leastOf(texts.map((text) => marksOf(text)));
  const config = (voters: AgentKey[], learners: AgentKey[]): string =>
    toHex(encodeConfig({ voters, learners }));

  test('is the same for worlds that differ in the names of voters alone', () => {
    expect(least(`${a} votes for ${b}`)).toBe(least(`${c} votes for ${a}`));
    expect(least(`${a} leads`, `${b} stands`)).toBe(least(`${a} stands`, `${c} leads`));
    expect(least(`${config([a, b], [])} of ${a}`)).toBe(least(`${config([b, c], [])} of ${c}`));
  });

  test('is another one for any other difference', () => {
    expect(least(`${a} votes for ${b}`)).not.toBe(least(`${a} votes for ${a}`));
    expect(least(`${a} votes for ${b}`)).not.toBe(least(`${a} votes for ${d}`));
    expect(least(`${a} leads`, `${b} stands`)).not.toBe(least(`${a} leads`, `${a} stands`));
    expect(least(`${config([a, b], [d])} of ${a}`)).not.toBe(
      least(`${config([a, b, d], [])} of ${a}`),
    );
    expect(least(`${config([a, b], [])} of ${a}`)).not.toBe(least(`${config([a, b], [])} of ${c}`));
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
