import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveDashboard } from '../../../../src/adapters/control/dashboard-server.ts';
import type { KitApi } from '../../../../src/agent/kit-types.ts';
import type { AgentApi, PeerReport } from '../../../../src/agent/api.ts';

const token = 'a'.repeat(43);
const assets = new URL('../../../../src/dashboard', import.meta.url).pathname;
const runbooks = new URL('../../../../docs/runbooks', import.meta.url).pathname;
let server: Awaited<ReturnType<typeof serveDashboard>>;
let peers: Partial<PeerReport>[];

beforeEach(async () => {
  peers = [{ name: 'ams1' }];
  const answers: Partial<AgentApi> = {
    peers: () => Promise.resolve(peers as PeerReport[]),
    shutdown: () => Promise.reject(new Error('must not be asked')),
  };
  server = await serveDashboard({
    listen: { host: '127.0.0.1', port: 0 },
    hosts: [],
    token,
    agent: 'ab'.repeat(32),
    assets,
    runbooks,
    api: answers as AgentApi,
    kit: {} as KitApi,
    log: { log: () => undefined },
  });
});
afterEach(() => server[Symbol.asyncDispose]());

const bearer = { authorization: `Bearer ${token}` };

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(new URL(path, server.url), init);
}

async function openSession(): Promise<Response> {
  const body = JSON.stringify({ token });
  return ask('session', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
}

/** With headers that `fetch` does not let go. */
function rawStatus(path: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, server.url), { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.once('error', reject).end();
  });
}

describe('the dashboard', () => {
  it('shows its page, compressed, to whoever asks, and lets nothing else run in it', async () => {
    const page = await ask('', { headers: { 'accept-encoding': 'gzip, br' } });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-encoding')).toBe('br');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(page.headers.get('content-security-policy')).not.toContain('unsafe');
    expect(await page.text()).toContain('<script type="module" src="app.js">');
    const again = await ask('', { headers: { 'if-none-match': page.headers.get('etag') ?? '' } });
    expect(again.status).toBe(304);
  });

  it('takes no other Host, which is what DNS rebinding brings', async () => {
    expect(await rawStatus('', { host: 'evil.example' })).toBe(421);
    expect(await rawStatus('v1/peers', { host: 'evil.example', ...bearer })).toBe(421);
    expect(await rawStatus('v1/peers', { origin: 'http://evil.example', ...bearer })).toBe(403);
  });

  it('gives a session for the token, in a cookie that scripts and other sites do not get', async () => {
    const { status, headers } = await openSession();
    const cookie = headers.get('set-cookie') ?? '';
    expect(status).toBe(200);
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict$/);
    const report = await ask('v1/peers', { headers: { cookie: cookie.split(';')[0] ?? '' } });
    expect(await report.json()).toEqual([{ name: 'ams1' }]);
  });

  it('gives none for another token', async () => {
    const body = JSON.stringify({ token: 'b'.repeat(43) });
    const headers = { 'content-type': 'application/json' };
    const refused = await ask('session', { method: 'POST', body, headers });
    expect(refused.status).toBe(403);
    expect(refused.headers.get('set-cookie')).toBeNull();
  });

  it('answers nothing of the API without one, however the path is written', async () => {
    for (const path of ['v1/peers', 'v1/%70eers', 'v1/events', 'v1/nothing', 'V1/peers']) {
      expect((await ask(path)).status).toBe(401);
    }
  });

  it('does not stop the agent, however the path is written', async () => {
    for (const path of ['v1/shutdown', 'v1/%73hutdown', 'v1/keys/material']) {
      const init = { method: path.endsWith('l') ? 'GET' : 'POST', headers: bearer };
      expect((await ask(path, init)).status).toBe(403);
    }
  });

  it('serves runbooks by their names, and no other file', async () => {
    const page = await ask('v1/runbooks/site-lost', { headers: bearer });
    expect(await page.text()).toMatch(/^# A site is lost/);
    for (const name of ['nothing', '..%2Fkeys', '%2e%2e', 'site-lost.md']) {
      const { status } = await ask(`v1/runbooks/${name}`, { headers: bearer });
      expect(status, name).toBeGreaterThanOrEqual(400);
    }
  });

  it('tells of changes as server-sent events', async () => {
    const gone = new AbortController();
    const { body } = await ask('v1/events', { headers: bearer, signal: gone.signal });
    const reader = (body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
    let heard = '';
    const until = async (text: string): Promise<void> => {
      while (!heard.includes(text)) heard += (await reader.read()).value ?? '';
    };
    await until('event: peers\ndata: [{"name":"ams1"}]\n\n');
    peers = [{ name: 'fra1' }];
    await until('event: peers\ndata: [{"name":"fra1"}]\n\n');
    // What cannot be asked for is told, and stops nothing.
    expect(heard).toContain('event: problem\ndata: {"topic":"status"');
    gone.abort();
  });
});
