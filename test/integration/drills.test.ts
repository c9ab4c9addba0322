import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, messages, summaryOf, threeSites, until } from '../support/cluster.ts';

/** Three sites; what ams1 has backed up is rehearsed at nyc1. */
const cluster = new Cluster();
const tree = join(cluster.root, 'tree');
const page = join(cluster.root, 'drills.html');
const drill = ['drill', 'run', 'dataset', 'home', '--kit', cluster.kit];

beforeAll(async () => {
  await cluster.form(threeSites, { surviveSites: 2 });
  mkdirSync(join(tree, 'sub'), { recursive: true });
  for (let i = 0; i < 20; i++) writeFileSync(join(tree, `f${i}`), `${i}`.repeat(5000));
  writeFileSync(join(tree, 'sub', 'g'), 'of the sub directory');
  await cluster.backup('ams1', ['--dataset', 'home', tree]);
});

afterAll(() => cluster[Symbol.asyncDispose]());

/** What the policy says of the dataset, as soon as nyc1 knows it. */
async function ask(rule: { objectives?: { rpo: string }; drill: object }): Promise<void> {
  const policy = join(cluster.root, 'policy.json');
  writeFileSync(policy, JSON.stringify({ datasets: [{ match: 'home', ...rule }] }));
  const { policyVersion: before } = await cluster.api('nyc1').drillTerms({});
  await cluster.expect(0, ['policy', 'propose', policy], 'ams1');
  await until('nyc1 knows the policy', 30_000, async () => {
    const { policyVersion } = await cluster.api('nyc1').drillTerms({});
    return policyVersion > before;
  });
}

describe('a drill', () => {
  it('restores, compares and measures, and every member learns of it', async () => {
    const outcome = await cluster.expect(0, [...drill, '--compare', tree, '--json'], 'nyc1');
    expect(summaryOf(outcome)).toMatchObject({
      report: {
        outcome: 'passed',
        restored: { files: 21, lost: 0 },
        fidelity: { mismatches: 0, live_differences: 0 },
      },
    });
    expect(readdirSync(join(cluster.state('nyc1'), 'staging'))).toEqual([]);
    await until('sin1 knows the report, and it is anchored', 30_000, async () => {
      const [known] = await cluster.api('sin1').drills();
      return known?.isAnchored === true;
    });
    const { datasets } = await cluster.api('sin1').status();
    expect(datasets[0]?.drill?.last).toMatchObject({ outcome: 'passed', agent: 'nyc1' });
  });

  it('that is slower than the policy allows ends with 25', async () => {
    await ask({ objectives: { rpo: '1s' }, drill: { every: '15s', agents: ['sin1'] } });
    const { err } = await cluster.expect(25, drill, 'nyc1');
    expect(err).toContain('RPO');
    expect(err).toContain('runbook: docs/runbooks/restore-slow.md');
    const last = (await cluster.api('nyc1').drills()).at(-1)?.id.slice(0, 8) ?? '';
    const { out } = await cluster.expect(0, ['drill', 'show', last], 'nyc1');
    expect(out).toMatch(/^Drill of dataset home: OBJECTIVE MISSED/);
  });

  it('that missed, one that is overdue, and one that sin1 has no key for, are told of until one passes', async () => {
    const wanted = ['drill-missed', 'drill-overdue', 'drill-blocked'];
    const standing = async (): Promise<string[]> => {
      const alerts = await Promise.all([
        cluster.api('nyc1').alerts(),
        cluster.api('sin1').alerts(),
      ]);
      const kinds = alerts.flat().filter(({ clearedMs }) => clearedMs === undefined);
      return kinds.map(({ kind }) => kind);
    };
    await until('people are told of all', 180_000, async () => {
      const kinds = await standing();
      return wanted.every((kind) => kinds.includes(kind));
    });
    await ask({ drill: { every: '1h', agents: ['sin1'] } });
    await cluster.expect(0, drill, 'nyc1');
    await until('people are told that all is over', 180_000, async () => {
      const kinds = await standing();
      return !wanted.some((kind) => kinds.includes(kind));
    });
  });

  it('leaves evidence that holds where nothing is known but the id of the cluster', async () => {
    await cluster.expect(0, ['drill', 'report', '--out', page], 'nyc1');
    const { clusterId } = await cluster.api('nyc1').identity();
    const verify = ['drill', 'verify', page, '--cluster-id', clusterId];
    const { out } = await cluster.expect(0, [...verify, '--json']);
    expect(messages(out).at(-1)).toMatchObject({ drills: 3, is_proven: true });
    writeFileSync(page, readFileSync(page, 'utf8').replace('PASSED', 'FAILED'));
    await cluster.expect(23, verify);
  });
});
