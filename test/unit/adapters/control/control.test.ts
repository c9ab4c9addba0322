import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveControl } from '../../../../src/adapters/control/server.ts';
import type { AgentApi, BackupEvent, BackupRequest } from '../../../../src/agent/api.ts';
import { connectControl } from '../../../../src/agent/control-client.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { LogLevel } from '../../../../src/ports/runtime.ts';

const backupRequest: BackupRequest = {
  paths: [Buffer.from('/srv/\xff', 'latin1').toString('base64')],
  tags: ['a'],
  exclude: ['*.tmp'],
  iexclude: [],
  excludeIfPresent: [],
  excludeCaches: false,
  oneFileSystem: true,
  dryRun: false,
  force: false,
};

function notPartOfThisTest(): never {
  throw new HoldfastError('failed', 'not part of this test');
}

function apiWith(part: Partial<AgentApi>): AgentApi {
  return {
    identity: async () => notPartOfThisTest(),
    status: async () => notPartOfThisTest(),
    peers: async () => [],
    ping: async () => notPartOfThisTest(),
    snapshots: async () => [],
    backup: () => notPartOfThisTest(),
    check: () => notPartOfThisTest(),
    operatorHead: async () => notPartOfThisTest(),
    submit: async () => notPartOfThisTest(),
    rebuildIndex: async () => notPartOfThisTest(),
    coordinator: async () => notPartOfThisTest(),
    stepDown: async () => notPartOfThisTest(),
    submitCommand: async () => notPartOfThisTest(),
    prepareDecree: async () => notPartOfThisTest(),
    announceDecree: async () => notPartOfThisTest(),
    decree: async () => notPartOfThisTest(),
    layout: async () => notPartOfThisTest(),
    planLayout: async () => notPartOfThisTest(),
    datasets: async () => notPartOfThisTest(),
    demote: async () => notPartOfThisTest(),
    policy: async () => notPartOfThisTest(),
    logProof: async () => notPartOfThisTest(),
    operators: async () => notPartOfThisTest(),
    proposals: async () => notPartOfThisTest(),
    removedPeers: async () => notPartOfThisTest(),
    veto: async () => notPartOfThisTest(),
    tripwires: async () => notPartOfThisTest(),
    auditHead: async () => notPartOfThisTest(),
    auditEntries: async () => notPartOfThisTest(),
    verifyAudit: async () => notPartOfThisTest(),
    keeping: async () => notPartOfThisTest(),
    resolveSnapshots: async () => notPartOfThisTest(),
    retention: async () => notPartOfThisTest(),
    proposeExpiry: async () => notPartOfThisTest(),
    prune: async () => notPartOfThisTest(),
    repairs: async () => notPartOfThisTest(),
    scrub: async () => notPartOfThisTest(),
    stores: async () => notPartOfThisTest(),
    drains: async () => notPartOfThisTest(),
    stats: async () => notPartOfThisTest(),
    validate: () => notPartOfThisTest(),
    bandwidth: async () => notPartOfThisTest(),
    limitBandwidth: async () => notPartOfThisTest(),
    forecastLoss: async () => notPartOfThisTest(),
    resolvePlan: async () => notPartOfThisTest(),
    readPlan: async () => notPartOfThisTest(),
    plans: async () => notPartOfThisTest(),
    plan: async () => notPartOfThisTest(),
    alerts: async () => [],
    clearAlert: async () => notPartOfThisTest(),
    channels: async () => [],
    testChannels: async () => [],
    metrics: async () => notPartOfThisTest(),
    drills: async () => notPartOfThisTest(),
    drillTerms: async () => notPartOfThisTest(),
    drillShape: async () => notPartOfThisTest(),
    recordDrill: async () => notPartOfThisTest(),
    drillKey: async () => notPartOfThisTest(),
    drillSchedule: async () => [],
    runDrill: () => notPartOfThisTest(),
    drillEvidence: async () => notPartOfThisTest(),
    planRecipients: async () => notPartOfThisTest(),
    keepFacts: async () => notPartOfThisTest(),
    requestRestore: async () => notPartOfThisTest(),
    restoreGrants: async () => notPartOfThisTest(),
    grantMaterial: async () => notPartOfThisTest(),
    readPack: async () => notPartOfThisTest(),
    restoreGranted: () => notPartOfThisTest(),
    keys: async () => notPartOfThisTest(),
    rotateKey: async () => notPartOfThisTest(),
    keyMaterial: async () => notPartOfThisTest(),
    stageKeyRecords: async () => notPartOfThisTest(),
    unstageKeyRecords: async () => notPartOfThisTest(),
    keyHolders: async () => notPartOfThisTest(),
    shutdown: async () => undefined,
    ...part,
  };
}

function status(filesDone: number): BackupEvent {
  return {
    type: 'status',
    elapsedMs: 1,
    filesDone,
    bytesDone: 0,
    bytesSent: 0,
    current: 'x'.repeat(1000),
  };
}

let directory: string;
let socketPath: string;
let closers: AsyncDisposable[];
let logged: { level: LogLevel; message: string; context: unknown }[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hf-control-'));
  socketPath = join(directory, 'control.sock');
  closers = [];
  logged = [];
});

afterEach(async () => {
  for (const closer of closers.reverse()) await closer[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(part: Partial<AgentApi>, path = socketPath): Promise<AgentApi> {
  const log = {
    log: (level: LogLevel, message: string, context?: unknown) =>
      void logged.push({ level, message, context }),
  };
  closers.push(await serveControl({ socketPath: path, api: apiWith(part), log }));
  return connectControl(path);
}

async function failureOf(work: Promise<unknown>): Promise<HoldfastError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HoldfastError);
  return error as HoldfastError;
}

async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** A raw request, for what the client never sends. */
function raw(method: string, path: string, body?: string): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('one-shot calls', () => {
  it('carries every argument and answer across the socket', async () => {
    const seen: unknown[] = [];
    const client = await serve({
      peers: async () => [{ name: 'b', peerKey: 'ab' }] as never,
      ping: async (peer) => ({ peer, roundTripMs: 3, path: 'direct' }),
      snapshots: async (filter) => {
        seen.push(filter);
        return [];
      },
      operatorHead: async (key) => ({ sequence: 7, hash: key }),
      submit: async (envelope) => ({ hash: envelope }),
      rebuildIndex: async () => ({ shards: 1, quarantined: 2, statements: 3 }),
    });
    expect(await client.peers()).toEqual([{ name: 'b', peerKey: 'ab' }]);
    expect(await client.ping('a/b ü%')).toEqual({ peer: 'a/b ü%', roundTripMs: 3, path: 'direct' });
    await client.snapshots({});
    await client.snapshots({ dataset: 'd&e=f', tags: ['one'] });
    await client.snapshots({ tags: ['one', 'two'] });
    expect(seen).toEqual([{}, { dataset: 'd&e=f', tags: ['one'] }, { tags: ['one', 'two'] }]);
    expect(await client.operatorHead('0a'.repeat(32))).toEqual({
      sequence: 7,
      hash: '0a'.repeat(32),
    });
    expect(await client.submit('AAAA')).toEqual({ hash: 'AAAA' });
    expect(await client.rebuildIndex()).toEqual({ shards: 1, quarantined: 2, statements: 3 });
  });

  it('carries what is about decisions of the cluster', async () => {
    const seen: unknown[] = [];
    const keep = (name: string) => async (request?: unknown) => {
      seen.push(name, request);
      return { of: name } as never;
    };
    const client = await serve({
      stepDown: keep('stepDown'),
      submitCommand: keep('submitCommand'),
      layout: keep('layout'),
      planLayout: keep('planLayout'),
      datasets: keep('datasets'),
      demote: keep('demote'),
      policy: keep('policy'),
      resolvePlan: keep('resolvePlan'),
      readPlan: keep('readPlan'),
      plans: keep('plans'),
      plan: keep('plan'),
      planRecipients: keep('planRecipients'),
      keepFacts: keep('keepFacts'),
      prepareDecree: keep('prepareDecree'),
      announceDecree: keep('announceDecree'),
      decree: keep('decree'),
    });
    const draft = {
      target: { site: 'lon' },
      datasets: ['web', { name: 'mail', snapshot: 'abcd' }],
      steps: [{ id: 'x', kind: 'hook', argv: ['/x'], anything: { at: ['all'] } }],
    };
    const calls: [string, () => Promise<unknown>, unknown?][] = [
      ['stepDown', () => client.stepDown({ to: 'ber' }), { to: 'ber' }],
      ['submitCommand', () => client.submitCommand({ envelope: 'AAAA' }), { envelope: 'AAAA' }],
      ['layout', () => client.layout()],
      ['planLayout', () => client.planLayout({ pin: ['a'] }), { pin: ['a'] }],
      ['planLayout', () => client.planLayout({}), {}],
      ['datasets', () => client.datasets()],
      ['demote', () => client.demote({ dataset: 'ü/b' }), { dataset: 'ü/b' }],
      ['policy', () => client.policy()],
      ['resolvePlan', () => client.resolvePlan({ draft }), { draft }],
      ['readPlan', () => client.readPlan({ text: '{' }), { text: '{' }],
      ['plans', () => client.plans()],
      ['plan', () => client.plan('a/b ü'), 'a/b ü'],
      ['planRecipients', () => client.planRecipients({ plan: 'x', run: 2 }), { plan: 'x', run: 2 }],
      [
        'prepareDecree',
        () => client.prepareDecree({ voters: ['a'], reason: 'r' }),
        { voters: ['a'], reason: 'r' },
      ],
      ['announceDecree', () => client.announceDecree({ envelope: 'AAAA' }), { envelope: 'AAAA' }],
      ['decree', () => client.decree()],
    ];
    for (const [name, call, request] of calls) {
      expect(await call()).toEqual({ of: name });
      expect(seen.splice(0)).toEqual([name, request]);
    }
    await client.keepFacts({ facts: ['AAAA'] });
    expect(seen).toEqual(['keepFacts', { facts: ['AAAA'] }]);
  });

  it('rebuilds an operating error with code, next command and details', async () => {
    const thrown = new HoldfastError('no-quorum', 'two of five', {
      next: 'holdfast status',
      details: { reached: 2, isLate: true },
    });
    const client = await serve({ status: () => Promise.reject(thrown) });
    const error = await failureOf(client.status());
    expect(error).toMatchObject({
      code: 'no-quorum',
      message: 'two of five',
      next: 'holdfast status',
      details: { reached: 2, isLate: true },
    });
    expect((await raw('GET', '/v1/status')).code).toBe(503);
  });

  it('keeps the insides of an unexpected error in the log', async () => {
    const client = await serve({ status: () => Promise.reject(new TypeError('secret inside')) });
    const error = await failureOf(client.status());
    expect(error.code).toBe('failed');
    expect(error.message).not.toContain('secret');
    expect(JSON.stringify(logged)).toContain('secret inside');
  });

  it('answers a shutdown before the agent closes the server', async () => {
    const stopped = Promise.withResolvers<void>();
    let server: AsyncDisposable | undefined;
    const api = apiWith({
      shutdown: async () => {
        await server?.[Symbol.asyncDispose]();
        stopped.resolve();
      },
    });
    server = await serveControl({ socketPath, api, log: { log: () => undefined } });
    await connectControl(socketPath).shutdown();
    await stopped.promise;
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('requests that no client of this version sends', () => {
  it.each([
    ['an unknown key', '/v1/check', '{"readData":true,"sudo":1}', 'sudo'],
    ['a wrong type', '/v1/check', '{"readData":"yes"}', 'readData'],
    ['a missing key', '/v1/backup', '{}', 'tags'],
    ['a path that is no base64', '/v1/backup', '{"paths":["/x"]}', 'paths.0'],
    ['no JSON', '/v1/check', '{', 'JSON'],
    ['a voter without a name', '/v1/layout/plan', '{"pin":[""]}', 'pin.0'],
    ['no voter', '/v1/layout/plan', '{"pin":[]}', 'pin'],
    ['a draft without a target', '/v1/plans/resolve', '{"draft":{"datasets":["a"]}}', 'target'],
    [
      'a draft with an unknown check',
      '/v1/plans/resolve',
      '{"draft":{"target":{"site":"a"},"datasets":["a"],"checks":[{"kind":"hope"}]}}',
      'draft.checks.0',
    ],
    ['run 0', '/v1/plans/recipients', '{"plan":"ab","run":0}', 'run'],
    ['facts that are no base64', '/v1/facts', '{"facts":["-"]}', 'facts.0'],
    ['a decree without a reason', '/v1/decree/prepare', '{"voters":["a"],"reason":""}', 'reason'],
    ['a command that is no base64', '/v1/commands', '{"envelope":"-"}', 'envelope'],
    ['a demotion of nothing', '/v1/datasets/demote', '{}', 'dataset'],
    ['a body where none belongs', '/v1/index/rebuild', '{"x":1}', 'x'],
  ])('refuses %s and names it', async (_, path, body, named) => {
    await serve({});
    const { code, text } = await raw('POST', path, body);
    expect(code).toBe(400);
    expect(JSON.parse(text).error).toMatchObject({ code: 'usage' });
    expect(text).toContain(named);
  });

  it('refuses unknown query parameters and unknown paths', async () => {
    await serve({});
    expect((await raw('GET', '/v1/status?verbose=1')).code).toBe(400);
    expect((await raw('GET', '/v1/snapshots?host=x')).code).toBe(400);
    expect((await raw('GET', '/v2/status')).code).toBe(404);
  });
});

describe('streams', () => {
  it('carries the request and every event in order', async () => {
    let seen: BackupRequest | undefined;
    const client = await serve({
      backup: async function* (asked) {
        seen = asked;
        for (let i = 0; i < 500; i++) yield status(i);
      },
    });
    const events = await collect(client.backup(backupRequest));
    expect(seen).toEqual(backupRequest);
    expect(events).toEqual(Array.from({ length: 500 }, (_, i) => status(i)));
  });

  it('gives a failure before the first event its own status', async () => {
    const client = await serve({
      // biome-ignore lint/correctness/useYield: it fails before the first event
      backup: async function* () {
        throw new HoldfastError('not-found', 'no such dataset');
      },
    });
    expect((await failureOf(collect(client.backup(backupRequest)))).code).toBe('not-found');
    expect((await raw('POST', '/v1/backup', JSON.stringify(backupRequest))).code).toBe(404);
  });

  it('ends with an error line when it fails midway', async () => {
    const client = await serve({
      backup: async function* () {
        yield status(1);
        throw new HoldfastError('disk-full', 'no space', { next: 'free some' });
      },
    });
    const got: BackupEvent[] = [];
    const error = await failureOf(
      (async () => {
        for await (const event of client.backup(backupRequest)) got.push(event);
      })(),
    );
    expect(got).toEqual([status(1)]);
    expect(error).toMatchObject({ code: 'disk-full', next: 'free some' });
    const { code, text } = await raw('POST', '/v1/backup', JSON.stringify(backupRequest));
    expect(code).toBe(200);
    expect(JSON.parse(text.trim().split('\n').at(-1) ?? '')).toMatchObject({ type: 'error' });
  });

  it('waits for a slow reader instead of buffering', async () => {
    let produced = 0;
    const client = await serve({
      backup: async function* () {
        for (; produced < 100_000; produced++) yield status(produced);
      },
    });
    const iterator = client.backup(backupRequest)[Symbol.asyncIterator]();
    await iterator.next();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(produced).toBeLessThan(5000);
    await iterator.return?.();
  });

  it('returns the iterator at once when the client leaves amid a wait', async () => {
    const returned = Promise.withResolvers<void>();
    const waiting = Promise.withResolvers<never>();
    const events: AsyncIterator<BackupEvent> = {
      next: (() => {
        let calls = 0;
        return async () =>
          calls++ === 0 ? { done: false as const, value: status(0) } : waiting.promise;
      })(),
      return: async () => {
        returned.resolve();
        return { done: true, value: undefined };
      },
    };
    const client = await serve({ backup: () => ({ [Symbol.asyncIterator]: () => events }) });
    const iterator = client.backup(backupRequest)[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toEqual(status(0));
    const pending = iterator.next();
    await iterator.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    await returned.promise;
    waiting.reject(new Error('the test is over'));
  });

  it('tells the client that the agent went away midway', async () => {
    const client = await serve({
      backup: async function* () {
        yield status(0);
        await new Promise((resolve) => setTimeout(resolve, 20));
        for (let i = 1; ; i++) {
          yield status(i);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      },
    });
    const iterator = client.backup(backupRequest)[Symbol.asyncIterator]();
    await iterator.next();
    await closers.pop()?.[Symbol.asyncDispose]();
    const rest = collect({ [Symbol.asyncIterator]: () => iterator });
    expect((await failureOf(rest)).code).toBe('agent-unreachable');
  });
});

describe('the socket file', () => {
  it('is for its owner only, and goes with the agent', async () => {
    await serve({});
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['control.sock']);
    await closers.pop()?.[Symbol.asyncDispose]();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('replaces what a dead agent left', async () => {
    writeFileSync(socketPath, '');
    const client = await serve({});
    expect(await client.peers()).toEqual([]);
  });

  it('refuses to take the place of an agent that answers', async () => {
    const client = await serve({});
    expect((await failureOf(serve({}))).code).toBe('state-in-use');
    expect(await client.peers()).toEqual([]);
  });

  it('works where the path is too long for the kernel', async () => {
    const deep = join(directory, 'd'.repeat(120));
    mkdirSync(deep);
    writeFileSync(join(deep, 'genesis'), '');
    const path = join(deep, 'control.sock');
    const client = await serve({}, path);
    expect(await client.peers()).toEqual([]);
    expect((await failureOf(serve({}, path))).code).toBe('state-in-use');
    await closers.pop()?.[Symbol.asyncDispose]();
    expect(readdirSync(deep)).toEqual(['genesis']);
    expect((await failureOf(client.peers())).code).toBe('agent-not-running');
  });

  it('reports a missing agent with the command that starts it', async () => {
    writeFileSync(join(directory, 'genesis'), '');
    const error = await failureOf(connectControl(socketPath).status());
    expect(error).toMatchObject({
      code: 'agent-not-running',
      next: `holdfast agent -s ${directory}`,
    });
    const backup = connectControl(socketPath).backup(backupRequest);
    expect((await failureOf(collect(backup))).code).toBe('agent-not-running');
  });

  it('says that a directory belongs to no cluster, or is not there', async () => {
    for (const path of [socketPath, join(directory, 'none', 'x'.repeat(120), 'control.sock')]) {
      const error = await failureOf(connectControl(path).status());
      expect(error).toMatchObject({
        code: 'no-cluster',
        message: `${dirname(path)} belongs to no cluster yet`,
      });
    }
  });

  it('reports an agent that hangs up instead of answering', async () => {
    const server = createServer((socket) => void socket.once('data', () => socket.destroy()));
    await new Promise<void>((resolve) => void server.listen(socketPath, resolve));
    const error = await failureOf(connectControl(socketPath).status());
    expect(error.code).toBe('agent-unreachable');
    await new Promise((resolve) => void server.close(resolve));
  });
});
