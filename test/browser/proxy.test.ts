import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, messages } from '../support/cluster.ts';
import { PrefixProxy } from '../support/prefix-proxy.ts';
import { isChromiumHere, Looking, whySkipped } from './looking.ts';

describe.skipIf(!isChromiumHere)(
  `the dashboard behind a reverse proxy with a prefix${whySkipped}`,
  () => {
    const cluster = new Cluster();
    let proxy: PrefixProxy;
    let looking: Looking;

    beforeAll(async () => {
      proxy = await PrefixProxy.open('/backup/ams1/');
      cluster.configs.ams1 = { dashboard: { listen: '127.0.0.1:0', hosts: [proxy.host] } };
      await cluster.found({ name: 'ams1', region: 'eu' }, { surviveSites: 0 });
      await cluster.start('ams1');
      const { out } = await cluster.expect(0, ['dashboard', '--json'], 'ams1');
      looking = await Looking.at(proxy.linkFor(String(messages(out)[0]?.link)));
    });

    afterAll(async () => {
      await looking?.[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      await proxy?.[Symbol.asyncDispose]();
    });

    it('loads everything from below the prefix, and keeps its session there', async () => {
      const { page } = looking;
      expect(new URL(page.url()).pathname).toBe('/backup/ams1/');
      const [cookie] = await page.context().cookies();
      expect(cookie).toMatchObject({ path: '/backup/ams1', httpOnly: true });
      await page.reload();
      await page.waitForSelector('.link.live');
      expect(looking.problems).toEqual([]);
    });

    it('tells of what changes as it happens', async () => {
      await looking.page.getByText('Nothing is protected yet.').waitFor();
      const file = join(cluster.root, 'letter.txt');
      writeFileSync(file, 'a letter\n');
      await cluster.backup('ams1', ['--dataset', 'letters', file]);
      await looking.page.getByText(/Your dataset can be restored now/).waitFor();
    });

    it('runs a drill whose steps come while it runs', async () => {
      const { page } = looking;
      await looking.show('drills');
      await page.getByLabel(/Recovery kit/).fill(cluster.kit);
      await page.getByRole('button', { name: 'Run the drill' }).click();
      await page.getByText('Done: the report was signed').waitFor({ timeout: 240_000 });
      expect(looking.problems).toEqual([]);
    });
  },
);
