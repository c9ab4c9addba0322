import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { proveDrills } from '../../../src/agent/compose/drill-evidence.ts';
import type { DrillEntry, DrillTerms } from '../../../src/agent/drill-types.ts';
import { hourMs } from '../../../src/base/units.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { type DrillReport, encodeDrillReport } from '../../../src/core/policy/drill-report.ts';
import { SampleCluster, sampleAgent } from '../../support/sample-cluster.ts';
import { fakeBackend, jsonLines, run, stream, withAgent } from './fake-world.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-drill-cli-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const cluster = new SampleCluster();
const bergen = sampleAgent('bergen');
const agent = { name: 'bergen', site: 'bergen', key: bergen.agentKey };
const endedMs = Date.UTC(2026, 10, 20);

function report(change: Partial<DrillReport> = {}): DrillReport {
  return {
    version: 1,
    kind: 'dataset',
    where: 'cluster',
    cluster: { id: cluster.id, name: 'sample' },
    agent,
    authority: 'kit',
    startedMs: endedMs - 5000,
    endedMs,
    dataset: { name: 'web <script>', id: '0d'.repeat(16), source: 'oslo', sourceSite: 'oslo' },
    snapshot: { id: 'ab'.repeat(32), timeMs: endedMs - hourMs, files: 3, bytes: 1000 },
    scope: 'all',
    objectives: { rtoMs: hourMs },
    policyVersion: 2,
    approvals: { needed: 0, by: [] },
    times: { findMs: 100, restoreMs: 200, verifyMs: 50, checksMs: 0, rtoMs: 350, rpoMs: hourMs },
    isRtoReckoned: false,
    sites: ['oslo'],
    criteria: [{ name: 'complete', isMet: true, detail: '3 files restored' }],
    outcome: 'passed',
    isolation: 'a directory of its own',
    ...change,
  };
}

/** What an agent of the cluster would hand out about these reports. */
function evidenceOf(reports: readonly DrillReport[]) {
  const own = new SampleCluster();
  const drills = reports.map((one) =>
    own.sign(bergen.statementSecret, { kind: 'drill', report: encodeDrillReport(one) }),
  );
  const envelopes = [...own.admit(bergen), ...drills.map(({ envelope }) => envelope)];
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const entries = drills.map(
    ({ statement, hash }, i): DrillEntry => ({
      id: Buffer.from(hash).toString('hex'),
      agent: 'bergen',
      sequence: statement.sequence,
      timeMs: endedMs,
      isAnchored: i === 0,
      report: reports[i] as DrillReport,
    }),
  );
  const statements = envelopes.map(base64);
  return { genesis: base64(own.genesisBytes), statements, entries };
}

const two = [report(), report({ outcome: 'missed', endedMs: endedMs + hourMs })];

async function written(format: 'json' | 'html', name: string): Promise<string> {
  const { entries, ...evidence } = evidenceOf(two);
  const file = join(directory, name);
  const backend = withAgent(
    { drills: async () => entries, drillEvidence: async () => evidence },
    { proveDrills },
  );
  const nowMs = () => endedMs + 24 * hourMs;
  const argv = ['drill', 'report', '--since', '90d', '--format', format, '--out', file];
  const { code } = await run(argv, { backend, nowMs });
  expect(code).toBe(0);
  return file;
}

const alone = withAgent(
  {
    identity: async () => {
      throw new Error('no agent was to be asked');
    },
  },
  { proveDrills },
);

function verify(file: string) {
  const argv = ['drill', 'verify', file, '--cluster-id', cluster.id];
  return run(argv, { backend: alone });
}

describe.each(['json', 'html'] as const)('evidence as %s', (format) => {
  test('is proven on a machine that knows the id of the cluster alone', async () => {
    const { code, out } = await verify(await written(format, `whole.${format}`));
    expect(code).toBe(0);
    expect(out).toContain('Every signature holds: 2 drill reports');
  });

  test('that says something else than was signed is tampered with', async () => {
    const file = await written(format, `changed.${format}`);
    const text = readFileSync(file, 'utf8');
    const changed = text.replace(/missed|OBJECTIVE MISSED/, 'passed');
    expect(changed).not.toBe(text);
    writeFileSync(file, changed);
    expect((await verify(file)).code).toBe(23);
  });

  test('of another cluster proves nothing', async () => {
    const file = await written(format, `other.${format}`);
    const argv = ['drill', 'verify', file, '--cluster-id', 'ff'.repeat(32)];
    const { code, err } = await run(argv, { backend: alone });
    expect(code).toBe(23);
    expect(err).toContain('not of');
  });
});

describe('evidence', () => {
  test('with a changed or missing statement proves nothing', async () => {
    const file = await written('json', 'cut.json');
    const evidence = JSON.parse(readFileSync(file, 'utf8'));
    const { statements } = evidence;
    const bent = Buffer.from(statements[2], 'base64');
    bent[200] = (bent[200] ?? 0) ^ 1;
    for (const changed of [
      statements.toSpliced(2, 1),
      statements.toSpliced(1, 1),
      statements.with(2, bent.toString('base64')),
    ]) {
      writeFileSync(file, JSON.stringify({ ...evidence, statements: changed }));
      expect((await verify(file)).code).toBe(23);
    }
  });

  test('is a page that runs nothing, whatever names say', async () => {
    const page = readFileSync(await written('html', 'page.html'), 'utf8');
    expect(page).not.toContain('web <script>');
    expect(page).toContain('web &lt;script&gt;');
    expect(page).toContain("default-src 'none'");
    expect(page).toContain('DORA article 12');
    expect(page).toContain('<polyline');
  });

  test('is nothing that somebody else has written', async () => {
    const file = join(directory, 'nothing.json');
    writeFileSync(file, '{"format":"other"}');
    expect((await verify(file)).code).toBe(23);
    expect((await run(['drill', 'verify', `${file}.gone`], { backend: alone })).code).toBe(1);
  });
});

describe('drill run', () => {
  const terms: DrillTerms = {
    cluster: { id: cluster.id, name: 'sample' },
    agent,
    policyVersion: 2,
    objectives: { rtoMs: hourMs },
    approvals: { needed: 0, by: [] },
    checks: [],
  };
  const kit = join(directory, 'kit.txt');
  writeFileSync(kit, 'kit', { mode: 0o600 });

  function world(result: DrillReport, recorded: string[]) {
    return withAgent(
      {
        identity: async () => ({ addresses: [] }) as never,
        drillTerms: async () => terms,
        recordDrill: async (request) => {
          recorded.push(request.report);
          return { id: 'cd'.repeat(32) };
        },
      },
      {
        openRecovery: async () =>
          ({
            snapshots: async () => [{ id: 'ab'.repeat(32), line: 'main', state: 'committed' }],
            drill: () =>
              stream({ type: 'report', report: result, staged: '/staging/files', isKept: false }),
            [Symbol.asyncDispose]: async () => undefined,
          }) as never,
      },
    );
  }

  test.each([
    ['passed', 0],
    ['missed', 25],
    ['failed', 25],
  ] as const)('that has %s is recorded, and exits with %i', async (outcome, code) => {
    const recorded: string[] = [];
    const backend = world(report({ outcome }), recorded);
    const argv = ['drill', 'run', 'dataset', 'web', '--kit', kit];
    const result = await run(argv, { backend });
    expect(result.code).toBe(code);
    expect(recorded).toHaveLength(1);
    expect(result.out).toContain('RTO         0.3 s, target 1 h: met');
    expect(result.out).toContain('drill show cdcdcdcd');
  });

  test('tells programs everything in one line', async () => {
    const backend = world(report(), []);
    const argv = ['drill', 'run', 'dataset', 'web', '--kit', kit, '--json', '--no-record'];
    const { code, out } = await run(argv, { backend });
    expect(code).toBe(0);
    expect(jsonLines(out).at(-1)).toMatchObject({
      message_type: 'summary',
      report: { outcome: 'passed', times: { rto_ms: 350 } },
    });
  });

  test.each([
    ['--snapshot', 'ab'],
    ['--no-record'],
    ['--without', 'oslo'],
    ['--allow-hooks'],
    ['--no-hooks'],
    ['--sandbox'],
  ])('with a grant refuses what the agent would not heed: %s', async (...flags) => {
    const argv = ['drill', 'run', 'dataset', 'web', '--grant', ...flags];
    const { code, err } = await run(argv, { backend: fakeBackend() });
    expect(code).toBe(2);
    expect(err).toContain(flags[0] === '--sandbox' ? 'a sandbox and --grant' : `${flags[0]} and`);
  });

  test('of the loss of a site asks on a blank machine which site', async () => {
    const none = async (): Promise<never> => {
      throw new HoldfastError('agent-not-running', 'no agent runs');
    };
    const backend = withAgent({ drillTerms: none, status: none, peers: none });
    const argv = ['drill', 'run', 'site-loss', 'web', '--kit', kit];
    const { code, err } = await run(argv, { backend });
    expect(code).toBe(2);
    expect(err).toContain('--without SITE');
  });

  test('in a sandbox is of the dataset that the agent has found', async () => {
    const shape = { files: 3, directories: 1, bytes: 9, densePermille: 0, changedPermille: 0 };
    const { dataset = { name: '', id: '', source: '', sourceSite: '' } } = report();
    let asked: unknown;
    const backend = withAgent(
      {
        drillTerms: async () => terms,
        drillShape: async () => ({ dataset, shape }),
        status: async () => ({ sites: [], policy: { surviveSites: 1 } }) as never,
      },
      {
        sandboxDrill: (request) => {
          asked = request;
          return stream({ type: 'report', report: report(), staged: '/staging', isKept: false });
        },
      },
    );
    const argv = ['drill', 'run', 'partition', 'we', '--no-record'];
    expect((await run(argv, { backend })).code).toBe(0);
    expect(asked).toMatchObject({ dataset, shape, scenario: 'partition' });
  });

  test('tells each default once', async () => {
    const { out } = await run(['drill', 'run', '--help'], { backend: fakeBackend() });
    expect(out).toMatch(/given up after this \(default:\s+15m\)/);
  });

  test('of a file names a path, and knows no other scenario', async () => {
    const backend = fakeBackend();
    const file = await run(['drill', 'run', 'file', 'web', '--kit', kit], { backend });
    expect(file.code).toBe(2);
    expect(file.err).toContain('names a path');
    expect((await run(['drill', 'run', 'flood', 'web'], { backend })).code).toBe(2);
  });
});
