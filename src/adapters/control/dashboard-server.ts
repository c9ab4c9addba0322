import type { AddressInfo } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AgentApi } from '../../agent/api.ts';
import type { KitApi } from '../../agent/kit-types.ts';
import { HoldfastError } from '../../core/errors.ts';
import { agentMessages } from '../../core/log-messages/agent.ts';
import type { Log } from '../../ports/runtime.ts';
import { addAssets } from './dashboard-assets.ts';
import { DashboardGate } from './dashboard-gate.ts';
import { DashboardSessions } from './dashboard-session.ts';
import { EventFeed } from './event-feed.ts';
import { addKit } from './kit-routes.ts';
import { checked } from './requests.ts';
import { addRunbooks } from './runbook-routes.ts';
import { controlApp } from './server.ts';

export type DashboardOptions = {
  /** An address of this host's loopback; port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Names under which a reverse proxy serves it. */
  readonly hosts: readonly string[];
  readonly token: string;
  /** AgentKey, hexadecimal. */
  readonly agent: string;
  /** Where the page's files lie. */
  readonly assets: string;
  /** Where the runbooks lie. */
  readonly runbooks: string;
  readonly api: AgentApi;
  readonly kit: KitApi;
  readonly log: Log;
};

const sessionBody = z.strictObject({ token: z.string().min(1).max(256) });

const headers = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/**
 * Serves the page, and behind a token the same API as on the socket, until disposed.
 * @throws the system's error when the address is taken.
 */
export async function serveDashboard(
  options: DashboardOptions,
): Promise<AsyncDisposable & { readonly url: string }> {
  const { log, listen } = options;
  const { app, streams } = controlApp(options);
  const feed = new EventFeed(options.api);
  const sessions = new DashboardSessions(options);
  // Known once the port is; nothing is asked before.
  let gate: DashboardGate | undefined;
  addGate(app, log, () => gate);
  addSessions(app, sessions);
  addAssets(app, options.assets);
  feed.addTo(app);
  addKit(app, options.kit, { log, streams });
  addRunbooks(app, options.runbooks);
  await app.listen({ host: listen.host, port: listen.port });
  const { port } = app.server.address() as AddressInfo;
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  const own = [host, 'localhost', '127.0.0.1', '[::1]'].map((name) => `${name}:${port}`);
  gate = new DashboardGate({ hosts: [...own, ...options.hosts], sessions });
  return {
    url: `http://${host}:${port}/`,
    [Symbol.asyncDispose]: async () => {
      await feed[Symbol.asyncDispose]();
      await app.close();
      await Promise.all(streams);
    },
  };
}

function addGate(app: FastifyInstance, log: Log, gate: () => DashboardGate | undefined): void {
  app.addHook('onRequest', (request, reply, next) => {
    // On the raw response too: streams are written past the framework.
    for (const [name, value] of Object.entries(headers)) reply.raw.setHeader(name, value);
    const { method, headers: sent, routeOptions } = request;
    const facts = { method, route: routeOptions.url, headers: sent };
    const refusal = gate()?.judge(facts, Date.now());
    if (refusal === undefined) return next();
    if (refusal.status !== 401) {
      const { message: why } = refusal;
      log.log('warn', agentMessages.dashboardRefusedRequest, { route: routeOptions.url, why });
    }
    const code = refusal.status === 401 ? 'key-needed' : 'not-permitted';
    void reply.code(refusal.status).send({ error: { code, message: refusal.message } });
  });
}

function addSessions(app: FastifyInstance, sessions: DashboardSessions): void {
  // Without a Path the browser takes the directory of the address that it sees, also behind a proxy's prefix.
  const cookie = (request: FastifyRequest, value: string, maxAge: number): string =>
    `${sessions.cookieName}=${value}; Max-Age=${maxAge}; HttpOnly; SameSite=Strict` +
    (request.headers.origin?.startsWith('https:') === true ? '; Secure' : '');
  app.post('/session', (request, reply) => {
    const { token } = checked(sessionBody, request.body, 'the body');
    if (!sessions.isToken(token)) {
      throw new HoldfastError('wrong-key', 'this link is not valid here, or not any more', {
        next: 'holdfast dashboard',
      });
    }
    const { value, maxAge } = sessions.open(Date.now());
    return reply.header('set-cookie', cookie(request, value, maxAge)).send({});
  });
  app.delete('/session', (request, reply) =>
    reply.header('set-cookie', cookie(request, '', 0)).send({}),
  );
}
