import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DecreeDraft, DecreeReport } from '../../../src/agent/coordinator-decree-types.ts';
import type { CoordinatorReport } from '../../../src/agent/coordinator-types.ts';
import type { DecreeWords } from '../../../src/cli/backend.ts';
import { jsonLines, run, withAgent } from './fake-world.ts';

const voter = (name: string, isReachable: boolean) => ({
  ...{ name, isReachable, site: name, isWitness: name === 'wit' },
  agentKey: 'aa'.repeat(32),
});

const report: CoordinatorReport = {
  clusterId: 'fe'.repeat(32),
  generation: 1,
  term: 4,
  role: 'follower',
  leader: 'ber',
  isConfirmed: true,
  quorum: 2,
  votersReachable: 3,
  voters: [voter('ams', true), voter('ber', true), voter('wit', true)],
  learners: ['lon'],
  commit: 9,
  applied: 9,
  first: 1,
  layout: { version: 1, mode: 'auto' },
  format: 1,
  logTimeMs: 0,
  warnings: [],
};
const split: CoordinatorReport = {
  ...report,
  isConfirmed: false,
  votersReachable: 1,
  voters: [voter('ams', true), voter('ber', false), voter('wit', false)],
};

describe('coordinator status', () => {
  it('names the coordinator and every voter', async () => {
    const backend = withAgent({ coordinator: async () => report });
    const { code, out } = await run(['coordinator', 'status'], { backend });
    expect(code).toBe(0);
    expect(out).toContain('Coordinator: ber (a quorum agrees).');
    expect(out).toMatch(/^wit \(witness\) +wit +reachable +-$/m);
    expect(out).toContain('Following without a vote: lon');
  });

  it('tells log time, once a majority has said what time it is', async () => {
    const textOf = async (logTimeMs: number): Promise<string> => {
      const backend = withAgent({ coordinator: async () => ({ ...report, logTimeMs }) });
      return (await run(['coordinator', 'status'], { backend })).out;
    };
    expect(await textOf(0)).toContain('log time: not known yet');
    expect(await textOf(Date.UTC(2026, 0, 2, 3, 4))).toMatch(/log time: 2026-01-02/);
  });

  it('exits 20 without a quorum, after telling all, and names who is missing', async () => {
    const backend = withAgent({ coordinator: async () => split });
    const { code, out, err } = await run(['coordinator', 'status'], { backend });
    expect(code).toBe(20);
    expect(out).toContain('NOT confirmed by a quorum');
    expect(err).toContain('1 of 3 voters reachable, 2 needed; missing: ber, wit');
    expect(err).toContain('restores with the kit need no quorum');
  });

  it('tells an election from missing voters', async () => {
    const electing = { ...report, isConfirmed: false };
    const backend = withAgent({ coordinator: async () => electing });
    const { code, err } = await run(['coordinator', 'status'], { backend });
    expect(code).toBe(20);
    expect(err).toContain('nobody is elected yet');
  });
});

describe('coordinator decree', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hf-decree-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const member = (name: string) => ({ name, agentKey: 'ab'.repeat(32) });
  const facts: DecreeReport = {
    generation: 2,
    voters: [member('ams')],
    abandoned: [member('ber')],
    logSize: 80,
    reason: 'burnt',
    noticeMs: 1_800_000,
    leftMs: 60_000,
  };
  const words: DecreeWords = {
    ...{ clusterId: 'fe'.repeat(32), generation: 2, voters: ['ab'.repeat(32)] },
    ...{ abandoned: [], logSize: 80, rootHash: '00'.repeat(32), reason: 'burnt' },
    ...{ noticeMs: 1_800_000, announcedMs: 1, signers: ['cd'.repeat(32)] },
  };

  it('prepare writes the document to a new file and warns of those that were silent', async () => {
    const asked: unknown[] = [];
    const draft: DecreeDraft = {
      ...facts,
      ...{ clusterId: 'fe'.repeat(32), payload: 'AAAA' },
      asked: [member('ams')],
      silent: [member('ber')],
    };
    const backend = withAgent(
      {
        prepareDecree: async (request) => {
          asked.push(request);
          return draft;
        },
      },
      { decreeDocument: async () => 'the document' },
    );
    const file = join(directory, 'd.json');
    const args = ['coordinator', 'decree', 'prepare', '--voters', 'ams,lon', '--reason', 'burnt'];
    const { code, out } = await run([...args, '--notice', '1h', '-o', file], { backend });
    expect(code).toBe(0);
    expect(asked).toEqual([{ voters: ['ams', 'lon'], reason: 'burnt', noticeMs: 3_600_000 }]);
    expect(readFileSync(file, 'utf8')).toBe('the document');
    expect(out).toContain('did not answer  ber (abababab)');
    expect(out).toContain('two clusters will decide');
    expect((await run([...args, '-o', file], { backend })).code).toBe(1);
  });

  it('sign shows what is signed and replaces the file', async () => {
    const file = join(directory, 'd.json');
    const prepared = withAgent(
      { prepareDecree: async () => ({ ...facts, asked: [], silent: [] }) as never },
      { decreeDocument: async () => 'unsigned' },
    );
    const args = ['coordinator', 'decree'];
    const what = ['--voters', 'ams', '--reason', 'x', '-o', file];
    await run([...args, 'prepare', ...what], { backend: prepared });
    const signed: unknown[] = [];
    const backend = withAgent(
      {},
      {
        readDecree: async () => words,
        signDecree: async (options) => {
          signed.push(options);
          return 'signed';
        },
      },
    );
    expect((await run([...args, 'sign', file], { backend })).code).toBe(2);
    expect(signed).toEqual([]);
    const { code, out } = await run([...args, 'sign', file, '--yes', '--operator-key', 'k'], {
      backend,
    });
    expect(code).toBe(0);
    expect(signed).toMatchObject([{ operatorKeyFiles: ['/work/k'], text: 'unsigned' }]);
    expect(readFileSync(file, 'utf8')).toBe('signed');
    expect(out).toContain('signatures so far: cdcdcdcd');
  });

  it('status shows how long it waits', async () => {
    const backend = withAgent({ decree: async () => ({ pending: facts }) });
    const { out } = await run(['coordinator', 'decree', 'status'], { backend });
    expect(out).toContain('Generation 2 begins in 1 min:');
    const none = withAgent({ decree: async () => ({}) });
    const quiet = await run(['coordinator', 'decree', 'status', '--json'], { backend: none });
    expect(jsonLines(quiet.out)).toEqual([{ message_type: 'decree' }]);
  });
});
