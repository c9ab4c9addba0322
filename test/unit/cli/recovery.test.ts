import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
  EntryReport,
  RecoverySession,
  RestoreEvent,
  RestoreRequest,
  RestoreSummary,
  SnapshotReport,
} from '../../../src/agent/api.ts';
import { fakeBackend, jsonLines, run, stream, withAgent, withSession } from './fake-world.ts';

let directory: string;
let kit: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hf-cli-'));
  kit = join(directory, 'kit.txt');
  writeFileSync(kit, 'the kit\n', { mode: 0o600 });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const entry: EntryReport = {
  path: '/etc/hosts',
  kind: 'file',
  mode: 0o100644,
  uid: 0,
  gid: 5,
  user: 'root',
  group: '',
  size: 321,
  mtimeNs: '1700000000123456789',
};

const summary: RestoreSummary = {
  snapshot: 'ab'.repeat(32),
  files: 3,
  directories: 2,
  others: 1,
  filesSkipped: 4,
  filesLost: 0,
  problems: 0,
  bytes: 2048,
  bytesFetched: 4096,
  packsDecoded: 1,
  sites: ['ams', 'ber'],
  durationMs: 3000,
};

function snapshot(part: Partial<SnapshotReport>): SnapshotReport {
  return {
    id: 'ab'.repeat(32),
    shortId: 'abababab',
    dataset: 'documents',
    source: 'a1',
    incarnation: 0,
    line: 'main',
    host: 'ams-1',
    timeMs: Date.UTC(2025, 0, 2),
    sequence: 1,
    state: 'committed',
    tags: ['x'],
    files: 3,
    directories: 2,
    bytes: 100,
    bytesAdded: 50,
    filesNew: 1,
    filesChanged: 1,
    filesUnstable: 0,
    durationMs: 1500,
    ...part,
  };
}

/** Runs with a kit and a session that keeps what it was asked. */
async function recover(argv: string[], session: Partial<RecoverySession>) {
  return run([...argv, '--kit', kit], { backend: withSession(session) });
}

describe('the recovery kit', () => {
  it.each([
    [['ls', 'latest'], 'holdfast ls latest --kit FILE'],
    [['find', '*.doc'], "holdfast find '*.doc' --kit FILE"],
    [['diff', 'ab12', 'cd34'], 'holdfast diff ab12 cd34 --kit FILE'],
    [['dump', 'latest:/a b'], "holdfast dump 'latest:/a b' --kit FILE"],
    [['restore', 'latest', '-t', '/x'], 'holdfast restore latest -t /x --kit FILE'],
  ])('is needed for %j, and the exact next command says so', async (argv, next) => {
    const { code, err } = await run(argv);
    expect(code).toBe(12);
    expect(err).toContain('by design');
    expect(err).toContain(`next: ${next}\n`);
  });

  it('comes from the option, the environment or standard input', async () => {
    const opened: { kitText: string; peers: string[] }[] = [];
    const backend = withSession({ list: () => stream() }, ({ kitText, peers }) =>
      opened.push({ kitText, peers }),
    );
    await run(['ls', 'latest', '--kit', kit], { backend });
    await run(['ls', 'latest'], { backend, env: { HOLDFAST_KIT_FILE: kit } });
    await run(['ls', 'latest', '--kit', '-'], { backend, stdin: Readable.from(['typed']) });
    expect(opened).toEqual([
      { kitText: 'the kit\n', peers: [] },
      { kitText: 'the kit\n', peers: [] },
      { kitText: 'typed', peers: [] },
    ]);
  });

  it('is asked of the peers that are named, else of the local agent', async () => {
    const opened: string[][] = [];
    const openRecovery = async (options: { peers: string[] }): Promise<RecoverySession> => {
      opened.push(options.peers);
      const session = { list: () => stream(), [Symbol.asyncDispose]: async () => undefined };
      return session as unknown as RecoverySession;
    };
    const identity = async () => ({ addresses: ['/ip4/127.0.0.1/tcp/1'] }) as never;
    const backend = withAgent({ identity }, { openRecovery });
    await run(['ls', 'latest', '--kit', kit], { backend });
    const named = ['--peer', '192.0.2.1:7420', '--peer', '/dns/b/tcp/2'];
    await run(['ls', 'latest', '--kit', kit, ...named], { backend });
    expect(opened).toEqual([['/ip4/127.0.0.1/tcp/1'], ['/ip4/192.0.2.1/tcp/7420', '/dns/b/tcp/2']]);
  });

  it('that others can read brings a warning', async () => {
    chmodSync(kit, 0o644);
    const { code, err } = await recover(['ls', 'latest'], { list: () => stream() });
    expect(code).toBe(0);
    expect(err).toContain(`chmod 600 ${kit}`);
  });

  it('that is missing is named', async () => {
    const { code, err } = await run(['ls', 'latest', '--kit', join(directory, 'none')]);
    expect(code).toBe(1);
    expect(err).toContain('cannot read the recovery kit');
  });
});

describe('snapshots', () => {
  const older = snapshot({ id: 'cd'.repeat(32), shortId: 'cdcdcdcd', timeMs: 1, state: 'placed' });

  it('are asked of the local agent without a kit, oldest first', async () => {
    const filters: unknown[] = [];
    const backend = withAgent({
      snapshots: async (filter) => {
        filters.push(filter);
        return [snapshot({}), older];
      },
    });
    const { code, out } = await run(['snapshots', '--dataset', 'd', '--tag', 'a,b'], { backend });
    expect(code).toBe(0);
    expect(filters).toEqual([{ dataset: 'd', tags: ['a', 'b'] }]);
    const lines = out.split('\n');
    expect(lines[0]).toMatch(/^ID +TIME +DATASET/);
    expect(lines[1]).toContain('cdcdcdcd');
    expect(lines[1]).toContain('placed');
    expect(lines[2]).toContain('abababab');
    expect(lines[3]).toBe('2 snapshots');
  });

  it('are one JSON array, as in restic', async () => {
    const backend = withAgent({ snapshots: async () => [snapshot({ paths: ['/srv'] }), older] });
    const { out } = await run(['snapshots', '--json'], { backend });
    const list = JSON.parse(out);
    expect(list).toHaveLength(2);
    expect(list[1]).toMatchObject({
      id: 'ab'.repeat(32),
      short_id: 'abababab',
      time: '2025-01-02T00:00:00.000Z',
      hostname: 'ams-1',
      tags: ['x'],
      paths: ['/srv'],
      summary: { files_new: 1, data_added: 50, total_bytes_processed: 100, total_duration: 1.5 },
    });
  });

  it('are asked of the members with a kit', async () => {
    const { out } = await recover(['snapshots'], { snapshots: async () => [] });
    expect(out).toBe('0 snapshots\n');
  });
});

describe('browsing', () => {
  it('lists paths, or long lines, or JSON', async () => {
    const seen: unknown[] = [];
    const session: Partial<RecoverySession> = {
      list: (request) => {
        seen.push(request);
        const link = { ...entry, path: '/l', kind: 'symlink', mode: 0o127777, target: 'a\nb' };
        return stream<EntryReport>(entry, link);
      },
    };
    expect((await recover(['ls', 'ab12:/etc/'], session)).out).toBe('/etc/hosts\n/l\n');
    const long = (await recover(['ls', 'latest', '-r', '-l'], session)).out.split('\n');
    expect(long[0]).toMatch(/^-rw-r--r-- root {5}5 {7} +321 20\d\d-.* \/etc\/hosts$/);
    expect(long[1]).toMatch(/^lrwsrwsrwt .* \/l -> a\\x0ab$/);
    const [first] = jsonLines((await recover(['ls', 'latest', '--json'], session)).out);
    expect(first).toMatchObject({
      message_type: 'entry',
      name: 'hosts',
      type: 'file',
      path: '/etc/hosts',
      permissions: '-rw-r--r--',
      mtime: '2023-11-14T22:13:20.123456789Z',
    });
    expect(seen).toEqual([
      { snapshot: 'ab12', path: '/etc', recursive: false },
      { snapshot: 'latest', path: '/', recursive: true },
      { snapshot: 'latest', path: '/', recursive: false },
    ]);
  });

  it('finds, and names the snapshot of each hit', async () => {
    const seen: unknown[] = [];
    const session: Partial<RecoverySession> = {
      find: (request) => {
        seen.push(request);
        return stream({ ...entry, snapshot: 'cd'.repeat(32), pathBase64: '/w==' });
      },
    };
    const { out } = await recover(['find', '*.doc', '--snapshot', 'latest', '-i'], session);
    expect(out).toBe('cdcdcdcd:/etc/hosts\n');
    const [hit] = jsonLines((await recover(['find', 'x', '--json'], session)).out);
    expect(hit).toMatchObject({ snapshot: 'cd'.repeat(32), path_b64: '/w==' });
    expect(seen).toEqual([
      { snapshot: 'latest', pattern: '*.doc', ignoreCase: true },
      { pattern: 'x', ignoreCase: false },
    ]);
  });

  it('shows differences with their letters and counts', async () => {
    const session: Partial<RecoverySession> = {
      diff: () => stream({ change: 'added', path: '/a' }, { change: 'content', path: '/b' }),
    };
    const { out, err } = await recover(['diff', 'ab12:/x', 'cd34'], session);
    expect(out).toBe('+    /a\nM    /b\n');
    expect(err).toContain('1 added, 0 removed, 1 changed in content');
    const lines = jsonLines((await recover(['diff', 'ab12', 'cd34', '--json'], session)).out);
    expect(lines.map((line) => line.message_type)).toEqual(['change', 'change', 'summary']);
    expect(lines[0]).toMatchObject({ path: '/a', modifier: '+' });
    expect((await recover(['diff', 'ab12:/x', 'cd34:/y'], session)).code).toBe(2);
  });

  it('dumps exactly the bytes of the file', async () => {
    const parts = [Buffer.from('one'), Buffer.from('two')];
    const { code, out } = await recover(['dump', 'latest:/f', '-q'], {
      dump: () => stream(...parts),
    });
    expect({ code, out }).toEqual({ code: 0, out: 'onetwo' });
    expect((await recover(['dump', 'latest'], {})).code).toBe(2);
  });

  it('takes the newest usable snapshot of a dataset for "latest"', async () => {
    const seen: unknown[] = [];
    const session: Partial<RecoverySession> = {
      snapshots: async () => [
        snapshot({ id: '11'.repeat(32), sequence: 1, timeMs: 900 }),
        snapshot({ id: '22'.repeat(32), sequence: 2, timeMs: 100 }),
        snapshot({ id: '33'.repeat(32), sequence: 3, state: 'staged' }),
      ],
      list: (request) => {
        seen.push(request.snapshot);
        return stream();
      },
    };
    await recover(['ls', 'latest', '--dataset', 'documents'], session);
    expect(seen).toEqual(['22'.repeat(32)]);
    const none = { ...session, snapshots: async () => [] };
    expect((await recover(['ls', 'latest', '--dataset', 'x'], none)).code).toBe(1);
  });
});

describe('restore', () => {
  function ending(part: Partial<RestoreSummary>, ...before: RestoreEvent[]) {
    const requests: RestoreRequest[] = [];
    const session: Partial<RecoverySession> = {
      restore: (request) => {
        requests.push(request);
        return stream<RestoreEvent>(...before, {
          type: 'summary',
          summary: { ...summary, ...part },
        });
      },
    };
    return { requests, session };
  }

  it('hands every flag on, with an absolute target', async () => {
    const { requests, session } = ending({});
    await recover(['restore', 'ab12:/etc', '-t', 'out'], session);
    await recover(
      [
        ...['restore', 'latest', '--target', '/t', '-i', '*.a', '--include', '*.b', '-e', 'c'],
        ...['--overwrite', 'if-newer', '-n', '--allow-non-empty'],
      ],
      session,
    );
    expect(requests).toEqual([
      {
        snapshot: 'ab12',
        path: '/etc',
        target: '/work/out',
        include: [],
        exclude: [],
        overwrite: 'always',
        dryRun: false,
        allowNonEmpty: false,
      },
      {
        snapshot: 'latest',
        path: '/',
        target: '/t',
        include: ['*.a', '*.b'],
        exclude: ['c'],
        overwrite: 'if-newer',
        dryRun: true,
        allowNonEmpty: true,
      },
    ]);
  });

  it('tells what it did', async () => {
    const { code, out } = await recover(['restore', 'latest', '-t', '/t'], ending({}).session);
    expect(code).toBe(0);
    expect(out).toBe(
      [
        'Restored 3 files, 2 directories, 1 other (2.00 KiB) of snapshot abababab to /t.',
        '  fetched 4.00 KiB from ams, ber; 1 pack computed from other shards',
        '  time    0:03',
        '  skipped 4 files already there',
        '',
      ].join('\n'),
    );
  });

  it('exits 21 when files are lost and names each', async () => {
    const lost: RestoreEvent = { type: 'problem', path: '/a', reason: '2 of 3', isLost: true };
    const argv = ['restore', 'latest', '-t', '/t'];
    const { code, err } = await recover(argv, ending({ filesLost: 1, problems: 5 }, lost).session);
    expect(code).toBe(21);
    expect(err).toContain('LOST /a: 2 of 3\n');
    expect(err).toContain('the others are restored');
    const json = await recover([...argv, '--json'], ending({ filesLost: 1 }, lost).session);
    expect(jsonLines(json.err)).toMatchObject([
      { message_type: 'error', is_lost: true, path: '/a' },
      { message_type: 'exit_error', code: 'too-few-shards', exit_code: 21 },
    ]);
    expect(jsonLines(json.out).at(-1)).toMatchObject({ files_lost: 1, files_restored: 3 });
  });

  it('exits 3 when attributes are incomplete, and 0 for notices', async () => {
    const argv = ['restore', 'latest', '-t', '/t'];
    expect((await recover(argv, ending({ problems: 1 }).session)).code).toBe(3);
    const notice: RestoreEvent = { type: 'notice', message: 'not root' };
    const { code, err } = await recover(argv, ending({}, notice).session);
    expect({ code, err }).toEqual({ code: 0, err: 'not root\n' });
  });
});

it('opens nothing when the command line is wrong', async () => {
  const { code } = await run(['ls', 'latest:/a/../b', '--kit', kit], { backend: fakeBackend() });
  expect(code).toBe(2);
});
