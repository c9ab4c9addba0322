import { describe, expect, it } from 'vitest';
import type { AgentApi } from '../../../src/agent/api.ts';
import type { LayoutPlan, LayoutReport, LayoutVoter } from '../../../src/agent/layout-types.ts';
import type { Backend } from '../../../src/cli/backend.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { jsonLines, run, withAgent } from './fake-world.ts';

function voter(name: string, part: Partial<LayoutVoter> = {}): LayoutVoter {
  const agentKey = name.charCodeAt(0).toString(16).repeat(32);
  const place = { site: `${name}-site`, region: 'eu', isReachable: true, isWitness: false };
  return { name, agentKey, ...place, ...part };
}

const [ams, ber, lon] = [voter('ams'), voter('ber'), voter('lon', { isReachable: false })];
const set = (voters: LayoutVoter[], words: string) => ({ voters, words, warnings: [] });

const report: LayoutReport = {
  version: 3,
  mode: 'auto',
  now: {
    ...set([ams, ber], 'none of 2 voters may fail'),
    warnings: [{ text: '2 voters survive no more', next: 'holdfast layout plan' }],
  },
  wanted: set([ams, ber, lon], 'any 1 of 3 voters may fail'),
  reasons: ['ams: for site ams-site'],
  history: [
    { version: 1, mode: 'auto', voters: [], authors: [], timeMs: 0, index: 0 },
    {
      version: 2,
      mode: 'pinned',
      voters: [{ name: 'ber', agentKey: ber.agentKey }],
      authors: ['Anna (71c2b995)'],
      timeMs: Date.UTC(2026, 0, 1),
      index: 7,
    },
    { version: 3, mode: 'auto', voters: [], authors: ['Anna (71c2b995)'], timeMs: 1, index: 9 },
  ],
};

function planFor({ pin }: { pin?: string[] }): LayoutPlan {
  const wanted = pin === undefined ? report.wanted : set([ams], 'the one voter must not fail');
  const mode = pin === undefined ? 'auto' : 'pinned';
  return { base: 3, version: 4, mode, now: report.now, wanted, reasons: ['because'] };
}

type Submitted = Parameters<Backend['submitAsOperator']>[0];

/** A world whose control log takes everything, unless told otherwise. */
function world(
  outcome: Awaited<ReturnType<Backend['submitAsOperator']>> = {
    outcome: 'applied',
    index: 12,
    generation: 1,
  },
  agent: Partial<AgentApi> = {},
) {
  const submitted: Submitted[] = [];
  const backend = withAgent(
    { layout: async () => report, planLayout: async (request) => planFor(request), ...agent },
    {
      submitAsOperator: async (options) => {
        submitted.push(options);
        return outcome;
      },
    },
  );
  return { backend, submitted };
}

describe('layout show', () => {
  it('tells who votes, who shall, why, and what is wrong', async () => {
    const { code, out } = await run(['layout', 'show'], { backend: world().backend });
    expect(code).toBe(0);
    expect(out).toContain('Layout version 3: the coordinator chooses the voters.');
    expect(out).toContain('none of 2 voters may fail');
    expect(out).toMatch(/^ams +ams-site +eu +reachable +stays$/m);
    expect(out).toMatch(/^lon +lon-site +eu +unreachable +is to come$/m);
    expect(out).toContain('ams: for site ams-site');
    expect(out).toContain('! 2 voters survive no more\n  next: holdfast layout plan');
  });

  it('says the same in JSON', async () => {
    const { out } = await run(['layout', 'show', '--json'], { backend: world().backend });
    expect(jsonLines(out)).toMatchObject([
      { message_type: 'layout', version: 3, wanted: { words: 'any 1 of 3 voters may fail' } },
    ]);
  });
});

describe('layout plan', () => {
  it('changes nothing and prints the command that would, with its version', async () => {
    const { backend, submitted } = world();
    const { code, out } = await run(['layout', 'plan', '--pin', 'ams', '-s', '/x'], { backend });
    expect(code).toBe(0);
    expect(submitted).toEqual([]);
    expect(out).toContain('then:  the one voter must not fail');
    expect(out).toMatch(/^ber .* is to go$/m);
    expect(out).toContain('holdfast layout apply --version 4 --pin ams -s /x\n');
  });

  it('refuses to pin and to choose at once', async () => {
    const { code, err } = await run(['layout', 'plan', '--pin', 'a', '--auto']);
    expect(code).toBe(2);
    expect(err).toContain('cannot be used with');
  });
});

describe('layout apply', () => {
  it('has operators sign the next version on top of the current one', async () => {
    const { backend, submitted } = world();
    const args = ['layout', 'apply', '--version', '4', '--pin', 'ams', '--operator-key', 'k1'];
    const { code, out } = await run([...args, '--operator-key', '/k2'], { backend });
    expect(code).toBe(0);
    expect(out).toContain('Layout version 4 is in force.');
    const body = { kind: 'layout', version: 4, base: 3, mode: 'pinned', voters: [ams.agentKey] };
    expect(submitted).toMatchObject([{ body, operatorKeyFiles: ['/work/k1', '/k2'] }]);
  });

  it('warns of what is wrong with the voters that it has put into force', async () => {
    const warnings = [{ text: '3 voters cannot outvote 1', next: 'holdfast layout plan' }];
    const wanted = { ...report.wanted, warnings };
    const { backend } = world(undefined, { layout: async () => ({ ...report, wanted }) });
    const { out } = await run(['layout', 'apply', '--version', '4', '--auto'], { backend });
    expect(out).toContain('! 3 voters cannot outvote 1\n  next: holdfast layout plan');
  });

  it('leaves the voters out when the coordinator chooses', async () => {
    const { backend, submitted } = world();
    await run(['layout', 'apply', '--version', '4', '--auto'], { backend });
    expect(submitted).toMatchObject([{ body: { mode: 'auto', voters: [] } }]);
  });

  it('exits 1 with the current version when its own is stale, and signs nothing', async () => {
    const { backend, submitted } = world();
    const { code, err } = await run(['layout', 'apply', '--version', '3', '--auto'], { backend });
    expect(code).toBe(1);
    expect(err).toContain('version 3 does not follow version 3, which is in force');
    expect(submitted).toEqual([]);
  });

  it('exits 1 when somebody else was faster, as the log says', async () => {
    const reason = 'it replaces version 3 by 4, but 4 is current';
    const { backend } = world(
      { outcome: 'void', reason, index: 12, generation: 1 },
      { layout: async () => ({ ...report, version: 4 }) },
    );
    const { code, err } = await run(['layout', 'apply', '--version', '4', '--auto', '--json'], {
      backend,
    });
    expect(code).toBe(1);
    expect(jsonLines(err)).toMatchObject([{ code: 'failed', details: { current: 4 } }]);
  });

  it('exits 24 when too few operators have signed', async () => {
    const reason = '2 operators must sign this, 1 did';
    const { backend } = world({ outcome: 'void', reason, index: 12, generation: 1 });
    const { code, err } = await run(['layout', 'apply', '--version', '4', '--auto'], { backend });
    expect(code).toBe(24);
    expect(err).toContain(reason);
    expect(err).toContain('next: let more operators sign');
  });

  it('exits 20 without a quorum and names who is missing', async () => {
    const { backend } = world();
    backend.submitAsOperator = () =>
      Promise.reject(new HoldfastError('no-quorum', 'missing: ber, lon'));
    const { code, err } = await run(['layout', 'apply', '--version', '4', '--auto'], { backend });
    expect(code).toBe(20);
    expect(err).toContain('missing: ber, lon');
  });

  it('wants to be told which layout, and a version that is a number', async () => {
    const { backend } = world();
    expect((await run(['layout', 'apply', '--version', '4'], { backend })).code).toBe(2);
    expect((await run(['layout', 'apply', '--version', '0', '--auto'], { backend })).code).toBe(2);
    expect((await run(['layout', 'apply', '--auto'], { backend })).code).toBe(2);
  });
});

describe('layout revert and history', () => {
  it('puts an old version into force as a new one', async () => {
    const { backend, submitted } = world();
    const { code } = await run(['layout', 'revert', '--version', '2'], { backend });
    expect(code).toBe(0);
    const body = { kind: 'layout', version: 4, base: 3, mode: 'pinned', voters: [ber.agentKey] };
    expect(submitted).toMatchObject([{ body }]);
  });

  it('knows no version that never was', async () => {
    const { code, err } = await run(['layout', 'revert', '--version', '9'], {
      backend: world().backend,
    });
    expect(code).toBe(1);
    expect(err).toContain('there is no version 9');
  });

  it('lists versions with those who signed them', async () => {
    const { out } = await run(['layout', 'history'], { backend: world().backend });
    expect(out).toMatch(/^ +1 +auto +chosen +- +-$/m);
    expect(out).toMatch(/^ +2 +pinned +ber +Anna \(71c2b995\) +20/m);
  });
});
