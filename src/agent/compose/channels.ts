import { mail } from '../../adapters/notify/mail.ts';
import { webhook } from '../../adapters/notify/webhook.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { HookRunner } from '../../ports/hook.ts';
import type { Channel, Messenger } from '../../ports/messenger.ts';
import { ProgramMessenger } from '../../services/notify/program-messenger.ts';
import { mailPorts } from '../alert-config.ts';
import type { Config } from '../config.ts';
import { version } from '../version.ts';
import { readPrivateFile } from './private-file.ts';

/** How people hear of alarms, by the configuration. @throws HoldfastError config-invalid */
export async function channelsOf(
  { command, webhooks, mail: letters }: Config['alerts'],
  hooks: HookRunner,
): Promise<Channel[]> {
  const channels: Channel[] = [];
  if (command !== undefined) {
    channels.push({ name: 'command', messenger: new ProgramMessenger(hooks, command) });
  }
  for (const [i, { url, secretFile, timeout: timeoutMs }] of webhooks.entries()) {
    const secret =
      secretFile === undefined
        ? undefined
        : await secretIn(secretFile, `webhooks[${i}].secretFile`);
    const messenger = webhook({ url, secret, timeoutMs, version });
    channels.push({ name: `webhook ${i + 1}`, messenger });
  }
  if (letters !== undefined) channels.push({ name: 'mail', messenger: await mailOf(letters) });
  return channels;
}

async function mailOf(options: NonNullable<Config['alerts']['mail']>): Promise<Messenger> {
  const { server, security, port = mailPorts[security], user, passwordFile, from, to } = options;
  const login =
    user === undefined || passwordFile === undefined
      ? undefined
      : { user, password: (await secretIn(passwordFile, 'mail.passwordFile')).toString() };
  return mail({ server, port, security, login, from, to });
}

const secretSizeMax = 4096;

/** The first line. Whoever else may read it could speak in the name of this host. */
async function secretIn(path: string, key: string): Promise<Buffer> {
  const wrong = (why: string, next: string, cause?: unknown): HoldfastError =>
    new HoldfastError('config-invalid', `alerts.${key}: ${path} ${why}`, {
      next: `${next}; then start the agent again`,
      cause,
    });
  const other = 'mend it, or name another file in "alerts" of the configuration';
  const read = await readPrivateFile(path, secretSizeMax);
  if (read.kind === 'not-private') throw wrong(read.problem, read.next);
  if (read.kind === 'too-large') throw wrong(`is larger than ${secretSizeMax} bytes`, other);
  if (read.kind === 'unreadable') throw wrong(`cannot be read: ${read.reason}`, other, read.cause);
  const bytes = Buffer.from(read.bytes);
  const end = bytes.indexOf(0x0a);
  const line = (end < 0 ? bytes : bytes.subarray(0, end)).toString().trim();
  if (line === '') throw wrong('is empty', other);
  return Buffer.from(line);
}
