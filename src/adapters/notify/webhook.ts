import { createHmac } from 'node:crypto';
import { secondMs } from '../../base/units.ts';
import type { Delivery, Messenger, Notice } from '../../ports/messenger.ts';

export type WebhookOptions = {
  readonly url: string;
  /** Signs what is sent; undefined: nothing does. */
  readonly secret: Uint8Array | undefined;
  readonly timeoutMs: number;
  /** Of this program, for the other side's log. */
  readonly version: string;
};

/** Answers that say "not now". RFC 9110 15.5.9, 15.6; RFC 8470; RFC 6585. */
const passing: ReadonlySet<number> = new Set([408, 425, 429]);

/** Tells a server by one HTTP POST of JSON. */
export function webhook({ url, secret, timeoutMs, version }: WebhookOptions): Messenger {
  const { host } = new URL(url);
  return {
    target: host,
    send: async (notice, { signal }) => {
      const body = JSON.stringify(bodyOf(notice));
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const response = await fetch(url, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'user-agent': `holdfast/${version}`,
            'x-holdfast-delivery': notice.id,
            ...(secret === undefined ? {} : signatureOf(body, secret)),
          },
          body,
          // Followed, it would carry names of hosts to wherever a server points.
          redirect: 'manual',
          signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        });
        await response.body?.cancel();
        return judge(response.status, host);
      } catch (error) {
        signal?.throwIfAborted();
        if (timeout.aborted) {
          return failed(`${host} did not answer within ${timeoutMs / secondMs} s`);
        }
        if (!(error instanceof TypeError)) throw error;
        return failed(`${host} cannot be reached: ${reasonOf(error)}`);
      }
    },
  };
}

function judge(status: number, host: string): Delivery {
  if (status >= 200 && status < 300) return { outcome: 'sent' };
  const reason = `${host} answered ${status}`;
  if (status >= 500 || passing.has(status)) return failed(reason);
  return { outcome: 'refused', reason };
}

function failed(reason: string): Delivery {
  return { outcome: 'failed', reason };
}

/** fetch says "fetch failed"; why stands in the cause. */
function reasonOf(error: Error): string {
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return cause.message === '' ? String(Reflect.get(cause, 'code') ?? error.message) : cause.message;
}

/** Field names are part of what receivers rely on: docs/monitoring.md. */
function bodyOf(notice: Notice): object {
  const { id, state, timeMs, sinceMs, alarm, subject, text, facts, runbook, cluster, agent } =
    notice;
  return {
    version: 1,
    ...{ id, state, alarm, subject, text, facts },
    ...(runbook === undefined ? {} : { runbook }),
    time: new Date(timeMs).toISOString(),
    since: new Date(sinceMs).toISOString(),
    ...{ cluster, host: agent.name, site: agent.site },
  };
}

/** Over the time and the body, so that what was once sent cannot be sent again later by somebody else. */
function signatureOf(body: string, secret: Uint8Array): Record<string, string> {
  const time = Math.floor(Date.now() / secondMs);
  const mac = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
  return { 'x-holdfast-signature': `t=${time},v1=${mac}` };
}
