import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { webhook } from '../../../../src/adapters/notify/webhook.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { Notice } from '../../../../src/ports/messenger.ts';

const notice: Notice = {
  ...{ id: 'abc-raised-1', state: 'raised', timeMs: Date.UTC(2026, 0, 2), sinceMs: 0 },
  ...{ alarm: 'site-lost', subject: 'riga', text: 'riga is lost', facts: { site: 'riga' } },
  runbook: 'docs/runbooks/site-lost.md',
  cluster: { id: 'c1', name: 'home' },
  agent: { name: 'oslo-1', site: 'oslo' },
};

type Request = { headers: IncomingMessage['headers']; method: string | undefined; body: string };

let server: Server;
let url: string;
let requests: Request[];
let answer: (response: ServerResponse) => void;

beforeEach(async () => {
  requests = [];
  answer = (response) => response.writeHead(204).end();
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      requests.push({ headers: request.headers, method: request.method, body });
      answer(response);
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=1`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function messenger(change: { secret?: Uint8Array; timeoutMs?: number; url?: string } = {}) {
  return webhook({ ...{ url, secret: undefined, timeoutMs: 5000, version: '1.2.3' }, ...change });
}

describe('a webhook', () => {
  test('gets the whole notice as JSON, signed over the time and the body', async () => {
    const secret = new TextEncoder().encode('s3cret');
    expect(await messenger({ secret }).send(notice, {})).toEqual({ outcome: 'sent' });
    const [request] = requests;
    expect(request).toMatchObject({ method: 'POST' });
    expect(JSON.parse(request?.body ?? '')).toEqual({
      ...{ version: 1, id: 'abc-raised-1', state: 'raised', alarm: 'site-lost', subject: 'riga' },
      ...{ text: 'riga is lost', facts: { site: 'riga' }, runbook: 'docs/runbooks/site-lost.md' },
      ...{ time: '2026-01-02T00:00:00.000Z', since: '1970-01-01T00:00:00.000Z' },
      ...{ cluster: { id: 'c1', name: 'home' }, host: 'oslo-1', site: 'oslo' },
    });
    const headers = request?.headers ?? {};
    expect(headers).toMatchObject({
      ...{ 'content-type': 'application/json', 'user-agent': 'holdfast/1.2.3' },
      'x-holdfast-delivery': 'abc-raised-1',
    });
    const [, time, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(
      String(headers['x-holdfast-signature']),
    ) as unknown as [string, string, string];
    expect(Math.abs(Number(time) - Date.now() / 1000)).toBeLessThan(60);
    expect(mac).toBe(createHmac('sha256', secret).update(`${time}.${request?.body}`).digest('hex'));
  });

  test('without a secret is not signed', async () => {
    await messenger().send(notice, {});
    expect(requests[0]?.headers['x-holdfast-signature']).toBeUndefined();
  });

  test.each([
    [500, 'failed'],
    [503, 'failed'],
    [429, 'failed'],
    [408, 'failed'],
    [400, 'refused'],
    [404, 'refused'],
    [302, 'refused'],
  ])('that answers %i has %s it', async (status, outcome) => {
    answer = (response) => response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end('x');
    const delivery = await messenger().send(notice, {});
    expect(delivery).toMatchObject({ outcome, reason: expect.stringContaining(String(status)) });
    expect(requests).toHaveLength(1);
  });

  test('that says nothing in time, or is not there, may be tried again', async () => {
    answer = () => {};
    const late = await messenger({ timeoutMs: 50 }).send(notice, {});
    expect(late).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('within') });
    const gone = await messenger({ url: 'http://127.0.0.1:9/' }).send(notice, {});
    expect(gone).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('reached') });
  });

  test('is left at once when the agent stops', async () => {
    answer = () => {};
    const stop = new AbortController();
    const sending = messenger().send(notice, { signal: stop.signal });
    stop.abort(new HoldfastError('interrupted', 'stopping'));
    await expect(sending).rejects.toMatchObject({ code: 'interrupted' });
  });
});
