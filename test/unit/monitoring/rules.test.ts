import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const rules = join(root, 'docs/monitoring/holdfast.rules.yml');
const board = join(root, 'docs/monitoring/holdfast.dashboard.json');
const text = readFileSync(rules, 'utf8');
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) {
  console.warn('SKIPPED: alert rules were not tested, since there is no promtool (prometheus)');
}

describe('the alert rules', () => {
  it('name a page each, and each page is there', () => {
    const alerts = text.match(/- alert: /g) ?? [];
    const pages = [...text.matchAll(/runbook: (\S+)/g)].map(([, page]) => page ?? '');
    expect(pages).toHaveLength(alerts.length);
    for (const page of pages) expect(existsSync(join(root, page)), page).toBe(true);
  });

  it('ask only for what an agent measures, as the panels do', () => {
    const source = ['dataset', 'control', 'storage', 'work']
      .map((part) => readFileSync(join(root, `src/agent/metrics/${part}-metrics.ts`), 'utf8'))
      .join('');
    const asked = new Set((text + readFileSync(board, 'utf8')).match(/holdfast_[a-z0-9_]+/g));
    expect(asked.size).toBeGreaterThan(10);
    for (const name of asked) expect(source, name).toContain(`'${name}'`);
  });

  it.runIf(hasPromtool)('fire when they should, and clear', () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-rules-'));
    try {
      const cases = readFileSync(new URL('rules.test.yml', import.meta.url), 'utf8');
      const file = join(directory, 'test.yml');
      writeFileSync(file, cases.replace('RULES', rules));
      for (const args of [
        ['check', 'rules', rules],
        ['test', 'rules', file],
      ]) {
        const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
        expect(status, `${stdout}${stderr}`).toBe(0);
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
