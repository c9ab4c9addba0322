import { secondMs } from '../../base/units.ts';
import type { Delivery, Messenger, Notice } from '../../ports/messenger.ts';

export type MailOptions = {
  readonly server: string;
  readonly port: number;
  /** tls: from the first byte on; starttls: it must follow, or nothing is sent; none: in clear. */
  readonly security: 'tls' | 'starttls' | 'none';
  readonly login: { readonly user: string; readonly password: string } | undefined;
  readonly from: string;
  readonly to: readonly string[];
};

const connectMs = 10 * secondMs;
/** A server that greets slowly on purpose, against spam, takes up to half a minute. */
const answerMs = 45 * secondMs;

/** Tells people by mail (SMTP, RFC 5321), one connection a notice. */
export function mail(options: MailOptions): Messenger {
  const { server, to } = options;
  return {
    target: `${to.join(', ')} by ${server}`,
    send: async (notice, { signal }) => {
      signal?.throwIfAborted();
      // Loaded when the first mail is sent: most agents send none.
      const { createTransport } = await import('nodemailer');
      const transport = createTransport(transportOf(options));
      const stop = (): void => transport.close();
      signal?.addEventListener('abort', stop, { once: true });
      try {
        await transport.sendMail(letterOf(notice, options));
        return { outcome: 'sent' };
      } catch (error) {
        signal?.throwIfAborted();
        return judge(error, server);
      } finally {
        signal?.removeEventListener('abort', stop);
        transport.close();
      }
    },
  };
}

function transportOf({ server, port, security, login }: MailOptions) {
  return {
    ...{ host: server, port, secure: security === 'tls' },
    ...{ requireTLS: security === 'starttls', ignoreTLS: security === 'none' },
    ...(login === undefined ? {} : { auth: { user: login.user, pass: login.password } }),
    ...{ connectionTimeout: connectMs, greetingTimeout: answerMs, socketTimeout: answerMs },
    // What a text names must not be read from the disk or the network.
    ...{ disableFileAccess: true, disableUrlAccess: true },
  };
}

function letterOf(notice: Notice, { from, to }: MailOptions) {
  const { state, alarm, subject, text, runbook, cluster, agent, id, facts } = notice;
  const title = state === 'cleared' ? `over: ${alarm}` : alarm;
  const dataset = facts.dataset === undefined ? '' : ` (${facts.dataset})`;
  const lines = [
    text,
    '',
    `What:    ${alarm}, ${subject}`,
    `State:   ${state} ${new Date(notice.timeMs).toISOString()}`,
    ...(state === 'cleared' ? [`Since:   ${new Date(notice.sinceMs).toISOString()}`] : []),
    `Cluster: ${cluster.name}`,
    `Told by: ${agent.name}, site ${agent.site}`,
    ...(runbook === undefined ? [] : [`Runbook: ${runbook}`]),
    '',
    'All that stands now: holdfast alerts',
  ];
  return {
    ...{ from, to: [...to] },
    subject: line(`[holdfast ${cluster.name}] ${title}${dataset}`),
    text: lines.map(line).join('\n'),
    headers: {
      'X-Holdfast-Delivery': line(id),
      'X-Holdfast-Alarm': line(alarm),
      // So that no holiday notice answers. RFC 3834.
      'Auto-Submitted': 'auto-generated',
    },
  };
}

/** Names come from other hosts: none of them begins a line of its own. */
function line(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}

/** A server that refuses for good says 5xx; all else may be better later. RFC 5321, 4.2.1. */
function judge(error: unknown, server: string): Delivery {
  if (!(error instanceof Error) || !('code' in error)) throw error;
  const { responseCode } = error as { responseCode?: number };
  const isFinal = responseCode !== undefined && responseCode >= 500;
  // A wrong password or kind of server is mended in the configuration, and the notice still waits then.
  const isMended = error.code === 'EAUTH' || error.code === 'ETLS';
  const reason = `${server}: ${line(error.message)}`;
  return { outcome: isFinal && !isMended ? 'refused' : 'failed', reason };
}
