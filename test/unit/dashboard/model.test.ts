import { describe, expect, it } from 'vitest';
import type { PeerReport } from '../../../src/agent/api.ts';
import type { AuditVerdict } from '../../../src/agent/audit-types.ts';
import type { DrillEntry } from '../../../src/agent/drill-types.ts';
import type { PlanStepReport } from '../../../src/agent/plan-types.ts';
import { auditLines, verdictWords } from '../../../src/dashboard/model/audit.ts';
import { graphOf } from '../../../src/dashboard/model/graph.ts';
import { siteMapOf, siteSize } from '../../../src/dashboard/model/map.ts';
import { spanWords, trendOf } from '../../../src/dashboard/model/trend.ts';

function peer(name: string, region: string, state: PeerReport['state']): PeerReport {
  const path = state === 'connected' ? 'direct' : '-';
  return { name, site: name, region, state, path } as PeerReport;
}

/** Fifty peers at fifty sites of six regions. */
const fifty = Array.from({ length: 50 }, (_, i) =>
  peer(`site${i}`, `region${i % 6}`, i === 0 ? 'self' : i % 7 === 1 ? 'unreachable' : 'connected'),
);

describe('the map', () => {
  it('shows every site once, none over another, within the width there is', () => {
    for (const widthMax of [350, 800, 1400]) {
      const { here, regions, width, height } = siteMapOf(fifty, widthMax);
      const sites = regions.flatMap((region) => region.sites);
      expect([here?.site, sites.length]).toEqual(['site0', 49]);
      expect(width).toBeLessThanOrEqual(widthMax);
      for (const [i, { x, y }] of sites.entries()) {
        expect(x + siteSize.width).toBeLessThan(width);
        expect(y + siteSize.height).toBeLessThan(height);
        const isFree = sites.every(
          (other, j) =>
            j === i ||
            Math.abs(other.x - x) >= siteSize.width ||
            Math.abs(other.y - y) >= siteSize.height,
        );
        expect(isFree).toBe(true);
      }
    }
  });

  it('tells for each site how it is reached', () => {
    const { paths } = siteMapOf(
      [peer('a', 'eu', 'self'), peer('b', 'eu', 'connected'), peer('c', 'us', 'unreachable')],
      800,
    );
    expect(paths.map(({ site, kind }) => [site, kind])).toEqual([
      ['b', 'direct'],
      ['c', 'none'],
    ]);
  });
});

describe('the graph of a plan', () => {
  const step = (id: string, after: string[], state: PlanStepReport['state']) =>
    ({ id, after, state }) as PlanStepReport;

  it('puts a step below all that it waits for, and those that wait for the same side by side', () => {
    const { nodes, edges } = graphOf([
      step('web', [], 'done'),
      step('mail', [], 'started'),
      step('check', ['web', 'mail'], 'waiting'),
    ]);
    const [web, mail, check] = nodes;
    expect(web?.y).toBe(mail?.y);
    expect(web?.x).not.toBe(mail?.x);
    expect(check?.y).toBeGreaterThan(web?.y ?? 0);
    expect(edges.map(({ isPassed }) => isPassed)).toEqual([true, false]);
    expect(nodes.map(({ tone }) => tone)).toEqual(['good', 'warn', 'idle']);
  });
});

describe('the trend of drills', () => {
  const drill = (rtoMs: number | undefined, outcome: string) =>
    ({
      timeMs: 0,
      report: {
        outcome,
        times: { ...(rtoMs !== undefined && { rtoMs }) },
        objectives: { rtoMs: 4000 },
      },
    }) as unknown as DrillEntry;

  it('has a point for each that was measured, and the target where it lies between', () => {
    const drills = [drill(2000, 'passed'), drill(undefined, 'failed'), drill(8000, 'missed')];
    const { points, targetY = Number.NaN } = trendOf(drills, 'rto', { width: 300, height: 100 });
    expect(points.map(({ tone }) => tone)).toEqual(['good', 'warn']);
    expect(points[0]?.y).toBeGreaterThan(targetY);
    expect(points[1]?.y).toBeLessThan(targetY);
    expect(trendOf(drills, 'rpo', { width: 300, height: 100 }).points).toEqual([]);
    expect(spanWords(1234)).toBe('1.2 s');
  });
});

describe('the audit log', () => {
  it('is read newest first, in any language', () => {
    const entries = ['first', 'größer'].map((action) =>
      Buffer.from(JSON.stringify({ action })).toString('base64'),
    );
    expect(auditLines(entries, 7)).toEqual([
      { index: 8, action: 'größer' },
      { index: 7, action: 'first' },
    ]);
  });

  it('is called whole only when somebody else remembers it', () => {
    const member = (state: AuditVerdict['members'][number]['state']) =>
      ({ name: 'fra1', site: 'fra1', state, size: 3 }) as const;
    const judged = (part: Partial<AuditVerdict>) =>
      verdictWords({ size: 3, putAside: [], members: [member('agrees')], proofs: [], ...part })
        .tone;
    expect(judged({})).toBe('good');
    expect(judged({ members: [member('no-answer')] })).toBe('warn');
    expect(judged({ changedAt: 2 })).toBe('bad');
    expect(judged({ members: [member('contradicts')] })).toBe('bad');
    expect(judged({ putAside: [1] })).toBe('bad');
  });
});
