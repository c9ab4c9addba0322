import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { HoldfastError } from '../../core/errors.ts';
import { agentMessages } from '../../core/log-messages/agent.ts';
import type { Log } from '../../ports/runtime.ts';

export type MetricsListenerOptions = {
  /** Loopback address and port: whoever reads it learns the names of datasets and sites. */
  readonly listen: string;
  /** By path, in the format of Prometheus. */
  readonly texts: Readonly<Record<string, () => Promise<string>>>;
  readonly log: Log;
};

const requestTimeoutMs = 10_000;
const connectionsMax = 16;

/** Answers GET of these paths until disposed. @throws HoldfastError io-error */
export async function serveMetrics(
  options: MetricsListenerOptions,
): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
    void answer(options, request, response);
  });
  server.maxConnections = connectionsMax;
  const { hostname, port } = new URL(`http://${options.listen}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `cannot serve metrics at ${options.listen}: ${cause.code ?? cause.message}`;
      const next = 'free the port, or change metrics.listen';
      reject(new HoldfastError('io-error', message, { next, cause }));
    });
    server.listen(Number(port), host, resolve);
  });
  const bound = server.address();
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port;
  return {
    address: `http://${hostname}:${boundPort}/metrics`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(
  { texts, log }: MetricsListenerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const text = new Map(Object.entries(texts)).get(request.url?.split('?')[0] ?? '');
  if (text === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics\n');
    return;
  }
  try {
    const body = await text();
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(request.method === 'HEAD' ? undefined : body);
  } catch (error) {
    log.log('warn', agentMessages.metricsNotRead, { reason: String(error) });
    response.writeHead(500, { 'content-type': 'text/plain' }).end('the agent cannot say\n');
  }
}
