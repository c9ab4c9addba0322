import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DatasetStatus, PeerReport, StatusReport } from '../../../src/agent/api.ts';
import type { CheckEvent, CheckSummary } from '../../../src/agent/check-types.ts';
import { loadConfig, parseConfig } from '../../../src/agent/config.ts';
import type { RepairReport, ScrubReport } from '../../../src/agent/upkeep-types.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { RepairPart } from '../../../src/core/policy/repair-part.ts';
import { fakeBackend, jsonLines, run, stream, withAgent } from './fake-world.ts';

const nowMs = Date.UTC(2025, 5, 1, 3);
const hour = 3_600_000;

function peer(part: Partial<PeerReport>): PeerReport {
  return {
    name: 'ber-1',
    site: 'ber',
    region: 'eu',
    roles: ['storage'],
    revoked: [],
    state: 'connected',
    path: 'direct',
    address: '/ip4/192.0.2.2/tcp/7420',
    lag: 0,
    freeBytes: 2 ** 30,
    shards: 12,
    version: '0.1.0',
    peerKey: 'aa11'.repeat(16),
    agentKey: 'bb22'.repeat(16),
    ...part,
  };
}

const peers = [
  peer({ name: 'ams-1', site: 'ams', state: 'self', path: '-', peerKey: 'aa22'.repeat(16) }),
  peer({}),
  peer({
    name: 'lon-1',
    site: 'lon',
    state: 'unreachable',
    path: '-',
    lastSeenMs: nowMs - 2 * hour,
    peerKey: 'cc33'.repeat(16),
  }),
];

const good: DatasetStatus = {
  name: 'documents',
  id: '01'.repeat(16),
  source: 'ams-1',
  restorable: {
    snapshot: 'ab'.repeat(32),
    state: 'committed',
    timeMs: nowMs - 5 * hour,
    ageMs: 5 * hour,
    isRestorableNow: true,
    sites: ['ams', 'ber'],
    sitesMayFail: 1,
    bytes: 2 ** 31,
  },
  snapshots: 7,
  words: 'survives any 1 site; costs 1.50x',
};

const bad: DatasetStatus = {
  name: 'mail',
  id: '02'.repeat(16),
  source: 'ams-1',
  pending: { snapshot: 'cd'.repeat(32), state: 'placed', timeMs: nowMs, missing: ['lon'] },
  snapshots: 1,
  words: 'not committed yet',
};

const status: StatusReport = {
  agent: {
    clusterId: 'fe'.repeat(32),
    clusterName: 'acme',
    name: 'ams-1',
    site: 'ams',
    region: 'eu',
    roles: ['source'],
    peerKey: 'aa22'.repeat(16),
    agentKey: 'bb22'.repeat(16),
    addresses: [],
    version: '0.1.0',
  },
  sites: [
    { site: 'ams', region: 'eu', members: 1, reachable: 1 },
    { site: 'ber', region: 'eu', members: 1, reachable: 1 },
    { site: 'lon', region: 'uk', members: 1, reachable: 0 },
  ],
  policy: { surviveSites: 1, words: 'survive 1 site' },
  coordinator: {
    leader: 'ber-1',
    hasQuorum: true,
    quorum: 2,
    voters: 3,
    votersReachable: 2,
    missing: ['lon-1'],
  },
  datasets: [good, bad],
  warnings: ['lon is away\nnext: holdfast peer ping lon-1'],
  contradictions: [],
};

const agent = withAgent({ status: async () => status, peers: async () => peers });

describe('status', () => {
  it('does not ask for what operators have shredded on purpose', async () => {
    const { pending: _, ...rest } = bad;
    const datasets = [good, { ...rest, isShredded: true as const }];
    const backend = withAgent({
      status: async () => ({ ...status, datasets }),
      peers: async () => peers,
    });
    const { code, out } = await run(['status'], { backend, nowMs: () => nowMs });
    expect(code).toBe(0);
    expect(out.split('\n')[2]).toMatch(/^mail +shredded +never/);
  });

  it('answers first for each dataset, then for peers, then warns', async () => {
    const { code, out, err } = await run(['status'], { backend: agent, nowMs: () => nowMs });
    expect(code).toBe(22);
    expect(err).toContain('no snapshot is as safe as the policy asks: mail');
    const lines = out.split('\n');
    expect(lines[0]).toMatch(/^DATASET +RESTORABLE NOW +AGE +FROM SITES +MORE SITES MAY FAIL/);
    expect(lines[1]).toMatch(/^documents +yes +5 h +ams, ber +any 1 +2\.00 GiB +7$/);
    expect(lines[2]).toMatch(/^mail +NO +never/);
    const at = (text: string): number => lines.findIndex((line) => line.includes(text));
    expect(at('mail: snapshot cdcdcdcd')).toBeGreaterThan(2);
    expect(lines[at('mail: snapshot')]).toContain('is only placed, waits for lon');
    expect(at('Cluster acme (fefefefe): 3 sites, 2 reachable')).toBeGreaterThan(at('mail: '));
    expect(lines).toContain('Coordinator: ber-1; quorum: yes (2 of 3 voters reachable, 2 needed).');
    expect(lines[at('lon-1 ')]).toMatch(/unreachable .* 2 h ago$/);
    expect(at('Warnings')).toBeGreaterThan(at('lon-1 '));
    expect(at('next: holdfast peer ping lon-1')).toBeGreaterThan(at('Warnings'));
  });

  it('tells a dataset that too many sites have left', async () => {
    const lost = { ...good.restorable, isRestorableNow: false, sitesMayFail: -1, sites: ['ams'] };
    const datasets = [{ ...good, restorable: lost } as DatasetStatus];
    const backend = withAgent({
      status: async () => ({ ...status, datasets }),
      peers: async () => peers,
    });
    const { code, out, err } = await run(['status'], { backend });
    expect(out.split('\n')[1]).toMatch(/^documents +NO +5 h +ams +already too many/);
    expect(code).toBe(21);
    expect(err).toContain('cannot be restored from the peers that are reachable now: documents');
  });

  it('ends well when every dataset is safe, and names one that is below the policy', async () => {
    const datasets = [good];
    const safe = withAgent({
      status: async () => ({ ...status, datasets }),
      peers: async () => [],
    });
    expect((await run(['status'], { backend: safe })).code).toBe(0);
    const placed = { ...good, restorable: { ...good.restorable, state: 'placed' } };
    const weak = withAgent({
      status: async () => ({ ...status, datasets: [placed as DatasetStatus] }),
      peers: async () => [],
    });
    const { code, out } = await run(['status'], { backend: weak });
    expect(code).toBe(22);
    expect(out.split('\n')[1]).toMatch(/^documents +yes, below policy +5 h/);
  });

  it('ends with 23 while somebody who has signed two histories is still a member', async () => {
    const writerKey = 'ab'.repeat(32);
    const text = 'ber-1 has signed two histories (receipts)';
    const contradictions = [{ writer: 'ber-1', writerKey, text }];
    const backend = withAgent({
      status: async () => ({ ...status, contradictions }),
      peers: async () => [],
    });
    const { code, err } = await run(['status'], { backend });
    expect(code).toBe(23);
    expect(err).toContain('ber-1 has signed two histories (receipts)');
    expect(err).toMatch(/next: .*peer remove ber-1/);
  });

  it('says what to do when nothing is protected', async () => {
    const backend = withAgent({
      status: async () => ({ ...status, datasets: [] }),
      peers: async () => [],
    });
    const { out } = await run(['status'], { backend });
    expect(out).toMatch(/^Nothing is protected yet.*\nnext: holdfast backup PATH\n/);
  });

  it('says what has a code of before the cluster grew, and what comes of it', async () => {
    const reason = 'full copies becomes 3+2: costs 1.67x instead of 3.00x';
    const oldCode = { packs: 3, bytes: 2 ** 25, ofBytes: 2 ** 26, reason };
    const grown = (stays?: string) => ({
      ...status,
      datasets: [{ ...good, oldCode: { ...oldCode, ...(stays !== undefined && { stays }) } }],
    });
    const words = async (stays?: string): Promise<string> =>
      (
        await run(['status'], {
          backend: withAgent({ status: async () => grown(stays), peers: async () => [] }),
        })
      ).out;
    expect(await words()).toContain(
      `documents: 32.0 MiB of 64.0 MiB has an older code (${reason}): the next backups make it anew`,
    );
    expect(await words('its source has left')).toContain(`(${reason}): its source has left`);
  });

  it('is JSON lines', async () => {
    const { out } = await run(['status', '--json'], { backend: agent });
    const lines = jsonLines(out);
    expect(lines.map((line) => line.message_type)).toEqual([
      ...['dataset', 'dataset', 'peer', 'peer', 'peer', 'warning', 'summary'],
    ]);
    expect(lines[0]).toMatchObject({
      name: 'documents',
      restorable: { is_restorable_now: true, sites_may_fail: 1 },
    });
  });

  it('is coloured on a terminal only, and never with NO_COLOR', async () => {
    const colored = await run(['status'], { backend: agent, isTty: true });
    expect(colored.out).toContain('\u001b[32myes\u001b[39m');
    for (const part of [{ env: { NO_COLOR: '1' } }, { isTty: false }]) {
      const { out } = await run(['status'], { backend: agent, isTty: true, ...part });
      expect(out).not.toContain('\u001b');
    }
    const { out } = await run(['status', '--no-color'], { backend: agent, isTty: true });
    expect(out).not.toContain('\u001b');
  });
});

describe('peer', () => {
  it('lists all members', async () => {
    const { out } = await run(['peer', 'list'], { backend: agent });
    expect(out.split('\n')[2]).toMatch(/^ber-1 +ber +eu +storage +connected +direct/);
    expect(jsonLines((await run(['peer', 'list', '--json'], { backend: agent })).out)).toHaveLength(
      3,
    );
  });

  it('shows one by name or by the beginning of its key', async () => {
    for (const name of ['lon-1', 'cc33']) {
      const { code, out } = await run(['peer', 'show', name], { backend: agent });
      expect(code).toBe(0);
      expect(out).toContain('name         lon-1');
    }
    const none = await run(['peer', 'show', 'nobody'], { backend: agent });
    expect(none.code).toBe(1);
    expect(none.err).toContain('next: holdfast peer list');
    const several = await run(['peer', 'show', 'aa'], { backend: agent });
    expect(several.code).toBe(2);
    expect(several.err).toContain('ams-1 aa22aa22aa22, ber-1 aa11aa11aa11');
  });

  it('pings', async () => {
    const ping = async (name: string) => ({ peer: name, roundTripMs: 12.34, path: 'direct' });
    const { out } = await run(['peer', 'ping', 'ber-1'], { backend: withAgent({ ping }) });
    expect(out).toBe('ber-1: 12.3 ms, direct\n');
  });
});

describe('check', () => {
  const clean: CheckSummary = {
    snapshots: 1,
    packs: 2,
    packsRead: 0,
    shards: 8,
    badShards: 0,
    unrecoverablePacks: 0,
    degradedPacks: 0,
    badRecords: 0,
    peersAsked: 4,
    peersUnreachable: [],
    durationMs: 2000,
  };

  async function check(part: Partial<CheckSummary>, argv: string[] = []) {
    const problem: CheckEvent = {
      type: 'problem',
      peer: 'ber-1',
      site: 'ber',
      pack: 'ab'.repeat(32),
      index: 3,
      problem: 'does not match',
      dataset: 'mail',
    };
    const record: CheckEvent = {
      type: 'bad-record',
      record: 'statement 7 of ber-1 in receipts',
      problem: 'another writer has signed it',
    };
    const events: CheckEvent[] = [
      { type: 'status', packsDone: 1, packsTotal: 2, peer: 'ber-1' },
      ...((part.badShards ?? 0) > 0 ? [problem] : []),
      ...((part.badRecords ?? 0) > 0 ? [record] : []),
      { type: 'summary', summary: { ...clean, ...part } },
    ];
    const requests: unknown[] = [];
    const backend = withAgent({
      check: (request) => {
        requests.push(request);
        return stream(...events);
      },
    });
    return { ...(await run(['check', ...argv], { backend })), requests };
  }

  it('succeeds when everything is there', async () => {
    const { code, out, requests } = await check({}, ['--read-data', '--dataset', 'mail']);
    expect(code).toBe(0);
    expect(out).toContain('Checked 1 snapshot: 2 packs, 8 shards at 4 peers in 0:02.');
    expect(out).toContain('nothing was read back; --read-data reads every byte');
    const part = await check({ packsRead: 1 }, ['--read-data-subset', '1/2']);
    expect(part.out).toContain('every byte read back of 1 pack\n');
    expect(requests).toEqual([{ readData: true, dataset: 'mail' }]);
  });

  it('reads a part, as it is told', async () => {
    const asked = async (part: string) => (await check({}, ['--read-data-subset', part])).requests;
    expect(await asked('2/30')).toEqual([{ readData: true, subset: { part: 2, of: 30 } }]);
    expect(await asked('2.5%')).toEqual([{ readData: true, subset: { share: 0.025 } }]);
    for (const wrong of ['0/3', '4/3', '0%', '101%', '5', 'x']) {
      expect((await check({}, ['--read-data-subset', wrong])).code).toBe(2);
    }
    expect((await check({}, ['--read-data', '--read-data-subset', '1/2'])).code).toBe(2);
  });

  it.each([
    [{ badShards: 1 }, 22],
    [{ degradedPacks: 1, peersUnreachable: ['lon-1'] }, 22],
    [{ badShards: 1, unrecoverablePacks: 1 }, 21],
    [{ badRecords: 1, badShards: 1 }, 23],
    [{ badRecords: 1, unrecoverablePacks: 1 }, 21],
  ])('with %j exits %i', async (part, expected) => {
    const { code, err } = await check(part);
    expect(code).toBe(expected);
    expect(err).toContain('next: ');
  });

  it('names each record that is not as it was signed', async () => {
    const { err } = await check({ badRecords: 1 });
    expect(err).toContain('statement 7 of ber-1 in receipts: another writer has signed it\n');
    const json = await check({ badRecords: 1 }, ['--json']);
    expect(jsonLines(json.err)[0]).toMatchObject({ message_type: 'error', during: 'check' });
  });

  it('names each bad shard', async () => {
    const { err } = await check({ badShards: 1 });
    expect(err).toContain('ber-1 (ber): shard 3 of pack abababab (mail): does not match\n');
    const json = await check({ badShards: 1 }, ['--json']);
    expect(jsonLines(json.err)[0]).toMatchObject({ message_type: 'error', during: 'check' });
    expect(jsonLines(json.out)[0]).toMatchObject({ message_type: 'status', total_packs: 2 });
  });
});

describe('repair', () => {
  const repaired = { shards: 3, quarantined: 1, statements: 9 };

  it('goes through the agent when one runs, else does it alone', async () => {
    const through = withAgent({ rebuildIndex: async () => repaired });
    expect((await run(['repair', '--index'], { backend: through })).out).toContain('3 shards');
    const rebuildIndex = async (): Promise<never> => {
      throw new HoldfastError('agent-not-running', 'none');
    };
    const alone = withAgent({ rebuildIndex }, { repairIndex: async () => repaired });
    const { out } = await run(['repair', '--index', '--json'], { backend: alone });
    expect(jsonLines(out)).toEqual([{ message_type: 'summary', ...repaired }]);
  });

  const report: RepairReport = {
    ...{ tasks: [], taskCount: 0, dueCount: 0, stuckCount: 0, lost: [], awaitedPacks: 0, packs: 4 },
    ...{ isBraked: false, made: 0, failed: 0, bytesRead: 0, wrong: [] },
    ...{ silentHosts: [], lostAfterMs: 7_200_000 },
  };
  const task = {
    ...{ pack: 'ab'.repeat(32), index: 2, type: 'data' as const, bytes: 65536, spare: 1 },
    ...{ isUrgent: true, isDue: true, reason: 'it was at fra', by: 'ber-1' },
  } as const;

  it('lists what is missing, why and who makes it, and begins nothing', async () => {
    const asked: RepairPart[] = [];
    const repairs = async ({ begin }: { begin: RepairPart }): Promise<RepairReport> => {
      asked.push(begin);
      return { ...report, tasks: [task], taskCount: 1, dueCount: 1 };
    };
    const backend = withAgent({ repairs });
    const { out, code } = await run(['repair', '--dry-run'], { backend });
    expect(out).toContain('abababab');
    expect(out).toContain('it was at fra');
    expect(out).toContain('1 shard missing, 1 due now');
    const json = await run(['repair', '--dry-run', '--json'], { backend });
    expect(jsonLines(json.out)).toMatchObject([
      { message_type: 'repair', index: 2, by: 'ber-1', is_due: true },
      { message_type: 'summary', due_count: 1 },
    ]);
    expect([code, json.code, ...asked]).toEqual([0, 0, 'nothing', 'nothing']);
  });

  it('says whom it cannot see into', async () => {
    const repairs = async (): Promise<RepairReport> => ({ ...report, silentHosts: ['ams-1'] });
    const { out } = await run(['repair'], { backend: withAgent({ repairs }) });
    expect(out).toContain('every shard is where it should be');
    expect(out).toContain('ams-1 cannot be reached now');
    expect(out).toContain('2 h');
    const json = await run(['repair', '--json'], { backend: withAgent({ repairs }) });
    expect(jsonLines(json.out)).toMatchObject([{ silent_hosts: ['ams-1'] }]);
  });

  it('says where what may wait for a day can be made now, and begins with it when asked', async () => {
    const asked: RepairPart[] = [];
    const waiting = { ...task, spare: 2, isUrgent: false, isDue: false };
    const repairs = async ({ begin }: { begin: RepairPart }): Promise<RepairReport> => {
      asked.push(begin);
      return { ...report, tasks: [waiting], taskCount: 1 };
    };
    const backend = withAgent({ repairs });
    const { out, code } = await run(['repair'], { backend });
    expect(out).toContain('holdfast repair --all, on ber-1');
    const all = await run(['repair', '--all'], { backend });
    expect([code, all.code, ...asked]).toEqual([0, 0, 'due', 'all']);
  });

  it.each([
    ['--all', '--dry-run'],
    ['--index', '--dry-run'],
    ['--all', '--index'],
  ])('refuses %s with %s, and begins nothing', async (...flags) => {
    const { code, err } = await run(['repair', ...flags], { backend: withAgent({}) });
    expect(code).toBe(2);
    for (const flag of flags) expect(err).toContain(flag);
  });

  it('begins, and is over when nothing that can be made is missing', async () => {
    let left = 2;
    const repairs = async (): Promise<RepairReport> => ({ ...report, dueCount: --left, made: 1 });
    const { out, code } = await run(['repair'], { backend: withAgent({ repairs }) });
    expect([code, left]).toEqual([0, 0]);
    expect(out).toContain('every shard is where it should be');
  });

  it('reads back, and fails when something was damaged', async () => {
    const before = { round: 1, share: 0.5, shards: 3, bytes: 70, damaged: 1, storedShards: 6 };
    const stored = { ...before, storedBytes: 140, oldestMs: 5000, isHurried: false };
    let damaged = 1;
    const scrub = async ({ isNow }: { isNow: boolean }): Promise<ScrubReport> => {
      if (isNow) damaged = 2;
      return { ...stored, damaged };
    };
    const backend = withAgent({ scrub });
    expect((await run(['scrub', '--show'], { backend })).code).toBe(0);
    const { code, out } = await run(['scrub'], { backend });
    expect([code, damaged]).toEqual([22, 2]);
    expect(out).toContain('2 damaged shards found so far');
  });

  it('says what nobody can make, or rebuild', async () => {
    const stuck = withAgent({ repairs: async () => ({ ...report, dueCount: 1, stuckCount: 1 }) });
    expect((await run(['repair'], { backend: stuck })).code).toBe(22);
    const lost = [{ pack: 'cd'.repeat(32), had: 1, needed: 3 }];
    const gone = withAgent({ repairs: async () => ({ ...report, lost }) });
    expect((await run(['repair'], { backend: gone })).code).toBe(21);
    expect((await run(['repair', '--dry-run'], { backend: gone })).code).toBe(21);
  });
});

describe('config', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hf-cli-'));
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const backend = fakeBackend({
    loadConfig: async ({ file }) => ({ file, config: loadConfig(file) }),
  });

  it('init writes a valid start and never overwrites', async () => {
    const file = join(directory, 'state', 'config.json');
    const argv = ['config', 'init', '-s', join(directory, 'state')];
    expect((await run(argv)).out).toBe(`Wrote ${file}.\n`);
    expect(parseConfig(readFileSync(file, 'utf8'), file).datasets).toHaveProperty('documents');
    const again = await run(argv);
    expect(again.code).toBe(1);
    expect(again.err).toMatch(/next: holdfast config validate .*config.json/);
    const printed = await run(['config', 'init', '-']);
    expect(printed.out).toBe(readFileSync(file, 'utf8'));
  });

  it('validate names what is wrong', async () => {
    const file = join(directory, 'config.json');
    await run(['config', 'init', file]);
    expect(existsSync(file)).toBe(true);
    expect((await run(['config', 'validate', file], { backend })).out).toBe(`${file}: valid\n`);
    const missing = await run(['config', 'validate', join(directory, 'none')], { backend });
    expect(missing.code).toBe(2);
  });

  it('show prints the defaults too', async () => {
    const { out } = await run(['config', 'show'], { backend });
    expect(JSON.parse(out)).toMatchObject({ compression: { level: 3 }, datasets: {} });
  });
});
