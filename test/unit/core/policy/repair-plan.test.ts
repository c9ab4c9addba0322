import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PackEntry } from '../../../../src/core/format/facts.ts';
import type { AgentKey } from '../../../../src/core/ids.ts';
import { siteTolerance } from '../../../../src/core/policy/durability.ts';
import {
  type PackCondition,
  planRepair,
  type RepairSite,
  type RepairTask,
} from '../../../../src/core/policy/repair-plan.ts';
import { packIdAt } from '../format/samples.ts';

function agentAt(i: number): AgentKey {
  return i.toString(16).padStart(2, '0').repeat(32) as AgentKey;
}

function siteAt(i: number, more: { canTake?: boolean; region?: string } = {}): RepairSite {
  const { canTake = true, region = 'eu' } = more;
  return { site: `site-${i}`, region, hosts: [{ agent: agentAt(i), weight: 1, canTake }] };
}

function entryOf(k: number, m: number): PackEntry {
  return { pack: packIdAt(k * 8 + m), k, m, type: 'data', size: 100_000 };
}

/** Site i holds the i-th mask. */
function conditionOf(
  entry: PackEntry,
  masks: readonly number[],
  more: Partial<PackCondition> = {},
): PackCondition {
  const words = masks.map((mask, i) => ({ agent: agentAt(i), site: `site-${i}`, mask }));
  return {
    entry,
    words: words.filter(({ mask }) => mask !== 0),
    departing: [],
    isAwaited: false,
    ...more,
  };
}

function sitesUpTo(count: number): RepairSite[] {
  return Array.from({ length: count }, (_, i) => siteAt(i));
}

/** Masks by site after the first taker of each task has made it. */
function resultOf(condition: PackCondition, tasks: readonly RepairTask[], count: number): number[] {
  const masks = new Array<number>(count).fill(0);
  for (const { site, mask } of condition.words) {
    const at = Number(site.slice(5));
    masks[at] = ((masks[at] ?? 0) | mask) >>> 0;
  }
  for (const { index, takers } of tasks) {
    const at = Number.parseInt((takers[0] ?? 'ff').slice(0, 2), 16);
    masks[at] = ((masks[at] ?? 0) | (1 << index)) >>> 0;
  }
  return masks;
}

function tasksOf(verdict: ReturnType<typeof planRepair>): readonly RepairTask[] {
  return verdict.state === 'short' ? verdict.tasks : [];
}

describe('what a pack lacks', () => {
  test('is nothing while each site has its shard', () => {
    const condition = conditionOf(entryOf(3, 2), [1, 2, 4, 8, 16]);
    const verdict = planRepair(condition, { sites: sitesUpTo(5), surviveSites: 2 });
    expect(verdict).toEqual({ state: 'whole' });
  });

  test('goes to a site that has no shard, where there is one', () => {
    const gone = { agent: agentAt(9), site: 'gone', mask: 4, isGone: true };
    const condition = conditionOf(entryOf(3, 2), [1, 2, 0, 8, 16], { departing: [gone] });
    const [task, ...rest] = tasksOf(
      planRepair(condition, { sites: sitesUpTo(5), surviveSites: 2 }),
    );
    expect(task).toMatchObject({ index: 2, takers: [agentAt(2)], spare: 1, isMove: true });
    expect(task?.reason).toContain('it was at gone');
    expect(rest).toEqual([]);
  });

  test('is copied beside the others where too few sites are left for one shard each', () => {
    const gone = { agent: agentAt(9), site: 'gone', mask: 16, isGone: true };
    const condition = conditionOf(entryOf(3, 2), [1, 2, 4, 8], { departing: [gone] });
    const tasks = tasksOf(planRepair(condition, { sites: sitesUpTo(4), surviveSites: 2 }));
    expect(tasks[0]?.index).toBe(4);
    expect(tasks.length).toBe(3);
    expect(siteTolerance(3, resultOf(condition, tasks, 4))).toBe(2);
  });

  test('goes beside others when the hosts of the one site without a shard can take none', () => {
    const failing = { agent: agentAt(4), site: 'site-4', mask: 16, isGone: false };
    const sites = [...sitesUpTo(4), siteAt(4, { canTake: false })];
    const condition = conditionOf(entryOf(3, 2), [1, 2, 4, 8], { departing: [failing] });
    const tasks = tasksOf(planRepair(condition, { sites, surviveSites: 2 }));
    expect(tasks.filter(({ takers }) => takers.length === 0)).toEqual([]);
    expect(siteTolerance(3, resultOf(condition, tasks, 5))).toBe(2);
  });

  test('is said to be lost when fewer than k different shards are anywhere', () => {
    const gone = { agent: agentAt(9), site: 'gone', mask: 12, isGone: true };
    const condition = conditionOf(entryOf(3, 2), [1, 1, 2], { departing: [gone] });
    const verdict = planRepair(condition, { sites: sitesUpTo(4), surviveSites: 2 });
    expect(verdict).toEqual({ state: 'lost', had: 2 });
  });

  test('can still be read from who leaves, and counts as missing there', () => {
    const leaving = { agent: agentAt(5), site: 'site-5', mask: 16, isGone: false };
    const condition = conditionOf(entryOf(3, 2), [1, 2, 4, 8, 0], { departing: [leaving] });
    const tasks = tasksOf(planRepair(condition, { sites: sitesUpTo(5), surviveSites: 2 }));
    expect(tasks).toMatchObject([{ index: 4, takers: [agentAt(4)], isMove: true, spare: 1 }]);
  });

  test('is left to the source as long as it may still be on its way', () => {
    const fresh = conditionOf(entryOf(3, 2), [1, 2, 4, 8, 0], { isAwaited: true });
    const around = { sites: sitesUpTo(5), surviveSites: 2 };
    expect(planRepair(fresh, around)).toEqual({ state: 'awaited' });
    // Signed for once, so nobody is on the way with it.
    const gone = { agent: agentAt(9), site: 'gone', mask: 16, isGone: true };
    expect(planRepair({ ...fresh, departing: [gone] }, around).state).toBe('short');
  });

  test('has no taker where no site has room', () => {
    const sites = [0, 1, 2, 3, 4].map((i) => siteAt(i, { canTake: false }));
    const condition = conditionOf(entryOf(3, 2), [1, 2, 4, 8, 0]);
    const tasks = tasksOf(planRepair(condition, { sites, surviveSites: 2 }));
    expect(tasks).toMatchObject([{ index: 4, takers: [] }]);
  });

  test('prefers regions that have least', () => {
    const regions = ['eu', 'eu', 'eu', 'us', 'eu'];
    const sites = regions.map((region, i) => siteAt(i, { region }));
    const copies = conditionOf(entryOf(1, 0), [1]);
    for (let i = 0; i < 8; i++) {
      const condition = { ...copies, entry: { ...copies.entry, pack: packIdAt(i) } };
      const [task] = tasksOf(planRepair(condition, { sites, surviveSites: 1 }));
      expect(task?.takers[0]).toBe(agentAt(3));
    }
  });

  test('of full copies are as many as the policy wants sites to fail, and one more', () => {
    const condition = conditionOf(entryOf(1, 0), [0, 1, 0, 0]);
    const tasks = tasksOf(planRepair(condition, { sites: sitesUpTo(4), surviveSites: 2 }));
    expect(tasks.map(({ index }) => index)).toEqual([0, 0]);
    expect(new Set(tasks.map(({ takers }) => takers[0])).size).toBe(2);
    const few = planRepair(conditionOf(entryOf(1, 0), [1]), {
      sites: [siteAt(0)],
      surviveSites: 2,
    });
    expect(few).toEqual({ state: 'whole' });
  });

  test('is the same for whoever asks, and each shard has one owner', () => {
    const condition = conditionOf(entryOf(2, 1), [1, 2, 0, 0, 0]);
    const around = { sites: sitesUpTo(5), surviveSites: 1 };
    const turned = { ...around, sites: [...around.sites].reverse() };
    expect(planRepair(condition, around)).toEqual(planRepair(condition, turned));
  });

  test('is mended to what the policy asks by what is planned, whoever had what', () => {
    const layouts = fc.record({
      k: fc.integer({ min: 2, max: 5 }),
      m: fc.integer({ min: 1, max: 3 }),
      surviveSites: fc.integer({ min: 1, max: 3 }),
      masks: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 2, maxLength: 7 }),
    });
    fc.assert(
      fc.property(layouts, ({ k, m, surviveSites, masks }) => {
        const known = 2 ** (k + m) - 1;
        const held = masks.map((mask) => mask & known);
        const condition = conditionOf(entryOf(k, m), held);
        const sites = sitesUpTo(held.length);
        const verdict = planRepair(condition, { sites, surviveSites });
        if (verdict.state === 'lost') return verdict.had < k;
        const result = resultOf(condition, tasksOf(verdict), held.length);
        const union = result.reduce((all, mask) => all | mask, 0);
        const goal = Math.min(surviveSites, m, held.length - 1);
        return union === known && siteTolerance(k, result) >= goal;
      }),
      { numRuns: 300 },
    );
  });
});

describe('shards that are there only for a full copy', () => {
  const entry = entryOf(3, 2);
  const around = { sites: sitesUpTo(6), surviveSites: 2 };
  const extras = [{ agent: agentAt(5), site: 'site-5', mask: 0b111 }];

  test('change nothing of what is whole without them', () => {
    const whole = conditionOf(entry, [1, 2, 4, 8, 16], { extras });
    expect(planRepair(whole, around)).toEqual({ state: 'whole' });
  });

  test('let nothing pass that is short without them', () => {
    const masks = [1, 0, 4, 8, 16];
    const without = planRepair(conditionOf(entry, masks), around);
    expect(without).toMatchObject({ state: 'short', tasks: [{ index: 1, spare: 1 }] });
    expect(planRepair(conditionOf(entry, masks, { extras }), around)).toEqual(without);
  });

  test('make good what too few others have', () => {
    const condition = conditionOf(entry, [0, 0, 0, 8, 16], { extras });
    const verdict = planRepair(condition, around);
    expect(verdict).toMatchObject({ state: 'short' });
    const tasks = verdict.state === 'short' ? verdict.tasks : [];
    expect(tasks.map(({ index }) => index).slice(0, 3)).toEqual([0, 1, 2]);
    const { extras: _, ...lost } = condition;
    expect(planRepair(lost, around)).toEqual({ state: 'lost', had: 2 });
  });

  test('say nothing of one that is still on its way from its source', () => {
    const condition = conditionOf(entry, [1, 0, 4, 8, 16], { extras, isAwaited: true });
    expect(planRepair(condition, around)).toEqual({ state: 'awaited' });
  });
});
