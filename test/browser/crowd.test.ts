import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, messages } from '../support/cluster.ts';
import { crowdState } from '../support/crowded-state.ts';
import { isChromiumHere, Looking, screens, whySkipped } from './looking.ts';

const members = 49;
/** Fewer for a first look: CROWD_SNAPSHOTS=500. */
const snapshots = Number(process.env.CROWD_SNAPSHOTS ?? 10_000);
const halfway = 50 * Math.floor(snapshots / 100);

/** Far above what a quiet machine needs: a list that grows with the cluster misses them by far. */
const bounds = { interactiveMs: 8_000, searchMs: 4_000, pageMs: 4_000, longTaskMs: 400 } as const;

describe.skipIf(!isChromiumHere)(
  `the dashboard of 50 peers and ${snapshots} snapshots${whySkipped}`,
  () => {
    const cluster = new Cluster();
    let looking: Looking;
    let link: string;

    beforeAll(async () => {
      cluster.configs.one = { log: { level: 'warn' } };
      await cluster.found({ name: 'one', region: 'here' }, { surviveSites: 0 });
      await cluster.start('one');
      const directory = join(cluster.root, 'home');
      mkdirSync(directory);
      for (let i = 0; i < 20; i++) writeFileSync(join(directory, `f${i}`), `${i}`.repeat(2000));
      await cluster.backup('one', ['--dataset', 'home', directory]);
      await cluster.stop('one');
      await crowdState(cluster.state('one'), { members, snapshots });
      await cluster.start('one');
      const { out } = await cluster.expect(0, ['dashboard', '--json'], 'one');
      link = String(messages(out)[0]?.link);
    }, 900_000);

    afterAll(async () => {
      await looking?.[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    });

    function tell(what: string, ms: number): void {
      console.log(`crowd: ${what}: ${ms.toFixed(0)} ms`);
    }

    async function timed(what: string, work: () => Promise<unknown>): Promise<number> {
      const startMs = performance.now();
      await work();
      const ms = performance.now() - startMs;
      tell(what, ms);
      return ms;
    }

    it('answers on the overview soon after it is opened', async () => {
      const ms = await timed('from the link to the verdict', async () => {
        looking = await Looking.at(link);
        await looking.page.locator('#verdict').waitFor();
      });
      expect(ms).toBeLessThan(bounds.interactiveMs);
    });

    it('transfers less than 200 kB for the first view', async () => {
      const { page } = looking;
      const bytes = await page.evaluate(
        `performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
        .filter(({ name }) => !name.includes('/v1/events'))
        .reduce((sum, { transferSize }) => sum + transferSize, 0)`,
      );
      console.log(`crowd: first view: ${bytes} bytes`);
      expect(bytes).toBeLessThan(200_000);
    });

    it('lists the newest snapshots, the oldest, and any in between', async () => {
      const { page } = looking;
      await looking.show('snapshots');
      const rows = page.locator('tbody tr');
      await rows.nth(49).waitFor();
      const ms = await timed('to the oldest page', async () => {
        await page.getByRole('button', { name: 'Oldest' }).click();
        await page.getByText(`to ${snapshots + 1} of ${snapshots + 1}`).waitFor();
        await page.locator('.busy').waitFor({ state: 'detached' });
      });
      expect(ms).toBeLessThan(bounds.pageMs);
      expect(await rows.count()).toBeLessThanOrEqual(50);
      await page.getByLabel('From which on').fill(String(halfway + 1));
      await page.keyboard.press('Enter');
      await page.getByText(`to ${halfway + 50} of ${snapshots + 1}`).waitFor();
    });

    it('finds one of them', async () => {
      const { page } = looking;
      const ms = await timed('search by a tag', async () => {
        await page
          .getByRole('searchbox')
          .or(page.locator('input[name=text]'))
          .fill(`day-${Math.floor(snapshots / 48)}`);
        await page.getByRole('button', { name: 'Find' }).click();
        await page.getByText(/^Found: 1 to 1$/).waitFor();
      });
      expect(ms).toBeLessThan(bounds.searchMs);
      await looking.shoot('crowd-snapshots');
    });

    it('stays smooth: no screen keeps the browser busy for long', async () => {
      const { page } = looking;
      await page.evaluate(`globalThis.longest = 0; new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
    }).observe({ type: 'longtask', buffered: false })`);
      for (const screen of screens) {
        await looking.show(screen);
        await page.mouse.wheel(0, 4000);
        await page.waitForTimeout(300);
      }
      const longest = Number(await page.evaluate('globalThis.longest'));
      tell('longest task of the browser over all screens, scrolled', longest);
      expect(longest).toBeLessThan(bounds.longTaskMs);
      await looking.show('peers');
      await looking.shoot('crowd-peers');
      expect(await looking.violations()).toEqual([]);
      expect(looking.problems).toEqual([]);
    });
  },
);
