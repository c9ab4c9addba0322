import type { ErrorBody } from '../../agent/control-wire.ts';

/** What the agent has refused, with the command that helps. */
export class Refused extends Error {
  readonly status: number;
  readonly next: string | undefined;

  constructor(status: number, { error }: ErrorBody) {
    super(error.message);
    this.status = status;
    this.next = error.next;
  }
}

// Relative: behind a proxy the page lies below a prefix that nobody has told it.
function addressOf(path: string): string {
  return new URL(path, document.baseURI).href;
}

/** One exchange with the agent's API. @throws Refused */
export async function call<T>(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: object,
): Promise<T> {
  return (await (await exchange(method, path, body)).json()) as T;
}

/** A text that the agent serves. @throws Refused */
export async function text(path: string): Promise<string> {
  return (await exchange('GET', path)).text();
}

async function exchange(method: string, path: string, body?: object): Promise<Response> {
  const response = await fetch(addressOf(path), {
    method,
    credentials: 'same-origin',
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    }),
  });
  if (response.ok) return response;
  const text = await response.text();
  throw new Refused(response.status, errorIn(text, response.status));
}

function errorIn(text: string, status: number): ErrorBody {
  try {
    const body = JSON.parse(text) as ErrorBody;
    if (typeof body.error.message === 'string') return body;
  } catch {
    // A proxy's page, for example.
  }
  return { error: { code: 'failed', message: `the answer was ${status}, without words` } };
}

/** The lines of a stream, as they come. @throws Refused, also for the last line of one that broke */
export async function* lines<T extends { type: string }>(
  path: string,
  body: object,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const response = await fetch(addressOf(path), {
    method: 'POST',
    credentials: 'same-origin',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    signal,
  });
  if (!response.ok || response.body === null) {
    throw new Refused(response.status, errorIn(await response.text(), response.status));
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ; ) {
    const { done, value } = await reader.read();
    const parts = (rest + (value ?? '')).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const line = JSON.parse(part) as T | ({ type: 'error' } & ErrorBody);
      if (line.type === 'error' && 'error' in line) throw new Refused(200, line);
      yield line as T;
    }
    if (done) return;
  }
}

/** Gives the link's token for a session, and takes it out of the address bar and the history. */
export async function openSession(): Promise<void> {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (token === undefined) return;
  history.replaceState(null, '', location.pathname);
  await call('POST', 'session', { token });
}

export function eventsAddress(): string {
  return addressOf('v1/events');
}

/** Saves what the agent answers as a file of this name. @throws Refused */
export async function download(path: string, body: object, name: string): Promise<undefined> {
  const blob = await (await exchange('POST', path, body)).blob();
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has begun to copy it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return undefined;
}
