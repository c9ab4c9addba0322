import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentApi } from '../../../src/agent/api.ts';
import type {
  PlanDraft,
  PlanProposal,
  PlanReport,
  PlanStepReport,
} from '../../../src/agent/plan-types.ts';
import { stepTree } from '../../../src/cli/commands/restore-plan-tree.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { RestorePlan } from '../../../src/core/policy/restore-plan.ts';
import { jsonLines, run, withAgent } from './fake-world.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hf-plan-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const hash = 'ab12cd34'.repeat(8);
const limits = { timeoutMs: 60_000, attempts: 3 };
const document: RestorePlan = {
  version: 1,
  name: 'web-to-lon',
  target: { site: 'lon' },
  datasets: [
    {
      name: 'web',
      id: 'a1'.repeat(16) as never,
      writer: 'aa'.repeat(32) as never,
      snapshot: 'cd'.repeat(32) as never,
      sequence: 3,
      path: '',
    },
  ],
  steps: [
    { id: 'restore-web', after: [], kind: 'restore', dataset: 'web', to: '/srv/web', ...limits },
    { id: 'promote-web', after: ['restore-web'], kind: 'promote', dataset: 'web', ...limits },
  ],
  onFailure: 'escalate',
  created: 'now',
};
const proposal: PlanProposal = {
  hash,
  text: '{"canonical":true}',
  plan: document,
  estimate: {
    datasets: [
      {
        name: 'web',
        snapshot: 'cd'.repeat(32),
        known: {
          ...{ source: 'ams', state: 'committed', isAnchored: true, timeMs: 1, ageMs: 3_600_000 },
          ...{ bytes: 2 ** 30, fetchBytes: 2 ** 29, sites: ['ams', 'ber'], isRestorableNow: true },
        },
      },
    ],
    bytes: 2 ** 30,
    fetchBytes: 2 ** 29,
    sites: ['ams', 'ber'],
  },
  notices: ['web is live at ams: the promotion will wait'],
};

function step(id: string, part: Partial<PlanStepReport>): PlanStepReport {
  return {
    ...{ id, kind: 'restore', words: `words of ${id}`, after: [], on: 'lon', state: 'waiting' },
    ...{ attempt: 0, attemptsMax: 3, detail: '' },
    ...part,
  };
}

function report(state: PlanReport['state'], steps: PlanStepReport[]): PlanReport {
  return {
    ...{ hash, name: 'web-to-lon', site: 'lon', run: 1, state, isHeld: false },
    ...{ authors: ['Anna (71c2b995)'], timeMs: 1, coordinator: 'ber', granted: ['lon'], steps },
  };
}

const waiting = report('ready', [step('restore-web', {})]);
const running = report('running', [
  step('restore-web', { state: 'started', attempt: 1, worker: 'lon' }),
]);
const finished = report('done', [
  step('restore-web', { state: 'done', attempt: 1, worker: 'lon', detail: '3 files restored' }),
]);
const stuck = report('escalated', [
  step('promote-web', {
    ...{ kind: 'promote', dataset: 'web', state: 'escalated', attempt: 1, worker: 'lon' },
    detail: 'nothing proves that it is off',
  }),
]);

const notFound = new HoldfastError('not-found', 'there is no plan');

/** An agent whose plan gets on by one report each time it is asked; `undefined`: it knows no plan. */
function world(reports: (PlanReport | undefined)[], agent: Partial<AgentApi> = {}) {
  const log: unknown[] = [];
  const left = [...reports];
  const backend = withAgent(
    {
      readPlan: async () => proposal,
      resolvePlan: async ({ draft }) => {
        log.push(draft);
        return proposal;
      },
      plan: async () => {
        const next = left.length > 1 ? left.shift() : left[0];
        if (next === undefined) throw notFound;
        return next;
      },
      identity: async () => ({ addresses: ['/ip4/192.0.2.1/tcp/1'] }) as never,
      ...agent,
    },
    {
      submitAsOperator: async ({ body }) => {
        log.push(body);
        return { outcome: 'applied', index: 1, generation: 1 };
      },
      openPlanKeys: async ({ text, kitText, peers }) => {
        log.push({ text, kitText, peers });
        return {
          grant: async ({ plan, run: number, operatorKeyFiles }) => {
            log.push({ plan, run: number, operatorKeyFiles });
            return [{ agent: 'lon', packs: 7 }];
          },
        };
      },
    },
  );
  return { backend, log };
}

function planFile(): string {
  const file = join(directory, 'plan.json');
  writeFileSync(file, JSON.stringify(document));
  return file;
}

function kitFile(): string {
  const file = join(directory, 'kit.txt');
  writeFileSync(file, 'the kit', { mode: 0o600 });
  return file;
}

describe('the tree of steps', () => {
  const rows = (steps: { id: string; after: string[] }[]): string[] =>
    stepTree(steps).map(({ branch, step: { id }, alsoAfter }) =>
      [branch + id, ...alsoAfter].join(' '),
    );

  it('puts each step under the last one that it waits for, and tells what else it waits for', () => {
    const steps = [
      { id: 'end', after: ['b', 'c'] },
      { id: 'a', after: [] },
      { id: 'b', after: ['a'] },
      { id: 'c', after: ['a'] },
      { id: 'alone', after: [] },
    ];
    expect(rows(steps)).toEqual(['a', '|- b', '`- c', '   `- end b', 'alone']);
  });
});

describe('restore plan', () => {
  it('turns names and options into a draft', async () => {
    const { backend, log } = world([]);
    const checks = ['--check', 'https://x/health', '--check', 'tcp:db:5432'];
    const more = ['--check', `sha256:${'0A'.repeat(32)}:/f`, '--check', '/bin/test -f /f'];
    const args = ['restore', 'plan', 'web', 'mail', '--to', 'lon', '--dir', 'back', ...checks];
    const { code } = await run([...args, ...more, '--no-promote'], { backend });
    expect(code).toBe(0);
    const draft: PlanDraft = {
      target: { site: 'lon' },
      datasets: ['web', 'mail'],
      dir: '/work/back',
      checks: [
        { kind: 'http', url: 'https://x/health', expect: 200 },
        { kind: 'tcp', address: 'db:5432' },
        { kind: 'digest', file: '/f', sha256: '0a'.repeat(32) },
        { kind: 'command', argv: ['/bin/test', '-f', '/f'] },
      ],
      promote: false,
    };
    expect(log).toEqual([draft]);
  });

  it('names the file in which the agent finds something wrong, and what to do', async () => {
    const draft = join(directory, 'draft.json');
    writeFileSync(draft, '{"version": 1, "datasets": ["web"]}');
    const backend = withAgent({
      resolvePlan: async () => {
        throw new HoldfastError('usage', 'Unrecognized key: "version"');
      },
    });
    const { code, err } = await run(['restore', 'plan', draft, '--to', 'lon'], { backend });
    expect(code).toBe(2);
    expect(err).toContain(`${draft}: Unrecognized key: "version"\nnext: mend the file`);
  });

  it('prints datasets, steps, estimate and what to know, and changes nothing', async () => {
    const { out } = await run(['restore', 'plan', 'web', '--to', 'lon'], {
      backend: world([]).backend,
    });
    expect(out).toMatch(/^web +cdcdcdcd +anchored +1 h +1\.00 GiB +512 MiB +ams, ber$/m);
    expect(out).toMatch(/^`- promote-web +promote web +lon +3 +1 min +-$/m);
    expect(out).toContain(
      'writes 1.00 GiB, fetches at most 512 MiB from 2 sites; how long it takes is unknown',
    );
    expect(out).toContain(`Hash: ${hash}`);
    expect(out).toContain('! web is live at ams');
    expect(out).toContain('Nothing has changed.');
  });

  it('reads a file that describes the plan, and writes the resolved one to a new file', async () => {
    const { backend, log } = world([]);
    const draft = join(directory, 'draft.json');
    writeFileSync(draft, '{"datasets": ["web"], "target": {"site": "ams"}, "steps": []}');
    const file = join(directory, 'out.json');
    const args = ['restore', 'plan', draft, '-o', file];
    const { code, out } = await run([...args, '--to', 'lon', '-s', '/x'], { backend });
    expect(code).toBe(0);
    expect(log).toEqual([{ datasets: ['web'], target: { site: 'lon' }, steps: [] }]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(document);
    expect(out).toContain(`holdfast restore run ${file} --kit KITFILE -s /x`);
    const again = await run(args, { backend });
    expect(again.code).toBe(1);
    expect(again.err).toContain('cannot write the plan');
    const mixed = await run(['restore', 'plan', draft, '--dir', '/d'], { backend });
    expect(mixed.code).toBe(2);
  });

  it('needs a site for names, JSON in a file, and checks that it understands', async () => {
    const { backend } = world([]);
    const bad = join(directory, 'bad.json');
    writeFileSync(bad, '{');
    expect((await run(['restore', 'plan', 'web'], { backend })).code).toBe(2);
    expect((await run(['restore', 'plan', bad], { backend })).err).toContain('is not JSON');
    const odd = ['restore', 'plan', 'web', '--to', 'lon', '--check', 'ping'];
    expect((await run(odd, { backend })).code).toBe(2);
  });

  it('leaves the restore of a snapshot as it was', async () => {
    const { code, err } = await run(['restore', 'latest']);
    expect(code).toBe(2);
    expect(err).toContain("required option '-t, --target <dir>' not specified");
  });
});

describe('restore run', () => {
  it('opens the keys, submits the plan, grants, and follows to the end', async () => {
    const { backend, log } = world([undefined, waiting, waiting, running, finished]);
    const args = ['restore', 'run', planFile(), '--kit', kitFile(), '--operator-key', '/op'];
    const { code, out, err } = await run(args, { backend });
    expect({ code, err }).toEqual({
      code: 0,
      err: '! web is live at ams: the promotion will wait\n',
    });
    const text = '{"canonical":true}';
    expect(log).toEqual([
      { text, kitText: 'the kit', peers: ['/ip4/192.0.2.1/tcp/1'] },
      { kind: 'plan', plan: new TextEncoder().encode(text), hash },
      { plan: hash, run: 1, operatorKeyFiles: ['/op'] },
    ]);
    expect(out.split('\n').slice(0, -1)).toEqual([
      'Plan web-to-lon (ab12cd34), run 1, begins.',
      'lon may open 7 packs.',
      'restore-web: started at lon: words of restore-web',
      'restore-web: done at lon: 3 files restored',
      'Done: plan web-to-lon (ab12cd34), run 1, 1 step.',
    ]);
  });

  it('goes on with a run that is open instead of beginning another', async () => {
    const { backend, log } = world([running, running, finished]);
    const { code, out } = await run(['restore', 'run', planFile(), '--kit', kitFile()], {
      backend,
    });
    expect(code).toBe(0);
    expect(out).toContain('run 1, is under way.');
    expect(log.filter((one) => (one as { kind?: string }).kind === 'plan')).toEqual([]);
  });

  it('does not carry a plan out twice', async () => {
    const { backend, log } = world([finished]);
    const { code, err } = await run(['restore', 'run', planFile(), '--kit', kitFile()], {
      backend,
    });
    expect(code).toBe(1);
    expect(err).toContain('was done by run 1');
    expect(log).toEqual([]);
  });

  it('wants the kit before anything begins', async () => {
    const { backend, log } = world([undefined]);
    const { code } = await run(['restore', 'run', planFile()], { backend });
    expect({ code, log }).toEqual({ code: 12, log: [] });
  });

  it('exits 1 when nobody could be given keys', async () => {
    const { backend } = world([undefined, waiting]);
    backend.openPlanKeys = async () => ({
      grant: async () => [{ agent: 'lon', problem: 'it cannot be reached' }],
    });
    const { code, err } = await run(['restore', 'run', planFile(), '--kit', kitFile()], {
      backend,
    });
    expect(code).toBe(1);
    expect(err).toContain('lon has no keys: it cannot be reached');
    expect(err).toContain('holdfast restore cancel ab12cd34');
  });

  it('exits 1 when a person must decide, and says how', async () => {
    const { backend } = world([undefined, waiting, stuck]);
    const { code, err } = await run(['restore', 'run', planFile(), '--kit', kitFile()], {
      backend,
    });
    expect(code).toBe(1);
    expect(err).toContain('promote-web: nothing proves that it is off');
    expect(err).toContain('holdfast dataset demote web');
    expect(err).toContain('holdfast restore resume ab12cd34 (or rollback, or cancel)');
  });

  it('stops following at Ctrl-C, and says that the plan goes on', async () => {
    const { backend } = world([running]);
    const signal = AbortSignal.timeout(50);
    const { code, err } = await run(['restore', 'status', 'web-to-lon', '--follow'], {
      backend,
      signal,
    });
    expect(code).toBe(130);
    expect(err).toContain('no longer following; the plan goes on');
    expect(err).toContain('holdfast restore status ab12cd34 --follow');
    expect(err).toContain('holdfast restore cancel ab12cd34');
  });

  it('ends with 20 when nobody can decide any more', async () => {
    let nowMs = 0;
    const coordinator = async () =>
      ({ isConfirmed: false, voters: [], votersReachable: 0, quorum: 2 }) as never;
    const { backend } = world([running], { coordinator });
    const { code, err } = await run(['restore', 'status', 'web-to-lon', '--follow'], {
      backend,
      nowMs: () => (nowMs += 20_000),
    });
    expect(code).toBe(20);
    expect(err).toContain('holdfast restore status ab12cd34 --follow');
  });

  it('prints one JSON line for each change and a summary', async () => {
    const { backend } = world([undefined, waiting, running, finished]);
    const args = ['restore', 'run', planFile(), '--kit', kitFile(), '--json'];
    const { out } = await run(args, { backend });
    expect(jsonLines(out).map(({ message_type }) => message_type)).toEqual([
      ...['plan', 'grant', 'step', 'step', 'summary'],
    ]);
  });
});

describe('restore status and decisions', () => {
  it('lists plans, and shows one with its steps', async () => {
    const { backend } = world([stuck], { plans: async () => [stuck, finished] });
    const list = await run(['restore', 'status'], { backend });
    expect(list.out).toMatch(/^web-to-lon +ab12cd34 +lon +1 +needs a decision +0 of 1 +ber/m);
    expect(list.out).toMatch(/^web-to-lon +ab12cd34 +lon +1 +done +1 of 1 +ber/m);
    const one = await run(['restore', 'status', 'ab12'], { backend });
    expect(one.out).toMatch(/^promote-web +escalated +1 of 3 +lon +words of promote-web$/m);
    expect(one.out).toContain('promote-web: nothing proves that it is off');
    expect(one.out).toContain('It needs a decision: holdfast restore resume ab12cd34');
  });

  it.each([
    ['resume', 'resume'],
    ['cancel', 'cancel'],
    ['rollback', 'roll-back'],
  ])('%s is signed by an operator', async (verb, decision) => {
    const { backend, log } = world([stuck]);
    const { code } = await run(['restore', verb, 'web-to-lon'], { backend });
    expect(code).toBe(0);
    expect(log).toEqual([{ kind: 'plan-decision', plan: hash, run: 1, decision }]);
  });
});
