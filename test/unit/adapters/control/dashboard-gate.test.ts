import { describe, expect, it } from 'vitest';
import { DashboardGate } from '../../../../src/adapters/control/dashboard-gate.ts';
import { DashboardSessions } from '../../../../src/adapters/control/dashboard-session.ts';

const token = 'a'.repeat(43);
const sessions = new DashboardSessions({ token, agent: 'ab'.repeat(32) });
const gate = new DashboardGate({ hosts: ['127.0.0.1:7421', 'backup.example'], sessions });
const nowMs = 1_000_000;
const cookie = `other=1; ${sessions.cookieName}=${sessions.open(nowMs).value}`;
const host = '127.0.0.1:7421';
const origin = 'http://127.0.0.1:7421';

function judged(
  route: string | undefined,
  headers: Record<string, string>,
  method = 'GET',
): number | undefined {
  return gate.judge({ method, route, headers: { host, ...headers } }, nowMs)?.status;
}

describe('a request to the dashboard', () => {
  it('is refused for a Host that is not its own, also for the page itself', () => {
    expect(judged('/', { host: 'evil.example' })).toBe(421);
    expect(judged('/', { host: '127.0.0.1:7422' })).toBe(421);
    expect(judged('/v1/status', { host: 'evil.example', cookie })).toBe(421);
    expect(gate.judge({ method: 'GET', route: '/', headers: {} }, nowMs)?.status).toBe(421);
  });

  it('passes under the name that a proxy has, in any case', () => {
    expect(judged('/', { host: 'Backup.Example' })).toBeUndefined();
    const proxied = { cookie, origin: 'https://backup.example' };
    expect(judged('/v1/restores/request', proxied, 'POST')).toBeUndefined();
  });

  it('is refused for a page of another origin, also with a session', () => {
    for (const other of ['https://evil.example', 'null', 'http://127.0.0.1:7422', 'file://']) {
      expect(judged('/v1/status', { cookie, origin: other })).toBe(403);
      expect(judged('/session', { origin: other }, 'POST')).toBe(403);
    }
    expect(judged('/v1/status', { cookie, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(judged('/v1/status', { cookie, 'sec-fetch-site': 'same-site' })).toBe(403);
  });

  it('loads the page without a session, and nothing else', () => {
    expect(judged('/', {})).toBeUndefined();
    expect(judged('/app.js', {})).toBeUndefined();
    expect(judged('/session', {}, 'POST')).toBeUndefined();
    for (const route of ['/v1/status', '/v1/events', undefined])
      expect(judged(route, {})).toBe(401);
  });

  it('reads with a session or the token, and changes with an Origin only', () => {
    expect(judged('/v1/status', { cookie })).toBeUndefined();
    expect(judged('/v1/status', { authorization: `Bearer ${token}` })).toBeUndefined();
    expect(judged('/v1/status', { authorization: `Bearer ${token}x` })).toBe(401);
    expect(judged('/v1/backup', { cookie }, 'POST')).toBe(403);
    expect(judged('/v1/backup', { cookie, origin }, 'POST')).toBeUndefined();
  });

  it('neither stops the agent nor touches keys', () => {
    for (const route of ['/v1/shutdown', '/v1/keys/material', '/v1/keys/stage', '/v1/facts']) {
      expect(judged(route, { authorization: `Bearer ${token}`, origin }, 'POST')).toBe(403);
    }
  });
});

describe('a session', () => {
  it('ends with its time', () => {
    const { value, maxAge } = sessions.open(nowMs);
    expect(sessions.holds(value, nowMs + maxAge * 1000 - 1)).toBe(true);
    expect(sessions.holds(value, nowMs + maxAge * 1000)).toBe(false);
  });

  it('outlives the agent, and ends when the token is replaced', () => {
    const { value } = sessions.open(nowMs);
    const again = new DashboardSessions({ token, agent: 'ab'.repeat(32) });
    const other = new DashboardSessions({ token: 'b'.repeat(43), agent: 'ab'.repeat(32) });
    expect(again.holds(value, nowMs)).toBe(true);
    expect(other.holds(value, nowMs)).toBe(false);
  });

  it('cannot be made longer, or made up', () => {
    const [endMs = '', salt = '', signature = ''] = sessions.open(nowMs).value.split('.');
    for (const forged of [
      `${Number(endMs) + 1}.${salt}.${signature}`,
      `${endMs}.${salt}x.${signature}`,
      `${endMs}.${salt}.`,
      `${endMs}.${salt}.${signature}.x`,
      '..',
      '',
    ]) {
      expect(sessions.holds(forged, nowMs)).toBe(false);
    }
  });
});
