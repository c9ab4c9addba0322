import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, fiveSites, messages } from '../support/cluster.ts';
import { isChromiumHere, Looking, screens, whySkipped } from './looking.ts';

if (!isChromiumHere) console.error(`THE DASHBOARD IS NOT TESTED${whySkipped}`);

// The states follow from each other, as on a bad day.
describe.skipIf(!isChromiumHere)(`the dashboard in a browser${whySkipped}`, () => {
  const cluster = new Cluster();
  let looking: Looking;

  beforeAll(async () => {
    await cluster.form(fiveSites, { surviveSites: 2 });
    looking = await Looking.at(await link('fra1'));
  });

  afterAll(async () => {
    await looking?.[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  async function link(site: string): Promise<string> {
    const { out } = await cluster.expect(0, ['dashboard', '--json'], site);
    return String(messages(out)[0]?.link);
  }

  async function lookAtAll(state: string): Promise<void> {
    for (const screen of screens) {
      await looking.show(screen);
      await looking.shoot(`${state}-${screen}`);
      expect(await looking.violations(), `${state} ${screen}`).toEqual([]);
    }
    expect(looking.problems).toEqual([]);
  }

  function source(name: string): string {
    const directory = join(cluster.root, name);
    mkdirSync(directory);
    for (let i = 0; i < 40; i++) {
      writeFileSync(
        join(directory, `page-${i}.html`),
        `<p>${name} ${i}</p>\n`.repeat(500 + i * 40),
      );
    }
    return directory;
  }

  it('takes the token out of the address at once', async () => {
    expect(looking.page.url()).not.toContain('token');
    await looking.page.reload();
    await looking.page.waitForSelector('.link.live');
  });

  it('tells of an empty cluster how to begin', async () => {
    await looking.page.getByText('Nothing is protected yet.').waitFor();
    await lookAtAll('empty');
  });

  it('says yes when all is well, without being asked again', async () => {
    await looking.show('overview');
    const web = source('web');
    await cluster.backup('ams1', ['--dataset', 'web', web]);
    await cluster.backup('nyc1', ['--dataset', 'mail', source('mail')]);
    writeFileSync(join(web, 'page-1.html'), '<p>another</p>\n');
    await cluster.backup('ams1', ['--dataset', 'web', web]);
    await looking.page.getByText('Yes. All 2 datasets can be restored now.').waitFor();
  });

  it('rehearses a restore, and shows what it took', async () => {
    const { page } = looking;
    await looking.show('drills');
    for (const name of ['web', 'mail', 'web']) {
      await page.getByRole('combobox', { name: 'Dataset' }).selectOption(name);
      await page.getByLabel(/Recovery kit/).fill(cluster.kit);
      await page.getByRole('button', { name: 'Run the drill' }).click();
      await page.getByRole('button', { name: 'Stop it' }).waitFor();
      await page.getByText('Done: the report was signed').waitFor({ timeout: 240_000 });
    }
    await page
      .getByRole('img', { name: /^RTO.*passed/ })
      .first()
      .waitFor();
    await lookAtAll('healthy');
  });

  it('looks into a snapshot with the kit, and downloads a file as it was', async () => {
    const { page } = looking;
    await looking.show('snapshots');
    await page.locator('tbody th a').first().click();
    await page.getByLabel('Search by name').fill('page-1.html');
    await page.getByRole('button', { name: 'Search' }).click();
    const saving = page.waitForEvent('download');
    await page.getByRole('button', { name: /^Download/ }).click();
    expect(readFileSync(await (await saving).path(), 'utf8')).toBe('<p>another</p>\n');
    await page.getByLabel('Compare with an earlier one').selectOption({ index: 1 });
    await page.getByRole('button', { name: 'Show what changed' }).click();
    await page.getByRole('cell', { name: 'content' }).waitFor();
    await page.getByRole('button', { name: 'Browse' }).click();
    await page.getByRole('row', { name: /directory/ }).waitFor();
    await looking.shoot('healthy-browse');
    expect(await looking.violations()).toEqual([]);
  });

  it('says in words why a wrong kit opens nothing', async () => {
    const { page } = looking;
    await page.getByLabel(/Recovery kit/).fill('/nowhere/kit.txt');
    await page.getByRole('button', { name: 'Browse' }).click();
    await page.getByText(/cannot read the recovery kit/).waitFor();
    // The browser notes the answer, which was what is wanted here.
    expect(looking.problems.splice(0)).toEqual([
      expect.stringContaining('Failed to load resource'),
    ]);
  });

  it('tells what a loss would mean before it happens', async () => {
    const { page } = looking;
    await looking.show('durability');
    for (const site of ['ams1', 'fra1', 'nyc1']) await page.getByLabel(site).check();
    await page.getByText(/can NOT be restored/).waitFor();
    await looking.shoot('healthy-what-if');
    expect(await looking.violations()).toEqual([]);
    await page.getByLabel('nyc1').uncheck();
    await page.getByText('Without ams1 and fra1, all 2 datasets can be restored.').waitFor();
  });

  it('checks the chain of the audit log', async () => {
    await looking.show('activity');
    await looking.page.getByRole('button', { name: /^Check the log/ }).click();
    await looking.page.getByText(/entries are as they were written/).waitFor();
    await looking.shoot('healthy-audit');
  });

  it('asks for a restore, and restores what operators have granted', async () => {
    const { page } = looking;
    await looking.show('restore');
    await page.getByLabel('Why: everybody will read it').fill('a rehearsal');
    await page.getByRole('button', { name: /^Ask for a restore/ }).click();
    const command = await page
      .locator('code', { hasText: 'holdfast approve sign' })
      .last()
      .textContent();
    const id = command?.split(' ').at(-1) ?? '';
    await cluster.expect(0, ['approve', 'sign', id], 'ams1');
    await cluster.expect(0, ['restore', 'grant', id, '--kit', cluster.kit], 'ams1');
    const target = join(cluster.root, 'granted');
    await page.getByLabel(/Into this directory/).fill(target);
    await page.getByRole('button', { name: 'Restore now' }).click();
    await page.getByText('Everything is verified.').waitFor({ timeout: 240_000 });
    expect(readFileSync(join(target, cluster.root, 'web', 'page-0.html'), 'utf8')).toContain(
      'web 0',
    );
  });

  it('follows a restore plan step by step', async () => {
    const draft = join(cluster.root, 'draft.json');
    const checks = [{ kind: 'command', argv: ['/bin/sleep', '45'] }];
    const target = { site: 'sin1' };
    const dir = join(cluster.root, 'back');
    const text = {
      name: 'move-web',
      target,
      datasets: ['web', 'mail'],
      dir,
      checks,
      promote: false,
    };
    writeFileSync(draft, JSON.stringify(text));
    const plan = join(cluster.root, 'plan.json');
    await cluster.expect(0, ['restore', 'plan', draft, '-o', plan], 'ams1');
    const run = cluster.run(['restore', 'run', plan, '--kit', cluster.kit], 'ams1');
    await looking.show('restore');
    await looking.page.locator('.step.busy').first().waitFor({ timeout: 240_000 });
    await lookAtAll('restoring');
    expect((await run).code).toBe(0);
    await looking.show('restore');
    await looking.page.getByText('move-web: done').waitFor();
  });

  it('says after the loss of two sites what is lost, and what to do', async () => {
    for (const site of ['ams1', 'nyc1']) await cluster.kill(site);
    await looking.show('overview');
    const { page } = looking;
    await page
      .getByText(/Sites ams1 and nyc1 do not answer; no backup was lost/)
      .waitFor({ timeout: 240_000 });
    await page
      .getByText('Yes. All 2 datasets can be restored now, with little to spare.')
      .waitFor();
    await page.waitForTimeout(3000);
    await lookAtAll('degraded');
  });

  it('fits a phone, by keyboard too', async () => {
    const { page } = looking;
    await page.setViewportSize({ width: 390, height: 844 });
    for (const screen of screens) {
      await looking.show(screen);
      await looking.shoot(`phone-${screen}`);
      const isTooWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
      expect(isTooWide, screen).toBe(false);
    }
    await looking.show('overview');
    await page.reload();
    await page.waitForSelector('.link.live');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  it('says that the agent is gone, and lives again with it', async () => {
    await cluster.kill('fra1');
    await looking.page.getByText(/the agent does not answer/).waitFor();
  });
});
