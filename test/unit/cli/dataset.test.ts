import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { AgentApi, PeerReport } from '../../../src/agent/api.ts';
import type { IncarnationReport } from '../../../src/agent/dataset-types.ts';
import type { Backend } from '../../../src/cli/backend.ts';
import { jsonLines, run, withAgent } from './fake-world.ts';

const held: IncarnationReport = {
  name: 'web',
  id: 'a1'.repeat(16),
  source: 'ams',
  state: 'live',
  incarnation: 1,
  holder: 'ber',
  reinstated: [],
  holders: [
    { incarnation: 0, agent: 'ams', generation: 1, index: 20 },
    { incarnation: 1, agent: 'ber', generation: 1, index: 40 },
  ],
  certificate: {
    incarnation: 1,
    generation: 1,
    target: 'ber',
    plan: 'cd'.repeat(32),
    run: 2,
    step: 'promote-web',
    grants: 2,
    voters: ['ams', 'ber', 'lon'],
  },
  isolated: [{ agent: 'ams', agentKey: 'aa'.repeat(32), reason: 'burnt' }],
  here: { mayWrite: false, reason: 'incarnation 1 is live at ber' },
};
const open: IncarnationReport = {
  name: 'mail',
  id: 'b2'.repeat(16),
  source: 'lon',
  state: 'open',
  incarnation: 0,
  reinstated: [],
  holders: [],
  isolated: [],
  here: { mayWrite: true, reason: 'no plan has named this dataset' },
};
const peers = [{ name: 'ams', agentKey: 'aa'.repeat(32) }] as PeerReport[];
const applied = { outcome: 'applied', index: 9, generation: 1 } as const;

function world(agent: Partial<AgentApi> = {}) {
  const submitted: Parameters<Backend['submitAsOperator']>[0][] = [];
  const backend = withAgent(
    { datasets: async () => [held, open], peers: async () => peers, ...agent },
    {
      submitAsOperator: async (options) => {
        submitted.push(options);
        return applied;
      },
    },
  );
  return { backend, submitted };
}

describe('dataset list and show', () => {
  it('tells where each live copy is, and whether this host may write', async () => {
    const { code, out } = await run(['dataset', 'list'], { backend: world().backend });
    expect(code).toBe(0);
    expect(out).toMatch(/^web +live +ber +1 +ams +must not write$/m);
    expect(out).toMatch(/^mail +open +lon +0 +lon +may write$/m);
  });

  it('shows who has held it, the proof, and who is isolated', async () => {
    const { out } = await run(['dataset', 'show', 'a1a1'], { backend: world().backend });
    expect(out).toContain('incarnation  1, live at ber');
    expect(out).toContain('isolated     ams: burnt');
    expect(out).toContain('2 of 3 voters for incarnation 1 at ber (plan cdcdcdcd run 2');
    expect(out).toMatch(/^ +0 +ams +20 +1$/m);
  });

  it('knows no dataset of another name', async () => {
    const { code, err } = await run(['dataset', 'show', 'nope'], { backend: world().backend });
    expect(code).toBe(1);
    expect(err).toContain('next: holdfast dataset list');
  });
});

describe('dataset demote', () => {
  it('is this host own word', async () => {
    const asked: unknown[] = [];
    const { backend } = world({
      demote: async (request) => {
        asked.push(request);
        return applied;
      },
    });
    const { code, out } = await run(['dataset', 'demote', 'web'], { backend });
    expect({ code, asked }).toEqual({ code: 0, asked: [{ dataset: 'web' }] });
    expect(out).toContain('This host has given web up');
  });

  it('exits 24 on a host that does not hold it', async () => {
    const reason = 'only the holder may demote itself';
    const { backend } = world({ demote: async () => ({ ...applied, outcome: 'void', reason }) });
    const { code, err } = await run(['dataset', 'demote', 'web'], { backend });
    expect(code).toBe(24);
    expect(err).toContain(reason);
  });
});

describe('dataset abandon', () => {
  const abandon = ['dataset', 'abandon', 'web', '--reason', 'the wrong host'];
  const { certificate, ...rest } = held;
  const slot = { ...certificate, abandons: 0, isGivenUp: false } as IncarnationReport['slot'];

  it('asks the voters that have not voted to give the open promotion up', async () => {
    const contested = { ...rest, state: 'contested', slot } as IncarnationReport;
    const { backend, submitted } = world({ datasets: async () => [contested] });
    const { code, out } = await run(abandon, { backend });
    expect(code).toBe(0);
    const body = { kind: 'abandon', dataset: held.id, incarnation: 1, reason: 'the wrong host' };
    expect(submitted[0]?.body).toEqual(body);
    expect(out).toContain('have not granted incarnation 1 of web yet');
  });

  it('leaves the way out to be shown, of a vote that may never end by itself', async () => {
    const show = async (change: Partial<NonNullable<IncarnationReport['slot']>>) => {
      const contested = { ...rest, state: 'contested', slot: { ...slot, ...change } };
      const datasets = async () => [contested as IncarnationReport];
      return (await run(['dataset', 'show', 'web'], { backend: world({ datasets }).backend })).out;
    };
    const isolate = 'next: holdfast dataset isolate --agent ber --dataset web --reason TEXT';
    expect(await show({})).not.toContain('next:');
    expect(await show({ isGivenUp: true })).toContain('may be away for good');
    const split = await show({ grants: 2, abandons: 1 });
    expect(split).toContain('neither side has enough');
    expect(split).toContain(isolate);
    expect(split).toContain('then: holdfast dataset reinstate web --agent ber');
  });

  it('exits 24 when nothing is being voted on', async () => {
    const { backend, submitted } = world();
    const { code, err } = await run(abandon, { backend });
    expect({ code, submitted }).toEqual({ code: 24, submitted: [] });
    expect(err).toContain('next: holdfast dataset show web');
  });
});

describe('dataset isolate and reinstate', () => {
  const isolate = ['dataset', 'isolate', '--agent', 'ams', '--reason', 'burnt'];

  it('asks a person to type the name of the agent', async () => {
    const terminal = (answer: string) => Object.assign(Readable.from([answer]), { isTTY: true });
    const yes = world();
    const done = await run(isolate, { ...yes, isTty: true, stdin: terminal('ams\n') });
    expect(done.code).toBe(0);
    expect(done.out).toContain('two copies will be live');
    const body = { kind: 'isolate', agent: 'aa'.repeat(32), dataset: undefined, reason: 'burnt' };
    expect(yes.submitted).toMatchObject([{ body }]);
    const no = world();
    const refused = await run(isolate, { ...no, isTty: true, stdin: terminal('yes\n') });
    expect(refused.code).toBe(1);
    expect(no.submitted).toEqual([]);
  });

  it('does nothing without a terminal unless told --yes', async () => {
    const { backend, submitted } = world();
    expect((await run(isolate, { backend })).code).toBe(2);
    expect(submitted).toEqual([]);
    const { code, out } = await run([...isolate, '--yes', '--dataset', 'web', '--json'], {
      backend,
    });
    expect(code).toBe(0);
    expect(submitted).toMatchObject([{ body: { dataset: 'a1'.repeat(16) } }]);
    expect(jsonLines(out)).toMatchObject([{ message_type: 'applied', agent: 'ams' }]);
  });

  it('names the agent and the dataset of a reinstatement', async () => {
    const { backend, submitted } = world();
    const { code, out } = await run(['dataset', 'reinstate', 'web', '--agent', 'ams'], { backend });
    expect(code).toBe(0);
    expect(out).toContain('ams may write web again');
    const body = { kind: 'reinstate', agent: 'aa'.repeat(32), dataset: 'a1'.repeat(16) };
    expect(submitted).toMatchObject([{ body }]);
  });

  it('knows no member of another name', async () => {
    const { backend } = world();
    const { code, err } = await run(['dataset', 'reinstate', 'web', '--agent', 'zzz'], { backend });
    expect(code).toBe(1);
    expect(err).toContain('no member is named "zzz"');
  });
});
