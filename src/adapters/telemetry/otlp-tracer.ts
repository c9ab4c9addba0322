import { randomBytes } from 'node:crypto';
import { secondMs } from '../../base/units.ts';
import { type EndedSpan, otlpRequest, type Teller } from '../../core/format/otlp.ts';
import { agentMessages } from '../../core/log-messages/agent.ts';
import type { Clock, Log } from '../../ports/runtime.ts';
import type { Span, SpanStart, Tracer } from '../../ports/tracer.ts';

export type OtlpTracerOptions = {
  /** Of a collector, such as http://127.0.0.1:4318: /v1/traces is added. */
  readonly endpoint: string;
  readonly teller: Teller;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly log: Log;
};

/** What waits for a collector that is away is dropped beyond it: a restore never waits. */
const waitingMax = 4096;
const batchMax = 512;
const periodMs = 2 * secondMs;
const timeoutMs = 5 * secondMs;

/** Sends spans to an OpenTelemetry collector by OTLP over HTTP. Disposing sends what waits. */
export class OtlpTracer implements Tracer, AsyncDisposable {
  readonly #options: OtlpTracerOptions;
  readonly #waiting: EndedSpan[] = [];
  readonly #timer: NodeJS.Timeout;
  #sending: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(options: OtlpTracerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#flush(), periodMs);
    this.#timer.unref();
  }

  begin({ name, trace, parent, facts = {} }: SpanStart): Span {
    const { clock } = this.#options;
    const id = randomBytes(8).toString('hex');
    const startMs = clock.nowMs();
    const startedMs = clock.monotonicMs();
    return {
      id,
      end: ({ facts: more = {}, problem } = {}) => {
        if (this.#waiting.length >= waitingMax) return;
        // By the clock that never goes back: a span does not end before it has begun.
        const endMs = startMs + (clock.monotonicMs() - startedMs);
        const all = { ...facts, ...more };
        this.#waiting.push({ name, trace, id, parent, startMs, endMs, facts: all, problem });
        if (this.#waiting.length >= batchMax) this.#flush();
      },
    };
  }

  /** One request at a time. */
  #flush(): void {
    this.#sending = this.#sending.then(() => this.#send());
  }

  async #send(): Promise<void> {
    const { endpoint, teller, log } = this.#options;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchMax);
      const reason = await post(
        `${endpoint.replace(/\/$/, '')}/v1/traces`,
        otlpRequest(batch, teller),
      );
      // Once for each time that it is away.
      if (reason !== undefined && !this.#hasFailed) {
        log.log('warn', agentMessages.tracesNotSent, { endpoint, reason });
      }
      this.#hasFailed = reason !== undefined;
      if (this.#hasFailed) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#flush();
    await this.#sending;
  }
}

/** @returns why it was not taken */
async function post(url: string, body: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      ...{ method: 'POST', body, redirect: 'manual' },
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    return response.ok ? undefined : `it answered ${response.status}`;
  } catch (error) {
    const cause = (error as Error).cause;
    return cause instanceof Error ? cause.message : (error as Error).message;
  }
}
