import { beforeEach, describe, expect, it } from 'vitest';
import type { AgentApi } from '../../../src/agent/api.ts';
import type {
  DecisionReport,
  ExpiryReport,
  HoldReport,
  KeepingReport,
  PruneReport,
  RetentionReport,
  SnapshotRef,
} from '../../../src/agent/keeping-types.ts';
import type { Backend } from '../../../src/cli/backend.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { jsonLines, type Run, run, withAgent } from './fake-world.ts';

const web = 'a1'.repeat(16);
const writer = 'd4'.repeat(32);
const startMs = Date.UTC(2026, 0, 1);

const ref = (sequence: number): SnapshotRef => ({
  ...{ id: String(sequence).repeat(64), dataset: 'web', datasetId: web, source: 'nas', writer },
  sequence,
  lock: { state: 'governance', untilMs: startMs },
});

const nothing: KeepingReport = {
  ...{ timeMs: startMs, logTimeMs: startMs, isLedgerDamaged: false },
  self: { name: 'vault', agentKey: 'e5'.repeat(32) },
  ...{ holds: [], expiries: [], quarantines: [], trash: { shards: 0, bytes: 0 } },
};

const hold: HoldReport = {
  ...{ id: '9f8e'.repeat(16), dataset: 'web', datasetId: web, reason: 'case 12' },
  ...{ sinceMs: startMs, operators: ['anna'] },
};

type Body = Parameters<Backend['submitAsOperator']>[0]['body'];
let submitted: Body[];
let outcome: Awaited<ReturnType<Backend['submitAsOperator']>>;

beforeEach(() => {
  submitted = [];
  outcome = { outcome: 'applied', index: 3, generation: 1 };
});

function cli(argv: string[], agent: Partial<AgentApi> = {}): Promise<Run> {
  const backend = withAgent(
    {
      keeping: async () => nothing,
      resolveSnapshots: async ({ snapshots }) => snapshots.map((text) => ref(Number(text[0]))),
      datasets: async () => [{ name: 'web', id: web }] as never,
      ...agent,
    },
    {
      submitAsOperator: async ({ body }) => {
        submitted.push(body);
        return outcome;
      },
    },
  );
  return run(argv, { backend });
}

const keeping = (change: Partial<KeepingReport>): Partial<AgentApi> => ({
  keeping: async () => ({ ...nothing, ...change }),
});

describe('hold', () => {
  it('is put on snapshots or on a dataset, with a reason that everybody reads', async () => {
    const one = await cli(['hold', 'add', '1111', '--reason', 'case 12']);
    expect([one.code, one.out]).toEqual([0, 'Held: snapshot 11111111 of web.\n']);
    await cli(['hold', 'add', '--dataset', 'web', '--reason', 'case 12']);
    const shared = { kind: 'hold', dataset: web, reason: 'case 12' };
    expect(submitted).toEqual([
      { ...shared, snapshot: { writer, sequence: 1 } },
      { ...shared, snapshot: undefined },
    ]);
  });

  it('wants a reason, and something to hold', async () => {
    expect((await cli(['hold', 'add', '1111'])).code).toBe(2);
    const { code, err } = await cli(['hold', 'add', '--reason', 'x']);
    expect([code, err]).toEqual([2, expect.stringContaining('Name snapshots, or --dataset')]);
    const other = await cli(['hold', 'add', '--dataset', 'mail', '--reason', 'x']);
    expect([other.code, other.err]).toEqual([1, expect.stringContaining('no dataset "mail"')]);
    expect(submitted).toEqual([]);
  });

  it('is listed, for people and for programs', async () => {
    const { out } = await cli(['hold', 'list'], keeping({ holds: [hold] }));
    expect(out).toMatch(/^9f8e9f8e +web +everything +2026-01-01 .* anna +case 12$/m);
    expect(out).toMatch(/\n1 hold\n$/);
    const json = await cli(['hold', 'list', '--json'], keeping({ holds: [hold] }));
    expect(jsonLines(json.out)).toMatchObject([{ message_type: 'hold', dataset_id: web }]);
    expect((await cli(['hold', 'list'])).out).toBe('0 holds\n');
  });

  it('ends by the beginning of its id, if that is one hold', async () => {
    const twin = { ...hold, id: `9f8e${'0'.repeat(60)}` };
    const some = keeping({ holds: [hold, twin] });
    const two = await cli(['hold', 'remove', '9f8e', '--reason', 'closed'], some);
    expect([two.code, two.err]).toEqual([2, expect.stringContaining('names 2 holds')]);
    const short = await cli(['hold', 'remove', '9f8', '--reason', 'closed'], some);
    expect([short.code, short.err]).toEqual([1, expect.stringContaining('names no hold')]);
    expect(short.err).toContain('holdfast hold list');
    const { out } = await cli(['hold', 'remove', '9F8E9', '--reason', 'closed'], some);
    expect(out).toBe('The hold on web (everything) is over.\n');
    expect(submitted).toEqual([{ kind: 'release', hold: hold.id, reason: 'closed' }]);
  });

  it('that waits for others to agree says so with exit code 24', async () => {
    const proposal = { hash: 'cd'.repeat(32), state: 'waiting', signed: 1, threshold: 1 };
    outcome = { ...outcome, proposal } as typeof outcome;
    const some = keeping({ holds: [hold] });
    const { code, err } = await cli(['hold', 'remove', '9f8e9', '--reason', 'closed'], some);
    expect([code, err]).toEqual([24, expect.stringContaining('holdfast approve show cdcdcdcd')]);
  });
});

const decision = (change: Partial<DecisionReport>): DecisionReport => ({
  ...{ id: '1'.repeat(64), sequence: 1, timeMs: startMs, tags: [], isKept: true },
  ...{ reasons: ['last 1 of 3'], stage: 'live', lockedUntilMs: 0 },
  ...change,
});

const stream: RetentionReport = {
  ...{ dataset: 'web', datasetId: web, source: 'nas', writer, rule: 'last 3' },
  snapshots: [
    decision({ isKept: false, reasons: ['no rule keeps it'], lockedUntilMs: startMs + 86_400_000 }),
    decision({ id: '2'.repeat(64), stage: 'trash', isKept: false, reasons: ['forgotten'] }),
    decision({ id: '3'.repeat(64), sequence: 3 }),
  ],
};

describe('forget', () => {
  const dry = { retention: async () => [stream] };

  it('explains with --dry-run what stays and what goes, and why', async () => {
    const { code, out } = await cli(['forget', '--dry-run'], dry);
    expect(code).toBe(0);
    expect(out).toContain('web of nas: keep last 3');
    expect(out).toMatch(/^11111111 .* may go +no rule keeps it; locked until 2026-01-02/m);
    expect(out).toMatch(/^22222222 .* in the trash +forgotten$/m);
    expect(out).toMatch(/^33333333 .* keep +last 1 of 3$/m);
    expect(out).toContain('1 snapshot kept, 2 may go.');
    expect(submitted).toEqual([]);
  });

  it('explains one snapshot alone, and says when nothing expires or no rule is there', async () => {
    const one = await cli(['forget', '-n', '3333'], dry);
    expect(one.out).toContain('33333333');
    expect(one.out).not.toContain('11111111');
    const { rule: _, ...bare } = { ...stream, haltedBecause: 'it is in quarantine: too much' };
    const halted = await cli(['forget', '-n'], { retention: async () => [bare] });
    expect(halted.out).toContain('no retention: everything is kept');
    expect(halted.out).toContain('nothing of it expires now: it is in quarantine: too much');
    const none = await cli(['forget', '-n'], { retention: async () => [] });
    expect(none.out).toBe('There is no dataset yet.\n');
  });

  it('counts among the kept what was named, and stays all the same as the newest', async () => {
    const named = decision({ stage: 'forgotten', reasons: ['the newest that is committed'] });
    const only = { retention: async () => [{ ...stream, snapshots: [named] }] };
    expect((await cli(['forget', '-n'], only)).out).toContain('1 snapshot kept, 0 may go.');
  });

  it('tells programs each decision and a sum', async () => {
    const { out } = await cli(['forget', '-n', '--json'], dry);
    const lines = jsonLines(out);
    expect(lines.map(({ message_type }) => message_type)).toEqual([
      ...['decision', 'decision', 'decision', 'retention'],
    ]);
    expect(lines[0]).toMatchObject({ is_kept: false, reasons: ['no rule keeps it'] });
    expect(lines[3]).toMatchObject({ kept: 1, expendable: 2, rule: 'last 3' });
  });

  it('asks before snapshots go, and without a terminal wants --yes', async () => {
    const { code } = await cli(['forget', '1111']);
    expect(code).not.toBe(0);
    expect(submitted).toEqual([]);
    const sure = await cli(['forget', '1111', '2222', '--yes', '--reason', 'spoilt']);
    expect(sure.code).toBe(0);
    expect(sure.out).toContain('2 snapshots forgotten.');
    expect(submitted).toEqual([
      {
        ...{ kind: 'forget', dataset: web, writer, reason: 'spoilt' },
        ranges: [{ first: 1, last: 2 }],
      },
    ]);
  });

  it('wants to know what is to go, and not both ways at once', async () => {
    for (const argv of [['forget'], ['forget', '1111', '--policy', '--yes']]) {
      const { code, err } = await cli(argv);
      expect([code, err]).toEqual([2, expect.stringContaining('Name snapshots, or --policy')]);
    }
  });

  it('with --policy says what was proposed, and why nothing was', async () => {
    const proposed = [
      { dataset: 'web', snapshots: 2 },
      { dataset: 'mail', snapshots: 0, reason: 'nothing may go now' },
    ];
    const { out } = await cli(['forget', '--policy'], { proposeExpiry: async () => proposed });
    expect(out).toContain('web: proposed to let 2 snapshots go; another site must reckon alike.');
    expect(out).toContain('mail: nothing proposed, nothing may go now.');
  });

  it('that the log refuses fails with its reason', async () => {
    outcome = { ...outcome, outcome: 'void', reason: 'snapshot 1 is held: case 12' };
    const { code, err } = await cli(['forget', '1111', '--yes']);
    expect(code).not.toBe(0);
    expect(err).toContain('snapshot 1 is held: case 12');
  });
});

describe('undelete and unlock', () => {
  it('name snapshots of one dataset in one command', async () => {
    const { out } = await cli(['undelete', '1111', '3333']);
    expect(out).toBe('2 snapshots kept, until somebody forgets them.\n');
    const reason = 'asked for by an operator';
    const ranges = [1, 3].map((one) => ({ first: one, last: one }));
    expect(submitted).toEqual([{ kind: 'undelete', dataset: web, writer, ranges, reason }]);
    expect((await cli(['unlock', '1111'])).out).toBe('1 snapshot unlocked.\n');
  });

  it.each([
    ['none', 'is not locked: its rule in the policy asks for no lock', 'holdfast snapshots'],
    ['compliance', 'compliance lock until 2026-01-01 00:00:00, which nobody can', 'snapshots'],
    ['over', 'is not locked: its lock ended 2026-01-01', 'holdfast snapshots --dataset web'],
    ['unlocked', 'snapshot 11111111 of web is unlocked already', 'holdfast forget 11111111'],
  ] as const)('ask nobody to end a lock that is %s', async (state, why, next) => {
    const lock = { state, untilMs: startMs };
    const refs = { resolveSnapshots: async () => [{ ...ref(1), lock }] };
    const { code, err } = await cli(['unlock', '1111'], refs);
    expect([code, submitted]).toEqual([24, []]);
    expect(err).toContain(why);
    expect(err).toContain(next);
  });

  it('want a snapshot that is known', async () => {
    expect((await cli(['undelete'])).code).toBe(2);
    const unknown = async (): Promise<never> => {
      throw new HoldfastError('not-found', 'no snapshot begins with 77');
    };
    const { code, err } = await cli(['unlock', '77'], { resolveSnapshots: unknown });
    expect([code, err]).toEqual([1, expect.stringContaining('no snapshot begins with 77')]);
  });
});

describe('prune', () => {
  const report: PruneReport = {
    ...{ discarded: 1, recovered: 2, purged: 3, locked: 4, waiting: 5 },
    ...{ trash: { shards: 6, bytes: 6 * 1024 * 1024 }, reasons: ['no more is deleted here today'] },
  };
  const expiry: ExpiryReport = {
    ...{ id: 'ef'.repeat(16), dataset: 'web', datasetId: web, writer, source: 'nas' },
    ...{ sequences: '1 to 2', snapshots: 2, endsMs: startMs },
    stage: 'veto',
  };
  const agent = { ...keeping({ expiries: [expiry] }), prune: async () => report };

  it('says what is on its way out, what this host has done, and why it has not done more', async () => {
    const { code, out } = await cli(['prune'], agent);
    expect(code).toBe(0);
    expect(out).toMatch(/^web +2 +waits: undelete stops it +2026-01-01/m);
    expect(out).toContain('1 shard put into the trash, 2 taken back, 3 deleted, 4 kept by locks');
    expect(out).toContain('5 to be deleted when their turn comes');
    expect(out).toContain('6 shards (6.00 MiB) in the trash');
    expect(out).toContain('! no more is deleted here today');
  });

  it('tells programs the same', async () => {
    const { out } = await cli(['prune', '--json'], agent);
    expect(jsonLines(out)).toMatchObject([
      { message_type: 'expiry', stage: 'veto', snapshots: 2 },
      { message_type: 'prune', purged: 3, waiting: 5, locked: 4 },
    ]);
  });
});

describe('quarantine', () => {
  const quarantine = {
    ...{ dataset: 'web', datasetId: web, writer, source: 'nas', sequence: 7, by: 'vault' },
    reason: 'its budget is 10 bytes a day',
  };
  const some = keeping({ quarantines: [quarantine] });

  it('is listed and cleared by name or id', async () => {
    const { out } = await cli(['quarantine', 'list'], some);
    expect(out).toMatch(/^web +nas +7 +vault +its budget is 10 bytes a day$/m);
    const cleared = await cli(['quarantine', 'clear', 'web'], some);
    expect(cleared.out).toBe('web of nas is free again.\n');
    await cli(['quarantine', 'clear', 'a1a1'], some);
    const body = { kind: 'clear-quarantine', dataset: web, writer };
    expect(submitted).toEqual([body, body]);
  });

  it('of another dataset is not cleared', async () => {
    const { code, err } = await cli(['quarantine', 'clear', 'mail'], some);
    expect([code, err]).toEqual([1, expect.stringContaining('no dataset "mail" is in quarantine')]);
    expect(err).toContain('holdfast quarantine list');
  });
});

describe('peer thaw', () => {
  it('acknowledges the freeze of this host, by its number', async () => {
    const freeze = { number: 2, reason: 'the clock of this host has jumped', sinceMs: startMs };
    const { out } = await cli(['peer', 'thaw'], keeping({ freeze }));
    expect(out).toContain('vault deletes again what may go');
    expect(submitted).toEqual([{ kind: 'thaw', agent: nothing.self.agentKey, freeze: 2 }]);
  });

  it('has nothing to do at a host that is not frozen', async () => {
    const { code, err } = await cli(['peer', 'thaw']);
    expect([code, err]).toEqual([1, expect.stringContaining('vault is not frozen')]);
  });
});
