import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackupEvent, BackupRequest, BackupSummary } from '../../../src/agent/api.ts';
import type { Backend } from '../../../src/cli/backend.ts';
import { backupSummary, jsonLines, run, stream, withAgent } from './fake-world.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hf-cli-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function ending(summary: Partial<BackupSummary>, ...before: BackupEvent[]): Backend {
  const last: BackupEvent = { type: 'summary', summary: { ...backupSummary, ...summary } };
  return withAgent({ backup: () => stream(...before, last), status: async () => ({}) as never });
}

async function requestOf(argv: string[]): Promise<BackupRequest> {
  const seen: BackupRequest[] = [];
  const backend = withAgent({
    backup: (request) => {
      seen.push(request);
      return stream<BackupEvent>({ type: 'summary', summary: backupSummary });
    },
  });
  const { code, err } = await run(['backup', ...argv], { backend });
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return seen[0] as BackupRequest;
}

describe('the request', () => {
  it('holds absolute paths and every flag', async () => {
    const patterns = join(directory, 'patterns');
    writeFileSync(patterns, '# comment\n*.bak\r\n\n  /var/cache/ \n');
    const request = await requestOf([
      ...['relative', '/absolute', '--dataset', 'docs', '-e', '*.tmp', '--exclude', '*.o'],
      ...['--iexclude', 'thumbs.db', '--exclude-file', patterns, '--exclude-caches'],
      ...['--exclude-if-present', '.nobackup', '--exclude-larger-than', '1G', '-x'],
      ...['--tag', 'a,b', '--tag', 'c', '-n', '-f'],
    ]);
    expect(request).toEqual({
      paths: ['/work/relative', '/absolute'].map((path) => Buffer.from(path).toString('base64')),
      dataset: 'docs',
      tags: ['a', 'b', 'c'],
      exclude: ['*.tmp', '*.o', '*.bak', '/var/cache/'],
      iexclude: ['thumbs.db'],
      excludeIfPresent: ['.nobackup'],
      excludeCaches: true,
      excludeLargerThan: 2 ** 30,
      oneFileSystem: true,
      dryRun: true,
      force: true,
    });
  });

  it('names a configured dataset alone', async () => {
    const request = await requestOf(['--dataset', 'docs']);
    expect(request).toMatchObject({ dataset: 'docs', dryRun: false, force: false });
    expect(request).not.toHaveProperty('paths');
  });

  it('must name something', async () => {
    const { code, err } = await run(['backup'], { backend: ending({}) });
    expect(code).toBe(2);
    expect(err).toContain('next: holdfast backup PATH');
  });

  it('needs its exclude file', async () => {
    const { code, err } = await run(['backup', '/x', '--exclude-file', join(directory, 'none')]);
    expect(code).toBe(1);
    expect(err).toContain('cannot read the exclude file');
  });
});

describe('the result', () => {
  it('is told in words', async () => {
    const { code, out } = await run(['backup', '/x'], { backend: ending({}) });
    expect(code).toBe(0);
    expect(out).toBe(
      [
        'snapshot 3f2a9c1b of documents: committed',
        '  files   1,000 new, 200 changed, 34 unmodified (1,234 files, 10 directories, 1 others)',
        '  data    4.77 MiB in all, 3.81 MiB read, 2.86 MiB new, 4.78 MiB stored',
        '  time    1:01',
        '  safety  survives any 2 sites; costs 1.67x',
        '',
      ].join('\n'),
    );
  });

  it('is one line with --quiet', async () => {
    const { out } = await run(['backup', '/x', '-q'], { backend: ending({}) });
    expect(out).toBe('snapshot 3f2a9c1b of documents: committed\n');
  });

  it('is JSON lines with the names that scripts know', async () => {
    const status: BackupEvent = {
      type: 'status',
      elapsedMs: 5,
      filesDone: 1,
      filesTotal: 4,
      bytesDone: 25,
      bytesTotal: 100,
      bytesSent: 7,
      current: '/x/a',
    };
    const notice: BackupEvent = { type: 'notice', message: 'a site is away' };
    const backend = ending({}, status, notice);
    const { code, out, err } = await run(['backup', '/x', '--json'], { backend });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [first, second, last] = jsonLines(out);
    expect(first).toEqual({
      message_type: 'status',
      seconds_elapsed: 0,
      percent_done: 0.25,
      total_files: 4,
      files_done: 1,
      total_bytes: 100,
      bytes_done: 25,
      bytes_sent: 7,
      current_files: ['/x/a'],
    });
    expect(second).toEqual({ message_type: 'notice', text: 'a site is away' });
    expect(last).toMatchObject({
      message_type: 'summary',
      snapshot_id: backupSummary.snapshot,
      files_new: 1000,
      files_changed: 200,
      files_unmodified: 34,
      data_added: 3_000_000,
      total_files_processed: 1234,
      total_bytes_processed: 5_000_000,
      total_duration: 61,
      dry_run: false,
      state: 'committed',
    });
  });

  it('with unreadable files exits 3 and names them', async () => {
    const problem: BackupEvent = {
      type: 'problem',
      path: '/x/\\xff\u001b[31m',
      pathBase64: 'L3gv/w==',
      reason: 'EACCES',
    };
    const backend = ending({ problems: 1 }, problem);
    const { code, err } = await run(['backup', '/x'], { backend });
    expect(code).toBe(3);
    expect(err).toContain('/x/\\xff\\x1b[31m: EACCES\n');
    expect(err).toContain('holdfast: 1 problem: ');
    const json = await run(['backup', '/x', '--json'], {
      backend: ending({ problems: 1 }, problem),
    });
    expect(json.code).toBe(3);
    expect(jsonLines(json.err)).toMatchObject([
      { message_type: 'error', path_b64: 'L3gv/w==', error: { message: 'EACCES' } },
      { message_type: 'exit_error', code: 'partial' },
    ]);
  });

  it.each([
    [{ state: 'placed' as const, missingSites: ['ber'] }, 'placed, not committed'],
    [{ state: 'staged' as const, problems: 4 }, 'staged, not committed'],
    [{ missingSites: ['ber', 'lon'] }, 'below policy until ber, lon'],
  ])('%j exits 22 and says so', async (summary, words) => {
    const { code, err } = await run(['backup', '/x'], { backend: ending(summary) });
    expect(code).toBe(22);
    expect(err).toContain(words);
    expect(err).toContain('next: holdfast status\n');
  });

  it('that a budget stops names peer, budget and what is used, and where to raise it', async () => {
    const reason =
      'its budget is 1.00 MiB a day (datasets[].budget.perDay); 900 KiB were stored today';
    const refusals = [{ peer: 'nas', site: 'ber', code: 'over-budget' as const, reason }];
    const summary = { state: 'staged' as const, missingSites: ['ber'], refusals };
    const whole = await run(['backup', '/x'], { backend: ending({ refusals }) });
    expect(whole.out).toContain(`  refused by nas (site ber): ${reason}\n`);
    const { code, out, err } = await run(['backup', '/x'], { backend: ending(summary) });
    expect(code).toBe(22);
    expect(out).not.toContain(reason);
    expect(err).toContain(
      'staged, not committed: it may not survive yet; nas (site ber): its budget',
    );
    expect(err).toContain('next: holdfast policy show; operators raise the budget');
    const json = await run(['backup', '/x', '--json'], { backend: ending(summary) });
    expect(jsonLines(json.err)).toMatchObject([{ code: 'over-budget', exit_code: 22 }]);
  });

  it('of a host that was put out meanwhile says so, and by whom', async () => {
    const expulsion = {
      generation: 1,
      index: 207,
      reason: 'stolen',
      timeMs: 1,
      operators: ['ada'],
    };
    const words = 'this host was put out of the cluster by ada';
    const backend = ending({ state: 'staged', missingSites: ['ber'] });
    const agent = backend.control('/s');
    agent.status = async () => ({ expulsion: { ...expulsion, words } }) as never;
    const { code, err } = await run(['backup', '/x'], { backend });
    expect([code, err]).toEqual([24, expect.stringContaining(words)]);
  });

  it('under quarantine is a success that says who must look', async () => {
    const quarantine = { by: 'nas', reason: 'its budget is 1.00 MiB a day' };
    const { code, out } = await run(['backup', '/x'], { backend: ending({ quarantine }) });
    expect(code).toBe(0);
    expect(out).toContain('in quarantine, by nas: its budget is 1.00 MiB a day');
    expect(out).toContain('holdfast quarantine list');
  });

  it('of a dry run is a success though nothing is committed', async () => {
    const backend = ending({ state: 'staged', snapshot: '' });
    const { code, out } = await run(['backup', '/x', '-n', '-s', '/s'], { backend });
    expect(code).toBe(0);
    expect(out).toContain('dry run');
  });

  it('that never comes is a failure', async () => {
    const backend = withAgent({ backup: () => stream<BackupEvent>() });
    const { code, err } = await run(['backup', '/x', '-s', '/s'], { backend });
    expect(code).toBe(1);
    expect(err).toContain('next: holdfast status -s /s\n');
  });
});

it('refuses an interval for progress that is none', async () => {
  const env = { HOLDFAST_PROGRESS_INTERVAL: 'often' };
  const { code, err } = await run(['backup', '/x'], { backend: ending({}), env });
  expect(code).toBe(2);
  expect(err).toContain('HOLDFAST_PROGRESS_INTERVAL');
});
