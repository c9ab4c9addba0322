import { beforeEach, describe, expect, it } from 'vitest';
import type { AgentApi, RestoreSummary } from '../../../src/agent/api.ts';
import type {
  GrantedRestoreRequest,
  RestoreGrantReport,
  RestoreWish,
} from '../../../src/agent/grant-types.ts';
import { hourMs } from '../../../src/base/units.ts';
import { jsonLines, type Run, run, stream, withAgent } from './fake-world.ts';

const id = '3f9c21aa'.repeat(8);
const snapshot = '81d0c2e7'.repeat(8);
const asked: RestoreGrantReport = {
  ...{ id, state: 'requested', agent: 'host4', agentKey: 'd4'.repeat(32), isHere: true },
  ...{ dataset: 'home', datasetId: 'a1'.repeat(16), snapshot, path: '/home/anna' },
  ...{ reason: 'a dead disk', lastsMs: 24 * hourMs, approvals: [], needed: 2 },
};
const summary: RestoreSummary = {
  ...{ snapshot, files: 3, directories: 1, others: 0, filesSkipped: 0, filesLost: 0 },
  ...{ problems: 0, bytes: 300, bytesFetched: 500, packsDecoded: 1, sites: ['attic'] },
  durationMs: 1000,
};

let wishes: RestoreWish[];
let orders: GrantedRestoreRequest[];
let grants: RestoreGrantReport[];

beforeEach(() => {
  wishes = [];
  orders = [];
  grants = [asked];
});

function cli(argv: string[], agent: Partial<AgentApi> = {}): Promise<Run> {
  const backend = withAgent({
    requestRestore: async (wish) => {
      wishes.push(wish);
      return asked;
    },
    restoreGrants: async () => grants,
    restoreGranted: (order) => {
      orders.push(order);
      return stream({ type: 'summary' as const, summary });
    },
    ...agent,
  });
  return run(argv, { backend });
}

describe('restore request', () => {
  it('asks for a part of a snapshot, and says who must approve it', async () => {
    const options = ['--reason', 'a dead disk', '--for', '4h', '--dataset', 'home'];
    const one = await cli(['restore', 'request', 'latest:/home/anna', ...options]);
    expect(one.code).toBe(0);
    expect(wishes).toEqual([
      {
        ...{ snapshot: 'latest', path: '/home/anna', reason: 'a dead disk', dataset: 'home' },
        lastsMs: 4 * hourMs,
      },
    ]);
    expect(one.out).toContain('3f9c21aa: host4 asks to restore /home/anna of snapshot 81d0c2e7');
    expect(one.out).toContain('It needs 2 operators: holdfast approve sign 3f9c21aa');
    expect(one.err).toContain('holdfast restore 81d0c2e7 --grant 3f9c21aa -t DIR');
    expect(one.err).toContain('all members read this path');
  });

  it('can be for another host', async () => {
    await cli(['restore', 'request', 'latest', '--at', 'host4', '--reason', 'x']);
    expect(wishes).toEqual([{ snapshot: 'latest', path: '', reason: 'x', host: 'host4' }]);
  });

  it.each([
    [['latest'], '--reason'],
    [['latest', '--reason', 'x', '--wait'], '-t DIR'],
    [['latest', '--reason', 'x', '-t', '/mnt'], '--wait'],
    [['latest', '--reason', 'x', '--wait', '-t', '/mnt', '--at', 'host4'], '--at'],
    [['latest', '--reason', 'x', '--for', 'soon'], 'duration'],
    [['latest', '--reason', 'x', '--for', '91d'], '90d'],
  ])('refuses %j', async (argv, word) => {
    const one = await cli(['restore', 'request', ...argv]);
    expect(one.code).toBe(2);
    expect(one.err).toContain(word);
    expect(wishes).toEqual([]);
  });

  it('waits for the keys when it is told to, and restores then', async () => {
    grants = [{ ...asked, state: 'granted' }];
    const one = await cli([
      'restore',
      'request',
      'latest',
      '--reason',
      'x',
      '--wait',
      '-t',
      'back',
    ]);
    expect(one.code).toBe(0);
    expect(orders).toEqual([{ id, target: '/work/back', include: [], exclude: [] }]);
    expect(one.out).toContain('Restored 3 files');
  });

  it('ends with 24 when the request that it waits for is denied', async () => {
    grants = [{ ...asked, state: 'denied', endReason: 'who is that' }];
    const one = await cli([
      'restore',
      'request',
      'latest',
      '--reason',
      'x',
      '--wait',
      '-t',
      'back',
    ]);
    expect(one.code).toBe(24);
    expect(one.err).toContain('denied: who is that');
  });
});

describe('restore --grant', () => {
  it('has the agent restore what was granted, by the beginning of its id', async () => {
    const filters = ['-i', '*.odt', '-e', 'tmp'];
    const one = await cli([
      'restore',
      '81d0c2e7',
      '--grant',
      '3f9c',
      '-t',
      '/mnt/back',
      ...filters,
    ]);
    expect(one.code).toBe(0);
    expect(orders).toEqual([{ id, target: '/mnt/back', include: ['*.odt'], exclude: ['tmp'] }]);
  });

  it.each([
    [['81d0c2e7', '--grant', 'ffff'], 1, 'no request begins with'],
    [['12345678', '--grant', '3f9c'], 2, 'is for snapshot 81d0c2e7'],
    [['latest', '--grant', '3f9c', '--kit', 'k'], 2, '--kit and --grant'],
    [['latest', '--grant', '3f9c', '-n'], 2, '-n and --grant'],
  ])('refuses %j', async (argv, code, words) => {
    const one = await cli(['restore', ...argv, '-t', '/mnt/back']);
    expect(one.code).toBe(code);
    expect(one.err).toContain(words);
    expect(orders).toEqual([]);
  });

  it('says how to go on when something is missing', async () => {
    const one = await cli(['restore', 'latest', '--grant', '3f9c', '-t', '/mnt/back'], {
      restoreGranted: () => {
        return stream({ type: 'summary' as const, summary: { ...summary, filesLost: 1 } });
      },
    });
    expect(one.code).toBe(21);
    expect(one.err).toContain('--grant 3f9c21aa -t /mnt/back');
  });
});

it('restore grants lists what was asked for, and how it stands', async () => {
  grants = [asked, { ...asked, id: 'ab'.repeat(32), state: 'used', path: '', endReason: 'done' }];
  const table = await cli(['restore', 'grants']);
  expect(table.out).toMatch(/3f9c21aa +requested +host4 +home +81d0c2e7 +\/home\/anna +0 of 2/);
  const lines = jsonLines((await cli(['restore', 'grants', '--json'])).out);
  expect(lines.map(({ state }) => state)).toEqual(['requested', 'used']);
  grants = [];
  expect((await cli(['restore', 'grants'])).out).toContain('Nobody has asked');
});

it('restore grant needs something that opens the keys before anything is signed', async () => {
  const one = await cli(['restore', 'grant', '3f9c']);
  expect(one.code).toBe(12);
});
