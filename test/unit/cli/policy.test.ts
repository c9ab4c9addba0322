import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { PolicyReport } from '../../../src/agent/policy-types.ts';
import type { Backend, PolicyProof } from '../../../src/cli/backend.ts';
import { encodePolicy } from '../../../src/core/policy/policy-text.ts';
import { jsonLines, run, withAgent } from './fake-world.ts';

const minute = 60_000;
const web = 'a1'.repeat(16);
const mail = 'b2'.repeat(16);
const plan = 'cd'.repeat(32);

const policy: PolicyReport = {
  version: 2,
  document: { survive: { sites: 1 }, failover: { standby: [{ dataset: mail, site: 'ber' }] } },
  surviveSites: 1,
  failover: {
    siteLostAfterMs: 15 * minute,
    action: 'alert',
    rules: [{ dataset: 'mail', datasetId: mail, standbySite: 'ber' }],
  },
  decreeNoticeMs: 30 * minute,
  destructiveDelayMs: 72 * 60 * minute,
  index: 7,
  authors: ['Anna (71c2b995)'],
  timeMs: 1,
  evidence: [],
  authorKeys: [],
  history: [],
};

function world(outcome: 'applied' | 'void' = 'applied', current = policy) {
  const submitted: Parameters<Backend['submitAsOperator']>[0]['body'][] = [];
  const reports = [policy, current];
  const backend = withAgent(
    {
      policy: async () => reports.shift() ?? current,
      datasets: async () => [{ name: 'web', id: web }] as never,
    },
    {
      submitAsOperator: async ({ body }) => {
        submitted.push(body);
        return { outcome, reason: 'it replaces version 2', index: 3, generation: 1 };
      },
    },
  );
  return { backend, submitted };
}

describe('policy show', () => {
  it('says what holds and what happens by itself', async () => {
    const { code, out } = await show({ problems: {} });
    expect(code).toBe(0);
    expect(out).toContain('Policy version 2, signed by Anna (71c2b995).');
    expect(out).toContain('site lost after  15 min of silence');
    expect(out).toContain('standby          mail at ber: no plan yet');
  });

  it('leaves nothing out that the document says', async () => {
    const document = {
      expiry: { veto: '40s', trash: '7d' },
      reads: { ungrantedPerDay: '1GiB' },
      writers: [{ match: 'db*', budget: { perDay: '1TiB' } }],
    };
    const backend = withAgent(
      { policy: async () => ({ ...policy, document }) },
      { provePolicy: async () => ({ problems: {} }) },
    );
    const { out } = await run(['policy', 'show'], { backend });
    expect(out).toContain('expiry           veto 40s, trash 7d');
    expect(out).toContain('reads            ungrantedPerDay 1GiB');
    expect(out).toContain('writers db*      budget.perDay 1TiB');
  });

  it('prints a document as JSON that can be changed and proposed as it is', async () => {
    const document = { datasets: [{ match: '*', retention: { keepLast: 3 } }] };
    const report = { ...policy, document, history: [{ ...policy, document }] };
    const backend = withAgent(
      { policy: async () => report },
      { provePolicy: async () => ({ problems: {} }) },
    );
    const { out } = await run(['policy', 'show', '--json'], { backend });
    const [printed] = jsonLines(out);
    expect(printed).toMatchObject({ survive_sites: 1, document, history: [{ document }] });
    const stdin = Readable.from([JSON.stringify(printed)]);
    const diff = await run(['policy', 'diff', '-'], { backend, stdin });
    expect(diff).toMatchObject({ code: 0, out: expect.stringContaining('The same as version 2') });
  });

  it('ends with 23 when the agent shows what nobody has signed', async () => {
    const problem = { reason: 'the log has another document', isPending: false };
    expect(await show({ problems: { 2: problem } })).toMatchObject({
      code: 23,
      out: expect.stringContaining('Policy version 2'),
      err: expect.stringContaining('version 2: the log has another document'),
    });
    expect((await show({ problems: { 2: { ...problem, isPending: true } } })).code).toBe(0);
  });

  const show = (proof: PolicyProof) =>
    run(['policy', 'show'], {
      backend: withAgent({ policy: async () => policy }, { provePolicy: async () => proof }),
    });
});

describe('policy log', () => {
  const first = { ...policy, version: 1, index: 0, authors: [] };
  const history = [first, policy];
  const log = (proof: PolicyProof, args: string[] = []) =>
    run(['policy', 'log', ...args], {
      backend: withAgent(
        { policy: async () => ({ ...policy, history }) },
        { provePolicy: async () => proof },
      ),
    });
  const checkpoint = { generation: 1, size: 9 };

  it('says of each version whether the signed log holds it', async () => {
    const { code, out, err } = await log({ problems: {}, checkpoint });
    expect(code).toBe(0);
    expect(out).toContain('the genesis');
    expect(out.match(/ yes/g)).toHaveLength(2);
    expect(err).toContain('up to entry 9 of generation 1');
  });

  it('ends with 23 when a version does not hold, or the log is not proven', async () => {
    const problem = { reason: '2 operators had to sign it, 1 did', isPending: false };
    const broken = await log({ problems: { 2: problem }, checkpoint });
    expect(broken).toMatchObject({
      code: 23,
      err: expect.stringContaining('version 2: 2 operators'),
    });
    const forged = await log({ problems: {}, objection: 'no voters have signed it' });
    expect(forged).toMatchObject({ code: 23, err: expect.stringContaining('not proven') });
  });

  it('does not cry wolf over a version that the next checkpoint will hold', async () => {
    const problem = { reason: 'not in a checkpoint yet', isPending: true };
    const { code, out } = await log({ problems: { 2: problem }, checkpoint });
    expect(code).toBe(0);
    expect(out).toContain('not in a checkpoint yet');
  });

  it('ends with 20 while no majority has signed any', async () => {
    expect((await log({ problems: {} })).code).toBe(20);
  });
});

describe('policy set', () => {
  it('changes what is named and keeps the rest', async () => {
    const { backend, submitted } = world();
    const args = ['--failover', 'restore', '--site-lost-after', '1h'];
    const standby = ['--standby', `web=lon:${plan}`];
    const { code } = await run(['policy', 'set', ...args, ...standby], { backend });
    expect(code).toBe(0);
    expect(submitted).toEqual([
      {
        kind: 'policy',
        version: 3,
        base: 2,
        document: encodePolicy({
          survive: { sites: 1 },
          siteLostAfter: '1h',
          failover: {
            action: 'restore',
            standby: [
              { dataset: mail, site: 'ber' },
              { dataset: web, site: 'lon', plan },
            ],
          },
        }),
      },
    ]);
  });

  it('exits 1 when somebody else has set a version meanwhile', async () => {
    const { backend } = world('void', { ...policy, version: 3 });
    const { code, err } = await run(['policy', 'set', '--survive-sites', '2'], { backend });
    expect(code).toBe(1);
    expect(err).toContain('somebody else has just set version 3');
  });

  it('exits 24 when the log refuses it for another reason', async () => {
    const { backend } = world('void');
    expect((await run(['policy', 'set', '--survive-sites', '2'], { backend })).code).toBe(24);
  });

  it('exits 2 when nothing is named, or what cannot be', async () => {
    const { backend } = world();
    expect((await run(['policy', 'set'], { backend })).code).toBe(2);
    expect((await run(['policy', 'set', '--standby', 'web'], { backend })).code).toBe(2);
    expect((await run(['policy', 'set', '--failover', 'hope'], { backend })).code).toBe(2);
    const short = await run(['policy', 'set', '--site-lost-after', '1s'], { backend });
    expect(short.code).toBe(2);
    expect(short.err).toContain('siteLostAfter: must be from 30s to 30d');
    expect((await run(['policy', 'set', '--site-lost-after', '1ms'], { backend })).code).toBe(2);
  });
});

describe('a policy with full copies', () => {
  const document = { datasets: [{ match: 'db', tiers: { hot: { sites: ['ams1'] } } }] };
  const peers = [{ site: 'osl1', region: 'eu', roles: ['storage'] }];

  function propose(before: object, wanted: object) {
    let isSubmitted = false;
    const backend = withAgent(
      {
        policy: async () => ({ ...policy, document: before }),
        peers: async () => peers as never,
      },
      {
        submitAsOperator: async () => {
          isSubmitted = true;
          return { outcome: 'applied', index: 3, generation: 1 } as never;
        },
      },
    );
    const stdin = Readable.from([JSON.stringify(wanted)]);
    return run(['policy', 'propose', '-'], { backend, stdin }).then((ended) => ({
      ...ended,
      isSubmitted,
    }));
  }

  it('is not proposed for a site that is not there', async () => {
    expect(await propose({}, document)).toMatchObject({
      code: 2,
      isSubmitted: false,
      err: expect.stringContaining(
        'datasets[0].tiers.hot.sites[0]: there is no site ams1; there are osl1',
      ),
    });
  });

  it('does not stand in the way of other changes when the site has gone since', async () => {
    const wanted = { ...document, survive: { sites: 1 } };
    expect(await propose(document, wanted)).toMatchObject({ code: 0, isSubmitted: true });
  });
});
