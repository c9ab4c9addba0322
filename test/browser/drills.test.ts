import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DrillKind, drillKinds } from '../../src/core/policy/drill-report.ts';
import { messages, told } from '../support/cluster.ts';
import { Demo } from '../support/demo.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { isChromiumHere, Looking, whySkipped } from './looking.ts';

/** Fourteen drills of the demo after its disaster, by those who are left. */
describe.skipIf(!isChromiumHere)(`drills on the demo${whySkipped}`, () => {
  const scratch = scratchDirectory();
  const directory = join(scratch.path, 'web');
  const page = join(scratch.path, 'drills.html');
  let demo: Demo;
  let looking: Looking;

  beforeAll(async () => {
    mkdirSync(directory);
    for (let i = 0; i < 60; i++) {
      writeFileSync(join(directory, `page-${i}.html`), `<p>${i}</p>\n`.repeat(200 + i * 10));
    }
    demo = await Demo.start([directory], scratch.path);
    looking = await Looking.at(demo.link);
  });

  afterAll(async () => {
    await looking?.[Symbol.asyncDispose]();
    const root = demo?.root;
    await demo?.[Symbol.asyncDispose]();
    expect(existsSync(root ?? '')).toBe(false);
    await scratch[Symbol.asyncDispose]();
  });

  /** What it is drilled with, beside the name of the dataset, from the command line. */
  const options: Record<DrillKind, () => string[]> = {
    file: () => [`ams1:${directory}`, '--kit', demo.kit],
    dataset: () => ['ams1', '--kit', demo.kit],
    'site-loss': () => ['ams1', '--without', 'ams1', '--without', 'nyc1', '--kit', demo.kit],
    'key-loss': () => ['ams1', '--sandbox'],
    ransomware: () => ['ams1'],
    partition: () => ['ams1'],
    'slow-network': () => ['ams1'],
  };

  it.each(drillKinds)('%s passes from the command line', async (kind) => {
    const known = (await demo.api('fra1').drills()).length;
    const command = ['drill', 'run', kind, ...options[kind]()];
    const outcome = await demo.run(command, demo.state('fra1'));
    expect(outcome.code, told(outcome)).toBe(0);
    const drills = await demo.api('fra1').drills();
    expect(drills).toHaveLength(known + 1);
    expect(drills.at(-1)?.report).toMatchObject({ kind, outcome: 'passed' });
  });

  it.each(drillKinds)('%s passes when it is started from the dashboard', async (kind) => {
    const { page } = looking;
    await looking.show('drills');
    await page.getByLabel('Scenario').selectOption(kind);
    const isSandbox = await page.getByLabel(/^In a sandbox/).isChecked();
    if (!isSandbox) await page.getByLabel(/Recovery kit/).fill(demo.kit);
    if (kind === 'file') await page.getByLabel('Path in the dataset').fill(directory);
    if (kind === 'site-loss') {
      for (const site of ['ams1', 'nyc1']) {
        await page.getByRole('checkbox', { name: site, exact: true }).check();
      }
    }
    const known = (await demo.api('fra1').drills()).length;
    await page.getByRole('button', { name: 'Run the drill' }).click();
    await page.getByRole('button', { name: 'Stop it' }).waitFor();
    // Where it ends otherwise, the page says how.
    await page
      .getByRole('button', { name: 'Stop it' })
      .waitFor({ state: 'detached', timeout: 540_000 });
    expect(await page.locator('main').textContent()).toContain('Done: the report was signed');
    const drills = await demo.api('fra1').drills();
    expect(drills).toHaveLength(known + 1);
    expect(drills.at(-1)?.report).toMatchObject({
      ...{ kind, outcome: 'passed' },
      where: isSandbox ? 'sandbox' : 'cluster',
    });
  });

  it('are all shown, and the page is right for everybody', async () => {
    await looking.page.getByText('slow-network ams1').first().waitFor();
    await looking.shoot('all-drills');
    expect(await looking.violations()).toEqual([]);
    expect(looking.problems).toEqual([]);
  });

  it('are proven by what another site hands out, where nothing is known but the id of the cluster', async () => {
    const report = ['drill', 'report', '--since', '90d', '--out', page];
    expect(await demo.run(report, demo.state('sfo1'))).toMatchObject({ code: 0 });
    const { clusterId } = await demo.api('sin1').identity();
    const verify = ['drill', 'verify', page, '--cluster-id', clusterId, '--json'];
    const nowhere = join(scratch.path, 'nothing is here');
    const proven = await demo.run(verify, nowhere);
    expect(proven.code, told(proven)).toBe(0);
    const drills = (await demo.api('fra1').drills()).length;
    expect(messages(proven.out).at(-1)).toMatchObject({ drills, is_proven: true });
    writeFileSync(page, readFileSync(page, 'utf8').replace('PASSED', 'FAILED'));
    expect(await demo.run(verify, nowhere)).toMatchObject({ code: 23 });
  });
});
