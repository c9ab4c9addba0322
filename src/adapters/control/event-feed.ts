import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { AgentApi } from '../../agent/api.ts';
import { failureOf } from './failure.ts';
import { checked, noQuery } from './requests.ts';

/** What a page is kept up to date about. */
const topics: readonly {
  readonly name: string;
  readonly read: (api: AgentApi) => Promise<unknown>;
}[] = [
  { name: 'status', read: (api) => api.status() },
  { name: 'peers', read: (api) => api.peers() },
  { name: 'coordinator', read: (api) => api.coordinator() },
  { name: 'plans', read: (api) => api.plans() },
  { name: 'restores', read: (api) => api.restoreGrants() },
  { name: 'drills', read: (api) => api.drills() },
  { name: 'proposals', read: (api) => api.proposals() },
  { name: 'suspects', read: (api) => api.tripwires() },
  { name: 'alarm', read: async (api) => newsworthy(await api.alerts()) },
  { name: 'datasets', read: (api) => api.datasets() },
  { name: 'repairs', read: (api) => api.repairs({ begin: 'nothing' }) },
];

// A person sees a second; what is asked costs a few milliseconds of the agent's thread.
const pauseMs = 1000;
/** What only grows by itself is sent again after so many rounds. */
const roundsQuiet = 10;
/** One page has one; a few people have a few. */
const listenersMax = 32;

/** A page shows what stands, and what was over lately. */
const standingMax = 200;
const overMax = 50;

type Alerts = Awaited<ReturnType<AgentApi['alerts']>>;

function newsworthy(alerts: Alerts): Alerts {
  const standing = alerts.filter(({ clearedMs }) => clearedMs === undefined);
  const over = alerts.filter(({ clearedMs }) => clearedMs !== undefined);
  return [...over.slice(-overMax), ...standing.slice(-standingMax)];
}

const growing =
  /"(?:ageMs|freeBytes|lastSeenMs|clockSkewMs|logTimeMs|saidMs|commit|applied|first|share|oldestMs)":-?[\d.]+/g;

type News = {
  readonly event: string;
  readonly text: string;
  readonly compared: string;
  sentRound: number;
};

/**
 * Server-sent events (HTML Living Standard, 9.2): what changed, as the reports of the API. One loop asks for all
 * listeners, and only while there are any.
 */
export class EventFeed implements AsyncDisposable {
  readonly #api: AgentApi;
  readonly #listeners = new Set<ServerResponse>();
  readonly #newest = new Map<string, News>();
  #loop: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  constructor(api: AgentApi) {
    this.#api = api;
  }

  addTo(app: FastifyInstance): void {
    app.get('/v1/events', (request, reply) => {
      checked(noQuery, request.query, 'the query');
      if (this.#listeners.size >= listenersMax) {
        return reply
          .code(503)
          .send({ error: { code: 'limit-exceeded', message: 'too many pages are open' } });
      }
      reply.hijack();
      this.#listen(reply.raw);
      return reply;
    });
  }

  #listen(response: ServerResponse): void {
    const headers = response.getHeaders();
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 2000\n\n');
    for (const { event, text } of this.#newest.values()) response.write(frame(event, text));
    this.#listeners.add(response);
    response.once('close', () => {
      this.#listeners.delete(response);
      this.#wake?.();
    });
    this.#wake?.();
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
    });
  }

  async #run(): Promise<void> {
    for (let round = 0; this.#listeners.size > 0; round++) {
      for (const { name, read } of topics) await this.#ask(name, read, round);
      this.#send('asked', JSON.stringify({ timeMs: Date.now() }));
      if (this.#listeners.size > 0) await this.#pause();
    }
    // Whoever comes next would else see what was true when the last one left.
    this.#newest.clear();
  }

  async #ask(
    name: string,
    read: (api: AgentApi) => Promise<unknown>,
    round: number,
  ): Promise<void> {
    let event = name;
    let text: string;
    try {
      text = JSON.stringify(await read(this.#api));
    } catch (error) {
      event = 'problem';
      text = JSON.stringify({ topic: name, ...failureOf(error).body });
    }
    const compared = `${event} ${text.replace(growing, '')}`;
    const before = this.#newest.get(name);
    const isNews = before?.compared !== compared || round - before.sentRound >= roundsQuiet;
    if (!isNews) return;
    this.#newest.set(name, { event, text, compared, sentRound: round });
    this.#send(event, text);
  }

  #send(event: string, text: string): void {
    const bytes = frame(event, text);
    for (const response of this.#listeners) {
      // Who does not read is cut off, and comes back for the newest state instead of a queue of old ones.
      if (response.writableNeedDrain) response.destroy();
      else response.write(bytes);
    }
  }

  #pause(): Promise<void> {
    return new Promise((resume) => {
      const timer = setTimeout(done, pauseMs);
      const wake = (): void => done();
      function done(): void {
        clearTimeout(timer);
        resume();
      }
      this.#wake = wake;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const response of this.#listeners) response.destroy();
    this.#listeners.clear();
    this.#wake?.();
    await this.#loop;
  }
}

/** JSON has no line breaks of its own, so one data line holds it. */
function frame(event: string, text: string): string {
  return `event: ${event}\ndata: ${text}\n\n`;
}
