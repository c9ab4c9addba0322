import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drillKinds } from '../../src/core/policy/drill-report.ts';
import { Cluster, fiveSites, messages } from '../support/cluster.ts';
import { isChromiumHere, Looking, whySkipped } from './looking.ts';

describe.skipIf(!isChromiumHere)(`drills started from the dashboard${whySkipped}`, () => {
  const cluster = new Cluster();
  const directory = join(cluster.root, 'web');
  let looking: Looking;

  beforeAll(async () => {
    await cluster.form(fiveSites, { surviveSites: 2 });
    mkdirSync(directory);
    for (let i = 0; i < 60; i++) {
      writeFileSync(join(directory, `page-${i}.html`), `<p>${i}</p>\n`.repeat(200 + i * 10));
    }
    await cluster.backup('ams1', ['--dataset', 'web', directory]);
    const { out } = await cluster.expect(0, ['dashboard', '--json'], 'fra1');
    looking = await Looking.at(String(messages(out)[0]?.link));
  });

  afterAll(async () => {
    await looking?.[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  it.each(drillKinds)('%s ends with a report that the agent has signed', async (kind) => {
    const { page } = looking;
    await looking.show('drills');
    await page.getByLabel('Scenario').selectOption(kind);
    const isSandbox = await page.getByLabel(/^In a sandbox/).isChecked();
    if (!isSandbox) await page.getByLabel(/Recovery kit/).fill(cluster.kit);
    if (kind === 'file') await page.getByLabel('Path in the dataset').fill(directory);
    if (kind === 'site-loss') {
      for (const site of ['ams1', 'nyc1']) await page.getByLabel(site, { exact: true }).check();
    }
    const known = (await cluster.api('fra1').drills()).length;
    await page.getByRole('button', { name: 'Run the drill' }).click();
    await page.getByRole('button', { name: 'Stop it' }).waitFor();
    await page.getByText('Done: the report was signed').waitFor({ timeout: 240_000 });
    const drills = await cluster.api('fra1').drills();
    expect(drills).toHaveLength(known + 1);
    expect(drills.at(-1)?.report).toMatchObject({
      ...{ kind, outcome: 'passed' },
      where: isSandbox ? 'sandbox' : 'cluster',
    });
  });

  it('are all shown, and the page is right for everybody', async () => {
    await looking.page.getByText('slow-network web').waitFor();
    await looking.shoot('all-drills');
    expect(await looking.violations()).toEqual([]);
    expect(looking.problems).toEqual([]);
  });
});
