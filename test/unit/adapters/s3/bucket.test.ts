import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openBucket } from '../../../../src/adapters/s3/bucket.ts';
import type { ObjectStore } from '../../../../src/ports/object-store.ts';

type Answer = { readonly status?: number; readonly body?: string };

let store: ObjectStore;
let stack: AsyncDisposableStack;
let asked: string[];
/** What the bucket answers to one request. */
let answer: (method: string, url: URL) => Answer | undefined;

const settings: Record<string, string> = {
  versioning: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>',
  'object-lock':
    '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>',
};

function answerTo({ method = '', url = '' }: IncomingMessage): Answer {
  const at = new URL(url, 'http://localhost');
  const given = answer(method, at);
  if (given !== undefined) return given;
  const setting = Object.keys(settings).find((name) => at.searchParams.has(name));
  return setting === undefined ? { status: 204 } : { body: settings[setting] as string };
}

beforeEach(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'TESTKEY');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'TESTSECRET');
  asked = [];
  answer = () => undefined;
  stack = new AsyncDisposableStack();
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const { status = 200, body = '' } = answerTo(request);
    request.resume().on('end', () => response.writeHead(status).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  store = stack.use(await openBucket({ bucket: 'bucket', prefix: '', endpoint }));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await stack.disposeAsync();
});

test('a listing that is cut and cannot be gone on with is an error', async () => {
  answer = () => ({
    body: '<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>',
  });
  const keys: string[] = [];
  const listing = async (): Promise<void> => {
    for await (const { key } of store.list('')) keys.push(key);
  };
  await expect(listing()).rejects.toMatchObject({ code: 'io-error' });
  expect(keys).toEqual(['a']);
});

test('versions are removed from the oldest on: where one is locked, the newest stays', async () => {
  const version = (id: string, tag = 'Version') =>
    `<${tag}><Key>a</Key><VersionId>${id}</VersionId></${tag}>`;
  const all =
    version('third') + version('second') + version('first') + version('m', 'DeleteMarker');
  answer = (method, url) => {
    if (url.searchParams.has('versions')) {
      return { body: `<ListVersionsResult>${all}</ListVersionsResult>` };
    }
    const isLocked = method === 'DELETE' && url.searchParams.get('versionId') === 'second';
    return isLocked ? { status: 403 } : undefined;
  };
  await expect(store.remove('a')).rejects.toMatchObject({ code: 'not-permitted' });
  const removed = asked
    .filter((request) => request.startsWith('DELETE'))
    .map((request) => /versionId=(\w+)/.exec(request)?.[1]);
  expect(removed).toEqual(['first', 'second']);
});

test('a refused lock is taken for set only where one stands that is as long and as strict', async () => {
  const untilMs = Date.UTC(2030, 0, 1);
  const known = async (mode: string, years: number, wanted: 'compliance' | 'governance') => {
    const until = `${2030 + years}-01-01T00:00:00Z`;
    answer = (method, url) => {
      if (!url.searchParams.has('retention')) return undefined;
      if (method === 'PUT') return { status: 403 };
      return {
        body: `<Retention><Mode>${mode}</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`,
      };
    };
    return store.retain('a', { mode: wanted, untilMs }).then(
      () => 'set',
      (error) => error.code,
    );
  };
  expect(await known('COMPLIANCE', 1, 'compliance')).toBe('set');
  expect(await known('COMPLIANCE', 1, 'governance')).toBe('set');
  expect(await known('GOVERNANCE', 1, 'governance')).toBe('set');
  expect(await known('GOVERNANCE', 1, 'compliance')).toBe('not-permitted');
  expect(await known('COMPLIANCE', -1, 'compliance')).toBe('not-permitted');
});
