import { describe, expect, it } from 'vitest';
import { type DraftFacts, readPlan, resolveDraft } from '../../../src/agent/plan-draft.ts';
import type { PlanDraft } from '../../../src/agent/plan-types.ts';
import { codeOf, HoldfastError } from '../../../src/core/errors.ts';
import type { AgentKey, DatasetId, StatementHash } from '../../../src/core/ids.ts';
import { decodePlan, encodePlan } from '../../../src/core/policy/plan-text.ts';

const snapshot = (digit: string, sequence: number) => ({
  snapshot: digit.repeat(64) as StatementHash,
  sequence,
});
const datasets = ['web', 'Büro data', 'new'].map((name, i) => ({
  name,
  id: `${i}`.repeat(32) as DatasetId,
  writer: 'aa'.repeat(32) as AgentKey,
  anchored: name === 'new' ? undefined : snapshot('c', 3),
  snapshots: [snapshot('b', 2), snapshot('c', 3), snapshot('d', 4)],
}));
const facts: DraftFacts = {
  sites: ['ams', 'lon'],
  agents: ['lon-1'],
  dataset: (text) => {
    const found = datasets.find(({ name }) => name === text);
    if (found !== undefined) return found;
    throw new HoldfastError('not-found', `there is no dataset "${text}"`);
  },
  created: 'today',
};

const draft: PlanDraft = { target: { site: 'lon' }, datasets: ['web'] };

function failureOf(change: Partial<PlanDraft>): unknown {
  try {
    resolveDraft({ ...draft, ...change }, facts);
  } catch (error) {
    return codeOf(error);
  }
  return undefined;
}

describe('a draft with names alone', () => {
  it('restores the newest anchored snapshot, then promotes it', () => {
    const plan = resolveDraft(draft, facts);
    expect(plan).toMatchObject({
      name: 'web-to-lon',
      target: { site: 'lon' },
      onFailure: 'escalate',
      datasets: [{ name: 'web', snapshot: 'c'.repeat(64), sequence: 3, path: '' }],
    });
    expect(plan.steps.map(({ id, kind, after }) => ({ id, kind, after }))).toEqual([
      { id: 'restore-web', kind: 'restore', after: [] },
      { id: 'promote-web', kind: 'promote', after: ['restore-web'] },
    ]);
    expect(plan.steps[0]).toMatchObject({ to: '/srv/restored/web' });
  });

  it('promotes nothing before every check of everything is well', () => {
    const checks = [{ kind: 'tcp', address: 'db:1' } as const];
    const names = ['web', 'Büro data'];
    const plan = resolveDraft({ ...draft, datasets: names, checks, dir: '/back/' }, facts);
    expect(plan.steps.map(({ id, after }) => [id, ...after])).toEqual([
      ['restore-web'],
      ['restore-b-ro-data'],
      ['check-1', 'restore-web', 'restore-b-ro-data'],
      ['promote-web', 'check-1'],
      ['promote-b-ro-data', 'check-1'],
    ]);
    expect(plan.steps[1]).toMatchObject({ dataset: 'Büro data', to: '/back/b-ro-data' });
  });

  it('promotes nothing when told so', () => {
    const { steps } = resolveDraft({ ...draft, promote: false }, facts);
    expect(steps.map(({ kind }) => kind)).toEqual(['restore']);
  });

  it('makes a plan that the control log takes', () => {
    const plan = resolveDraft(draft, facts);
    expect(decodePlan(encodePlan(plan))).toEqual(plan);
  });
});

describe('a draft with snapshots and steps of its own', () => {
  it('takes the snapshot that is named, and a part of it', () => {
    const { datasets: found } = resolveDraft(
      { ...draft, datasets: [{ name: 'web', snapshot: 'bbbb', path: '/etc' }] },
      facts,
    );
    expect(found).toMatchObject([{ snapshot: 'b'.repeat(64), sequence: 2, path: '/etc' }]);
  });

  it('fills in what has an obvious value, and a hook is tried once', () => {
    const steps = [
      { id: 'r', kind: 'restore', dataset: 'web', to: '/srv/web', attempts: 9 },
      { id: 'h', kind: 'hook', argv: ['/bin/true'], after: ['r'], on: 'lon-1' },
    ];
    const plan = resolveDraft({ ...draft, steps }, facts);
    expect(plan.steps).toMatchObject([
      { id: 'r', after: [], attempts: 9, timeoutMs: 24 * 3_600_000 },
      { id: 'h', after: ['r'], attempts: 1, on: 'lon-1' },
    ]);
  });
});

describe('what cannot become a plan', () => {
  it.each<[string, Partial<PlanDraft>, string]>([
    ['an unknown site', { target: { site: 'mars' } }, 'not-found'],
    ['an unknown dataset', { datasets: ['nope'] }, 'not-found'],
    ['a dataset without an anchored snapshot', { datasets: ['new'] }, 'not-committed'],
    ['an unknown snapshot', { datasets: [{ name: 'web', snapshot: 'eeee' }] }, 'not-found'],
    ['a snapshot of too few digits', { datasets: [{ name: 'web', snapshot: 'b' }] }, 'not-found'],
    ['one dataset twice', { datasets: ['web', 'web'] }, 'usage'],
    ['a step of no kind', { steps: [{ id: 'x' }] }, 'usage'],
    ['a step with an unknown field', { steps: [{ id: 'x', kind: 'hook', sudo: 1 }] }, 'usage'],
    [
      'a step at an unknown agent',
      { steps: [{ id: 'x', kind: 'hook', argv: ['/x'], on: 'mars' }] },
      'not-found',
    ],
    [
      'a promotion of what was not restored',
      { steps: [{ id: 'x', kind: 'promote', dataset: 'web' }] },
      'usage',
    ],
  ])('%s is refused', (_, change, code) => {
    expect(failureOf(change)).toBe(code);
  });

  it('is refused with the name of the field', () => {
    const plan = { ...resolveDraft(draft, facts), onFailure: 'hope' };
    expect(() => readPlan(plan)).toThrow(/onFailure: must be one of/);
  });
});
