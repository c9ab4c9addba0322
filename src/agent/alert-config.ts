import { z } from 'zod';
import { parseDuration } from '../base/quantity.ts';
import { minuteMs, secondMs } from '../base/units.ts';
import { absolutePath, argv } from './config-terms.ts';

const timeout = z
  .string()
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= secondMs && ms <= 2 * minuteMs) return ms;
    context.addIssue({ code: 'custom', message: 'is no time from "1s" to "2m"' });
    return z.NEVER;
  })
  .prefault('10s');

export const webUrl = z.string().max(2048).refine(isWebUrl, {
  error: 'is no address such as "https://hooks.example.org/holdfast", without user and password',
});

function isWebUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || url.protocol === 'http:';
}

const webhookSchema = z.strictObject({
  url: webUrl,
  secretFile: absolutePath.exactOptional(),
  timeout,
});

const mailAddress = z.string().regex(/^[^\s<>,;@]{1,64}@[^\s<>,;@]{1,255}$/, {
  error: 'is no address such as "ops@example.org"',
});

const isLoopback = (server: string): boolean =>
  /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/.test(server);

const mailSchema = z
  .strictObject({
    server: z.string().regex(/^[a-z0-9.:-]{1,255}$/i, { error: 'is no host name' }),
    port: z.int().min(1).max(65_535).exactOptional(),
    security: z.enum(['tls', 'starttls', 'none']).default('starttls'),
    user: z.string().min(1).max(256).exactOptional(),
    passwordFile: absolutePath.exactOptional(),
    from: mailAddress,
    to: z.array(mailAddress).min(1).max(16),
  })
  .refine(({ security, server }) => security !== 'none' || isLoopback(server), {
    path: ['security'],
    error: '"none" is for a server on this host alone: what alarms say would go in clear',
  })
  .refine(({ user, passwordFile }) => (user === undefined) === (passwordFile === undefined), {
    path: ['passwordFile'],
    error: 'goes with user: both or neither',
  });

/** Who is told of alarms, and how. */
export const alertsSchema = z.strictObject({
  command: argv.exactOptional(),
  webhooks: z.array(webhookSchema).max(8).default([]),
  mail: mailSchema.exactOptional(),
});

/** Where nothing is said: RFC 8314 for tls, RFC 6409 for starttls, RFC 5321 for none. */
export const mailPorts = { tls: 465, starttls: 587, none: 25 } as const;
