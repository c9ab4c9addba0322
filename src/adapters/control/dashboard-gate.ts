import type { IncomingHttpHeaders } from 'node:http';
import { cookieIn, type DashboardSessions } from './dashboard-session.ts';

/** Why a request goes no further. */
export type Refusal = { readonly status: 400 | 401 | 403 | 421; readonly message: string };

export type GateRequest = {
  readonly method: string;
  /** As it was registered; undefined: there is none. Never what was typed, which can be written in many ways. */
  readonly route: string | undefined;
  readonly headers: IncomingHttpHeaders;
};

/** What anybody may load who reaches the port: the page itself, which holds nothing. */
const open: ReadonlySet<string> = new Set(['/', '/app.js', '/style.css', '/icon.svg']);

/** Requests of the control API that are for the owner of the socket alone: they stop or unlock this host. */
const socketOnly: readonly RegExp[] = [
  /^\/v1\/shutdown$/,
  /^\/v1\/index\//,
  /^\/v1\/keys\//,
  /^\/v1\/restores\/(?:material|pack)$/,
  /^\/v1\/plans\/recipients$/,
  /^\/v1\/facts$/,
];

/**
 * Judges each request to the dashboard before anything else sees it. Host and Origin are compared with the names
 * under which it is known: a page from elsewhere whose own name was made to point here (DNS rebinding) has
 * another Host, and a page that only sends its requests here has another Origin.
 */
export class DashboardGate {
  readonly #hosts: ReadonlySet<string>;
  readonly #sessions: DashboardSessions;

  /** `hosts`: as in a Host header, with the port where it is not the scheme's own. */
  constructor(options: { hosts: readonly string[]; sessions: DashboardSessions }) {
    this.#hosts = new Set(options.hosts.map((host) => host.toLowerCase()));
    this.#sessions = options.sessions;
  }

  /** Undefined: it may go on. */
  judge(request: GateRequest, nowMs: number): Refusal | undefined {
    const { headers, route } = request;
    if (!this.#hosts.has((headers.host ?? '').toLowerCase())) {
      return {
        status: 421,
        message: `this dashboard is not known as ${JSON.stringify(headers.host ?? '')}: a reverse proxy's name belongs in dashboard.hosts of the agent's configuration`,
      };
    }
    if (headers.origin !== undefined && !this.#isOwn(headers.origin)) {
      return { status: 403, message: 'the request comes from a page of another origin' };
    }
    if (route !== undefined && open.has(route)) return undefined;
    // Only the page itself calls these; a link or a form elsewhere would name another site.
    if (!['same-origin', 'none', undefined].includes(fetchSite(headers))) {
      return { status: 403, message: 'the request comes from a page of another site' };
    }
    return route === '/session' ? undefined : this.#judgeApi(request, nowMs);
  }

  #judgeApi({ method, route, headers }: GateRequest, nowMs: number): Refusal | undefined {
    if (route !== undefined && socketOnly.some((pattern) => pattern.test(route))) {
      return { status: 403, message: `${route} is served on the agent's socket only` };
    }
    const bearer = /^Bearer (\S{1,256})$/i.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined && this.#sessions.isToken(bearer)) return undefined;
    const cookie = cookieIn(headers.cookie, this.#sessions.cookieName);
    if (cookie === undefined || !this.#sessions.holds(cookie, nowMs)) {
      return { status: 401, message: 'open the link that this command prints: holdfast dashboard' };
    }
    // A browser sends its cookies along; that the page is ours it says in Origin, for all but plain reads.
    if (method !== 'GET' && method !== 'HEAD' && headers.origin === undefined) {
      return { status: 403, message: 'a change needs an Origin, which every browser sends' };
    }
    return undefined;
  }

  #isOwn(origin: string): boolean {
    const url = URL.parse(origin);
    return (
      url !== null && /^https?:$/.test(url.protocol) && this.#hosts.has(url.host.toLowerCase())
    );
  }
}

function fetchSite(headers: IncomingHttpHeaders): string | undefined {
  const value = headers['sec-fetch-site'];
  return typeof value === 'string' ? value : undefined;
}
