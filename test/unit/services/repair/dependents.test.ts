import { expect, test } from 'vitest';
import type { AgentKey, PackId } from '../../../../src/core/ids.ts';
import { dependentsOf } from '../../../../src/services/repair/dependents.ts';
import type { Judgement } from '../../../../src/services/repair/repair-view.ts';

const leaver = 'a' as AgentKey;
const stayer = 'b' as AgentKey;

/** Each pack by its writer and the masks that have been signed. */
function judged(
  packs: Record<string, { writer: AgentKey; masks: Record<string, number> }>,
  awaited: readonly string[],
): Judgement {
  const surveyed = Object.entries(packs).map(([pack, { writer, masks }]) => [
    pack,
    {
      record: { statement: { writer } },
      words: new Map(Object.entries(masks).map(([agent, mask]) => [agent, { sequence: 1, mask }])),
    },
  ]);
  return {
    survey: { packs: new Map(surveyed as []) },
    tasks: [],
    lost: [],
    awaited: new Set(awaited),
  } as unknown as Judgement;
}

test('what a leaving source has not delivered depends on it, though it holds nothing itself', () => {
  const packs = {
    p1: { writer: leaver, masks: { [stayer]: 1 } },
    p2: { writer: leaver, masks: { [stayer]: 3 } },
    p3: { writer: stayer, masks: { [stayer]: 1 } },
  };
  const found = dependentsOf(judged(packs, ['p1', 'p3']), {
    leaving: new Set([leaver]),
    holders: [],
  });
  expect(found).toEqual({ packs: ['p1'], waiting: ['p1'], undelivered: ['p1'] });
});

test('what others have as well depends on who leaves no more', () => {
  const packs = { p1: { writer: stayer, masks: { [leaver]: 1, [stayer]: 2 } } };
  const found = dependentsOf(judged(packs, []), { leaving: new Set([leaver]), holders: [leaver] });
  expect(found).toEqual({ packs: ['p1' as PackId], waiting: [], undelivered: [] });
});

test('a pack that is not whole yet depends on a leaving host that has said nothing of it', () => {
  const packs = {
    p1: { writer: stayer, masks: { [stayer]: 1 } },
    p2: { writer: stayer, masks: { [stayer]: 1, [leaver]: 0 } },
    p3: { writer: stayer, masks: { [stayer]: 3 } },
  };
  const who = { leaving: new Set([leaver]), holders: [leaver] };
  expect(dependentsOf(judged(packs, ['p1', 'p2']), who).waiting).toEqual(['p1']);
});
