import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OtlpTracer } from '../../../../src/adapters/telemetry/otlp-tracer.ts';
import { agentMessages } from '../../../../src/core/log-messages/agent.ts';
import { newTraceId } from '../../../../src/core/trace-id.ts';
import { collectingLog } from '../../../support/collecting-log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

type Told = { readonly url: string; readonly type: string; readonly body: string };

/** A small collector. */
let told: Told[];
let status: number;
let server: ReturnType<typeof createServer>;
let endpoint: string;

beforeEach(async () => {
  told = [];
  status = 200;
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const type = String(request.headers['content-type']);
      told.push({ url: String(request.url), type, body: Buffer.concat(parts).toString() });
      response.writeHead(status).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const clock = new ManualClock(1_700_000_000_000);
const trace = newTraceId('oslo', { nowMs: 1, monotonicMs: 1 });
const teller = { service: 'holdfast', version: '1.0.0', facts: { 'host.name': 'oslo' } };

test('spans reach a collector as OTLP in JSON, with their parents, times, facts and problems', async () => {
  const log = collectingLog();
  {
    await using tracer = new OtlpTracer({ endpoint: `${endpoint}/`, teller, clock, log });
    const whole = tracer.begin({ name: 'read snapshot', trace });
    await clock.advance(20);
    const part = tracer.begin({
      ...{ name: 'fetch leaves', trace, parent: whole.id },
      facts: { peer: 'riga', shard: 3 },
    });
    await clock.advance(5);
    part.end({ problem: 'peer-unreachable' });
    whole.end({ facts: { bytesFetched: 2 ** 40, share: 0.5, isWhole: true } });
  }
  expect(told.map(({ url, type }) => [url, type])).toEqual([['/v1/traces', 'application/json']]);
  const { resourceSpans } = JSON.parse(told[0]?.body ?? '');
  expect(resourceSpans[0].resource.attributes).toContainEqual({
    ...{ key: 'service.name', value: { stringValue: 'holdfast' } },
  });
  const [part, whole] = resourceSpans[0].scopeSpans[0].spans;
  expect(whole).toMatchObject({
    ...{ traceId: trace, name: 'read snapshot', kind: 1 },
    startTimeUnixNano: '1700000000000000000',
    endTimeUnixNano: '1700000000025000000',
    attributes: [
      { key: 'bytesFetched', value: { intValue: '1099511627776' } },
      { key: 'share', value: { doubleValue: 0.5 } },
      { key: 'isWhole', value: { boolValue: true } },
    ],
  });
  expect(whole.spanId).toMatch(/^[0-9a-f]{16}$/);
  expect(part).toMatchObject({
    ...{ traceId: trace, parentSpanId: whole.spanId },
    startTimeUnixNano: '1700000000020000000',
    status: { code: 2, message: 'peer-unreachable' },
  });
  expect(log.lines).toEqual([]);
});

test('a collector that refuses or is away is told of once, and nobody waits for it', async () => {
  const log = collectingLog();
  status = 503;
  const tracer = new OtlpTracer({ endpoint, teller, clock, log });
  for (let i = 0; i < 2000; i++) tracer.begin({ name: 'fetch leaves', trace }).end();
  await tracer[Symbol.asyncDispose]();
  const said = log.lines.filter(({ message }) => message === agentMessages.tracesNotSent);
  expect(said).toHaveLength(1);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  const away = new OtlpTracer({ endpoint, teller, clock, log });
  for (let i = 0; i < 10_000; i++) away.begin({ name: 'fetch leaves', trace }).end();
  await away[Symbol.asyncDispose]();
  expect(log.lines.filter(({ message }) => message === agentMessages.tracesNotSent)).toHaveLength(
    2,
  );
});
