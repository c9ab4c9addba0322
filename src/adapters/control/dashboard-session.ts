import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A week: whoever may read the token's file can always come back. */
const lifetimeMs = 7 * 24 * 3600 * 1000;

/**
 * Who may use the dashboard. The token opens a session; a session is a cookie that the token has signed, so
 * that it outlives restarts of the agent, and ends for everybody when the token is replaced.
 */
export class DashboardSessions {
  readonly #token: string;
  readonly cookieName: string;

  /** `agent`: cookies know no ports, so the agents of one host need names of their own. */
  constructor(options: { token: string; agent: string }) {
    this.#token = options.token;
    this.cookieName = `holdfast-${options.agent.slice(0, 16)}`;
  }

  isToken(text: string): boolean {
    return isSame(text, this.#token);
  }

  /** The value of the cookie, and the seconds that it holds. */
  open(nowMs: number): { value: string; maxAge: number } {
    const body = `${nowMs + lifetimeMs}.${randomBytes(16).toString('base64url')}`;
    return { value: `${body}.${this.#sign(body)}`, maxAge: lifetimeMs / 1000 };
  }

  /** True for a cookie that this token has signed and that has not run out. */
  holds(value: string, nowMs: number): boolean {
    const parts = value.split('.');
    const [endMs = '', salt = '', signature = ''] = parts;
    if (parts.length !== 3 || !/^\d{1,16}$/.test(endMs)) return false;
    return isSame(signature, this.#sign(`${endMs}.${salt}`)) && nowMs < Number(endMs);
  }

  #sign(body: string): string {
    return createHmac('sha256', this.#token)
      .update(`holdfast dashboard session\n${body}`)
      .digest('base64url');
  }
}

/** In constant time, and of any length: hashes have one. */
function isSame(one: string, other: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(one), hash(other));
}

/** The value of a cookie in the header that browsers send; undefined when it is not there. */
export function cookieIn(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at !== -1 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}
