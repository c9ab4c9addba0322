import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemProbes } from '../../../../src/adapters/system/probe.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { Probe } from '../../../../src/core/policy/restore-plan.ts';
import { scratchDirectory } from '../../../support/scratch-directory.ts';

const probes = systemProbes();

function ask(probe: Probe, timeoutMs = 5000): ReturnType<typeof probes.run> {
  return probes.run(probe, { timeoutMs });
}

/** A server of some kind on a port of its own. */
async function listening(
  server: Server | ReturnType<typeof createServer>,
): Promise<AsyncDisposable & { readonly port: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
    },
  };
}

test('a command is healthy when it ends with code 0, and tells what it wrote', async () => {
  expect(await ask({ kind: 'command', argv: ['sh', '-c', 'echo fine'] })).toEqual({
    isHealthy: true,
    detail: 'sh ended with code 0\nfine',
  });
  expect(await ask({ kind: 'command', argv: ['sh', '-c', 'echo no rows; exit 4'] })).toEqual({
    isHealthy: false,
    detail: 'sh ended with code 4\nno rows',
  });
  expect(await ask({ kind: 'command', argv: ['sleep', '600'] }, 300)).toEqual({
    isHealthy: false,
    detail: 'sleep was stopped: it took longer than 0.3 s',
  });
});

test('an address is healthy when it answers with the status expected', async () => {
  await using server = await listening(
    createHttpServer((request, response) => {
      response.statusCode = request.url === '/well' ? 204 : 503;
      response.end('body');
    }),
  );
  const url = `http://127.0.0.1:${server.port}`;
  expect(await ask({ kind: 'http', url: `${url}/well`, expect: 204 })).toEqual({
    isHealthy: true,
    detail: 'it answered 204',
  });
  expect(await ask({ kind: 'http', url: `${url}/sick`, expect: 200 })).toEqual({
    isHealthy: false,
    detail: 'it answered 503, expected was 200',
  });
});

test('a redirect is an answer and is not followed', async () => {
  let followed = 0;
  await using elsewhere = await listening(
    createHttpServer((_, response) => {
      followed++;
      response.end();
    }),
  );
  const location = `http://127.0.0.1:${elsewhere.port}/`;
  await using server = await listening(
    createHttpServer((_, response) => {
      response.writeHead(302, { location }).end();
    }),
  );
  const url = `http://127.0.0.1:${server.port}/`;
  const answer = await ask({ kind: 'http', url, expect: 200 });
  expect(answer.isHealthy).toBe(false);
  expect(answer.detail).toContain(`302 and leads to ${location}`);
  expect((await ask({ kind: 'http', url, expect: 302 })).isHealthy).toBe(true);
  expect(followed).toBe(0);
});

test('a server that does not answer in time, or is not there, is not healthy', async () => {
  await using silent = await listening(createHttpServer(() => {}));
  const url = `http://127.0.0.1:${silent.port}/`;
  expect(await ask({ kind: 'http', url, expect: 200 }, 200)).toEqual({
    isHealthy: false,
    detail: 'no answer within 0.2 s',
  });
  await silent[Symbol.asyncDispose]();
  const gone = await ask({ kind: 'http', url, expect: 200 });
  expect(gone).toMatchObject({ isHealthy: false });
  expect(gone.detail).toContain('ECONNREFUSED');
});

test('a port is healthy when it takes connections', async () => {
  const server = await listening(createServer());
  const address = `127.0.0.1:${server.port}`;
  expect(await ask({ kind: 'tcp', address })).toEqual({
    isHealthy: true,
    detail: `${address} accepts connections`,
  });
  await server[Symbol.asyncDispose]();
  const gone = await ask({ kind: 'tcp', address });
  expect(gone).toMatchObject({ isHealthy: false });
  expect(gone.detail).toContain('ECONNREFUSED');
  // An address of the documentation, to which no way leads; or the way is refused at once.
  expect((await ask({ kind: 'tcp', address: '[2001:db8::1]:9' }, 300)).isHealthy).toBe(false);
});

test('a file is healthy when it has the digest expected', async () => {
  await using scratch = scratchDirectory();
  const file = join(scratch.path, 'data');
  const content = Buffer.alloc(3_000_000, 'holdfast');
  writeFileSync(file, content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  expect((await ask({ kind: 'digest', file, sha256 })).isHealthy).toBe(true);
  const other = await ask({ kind: 'digest', file, sha256: '0'.repeat(64) });
  expect(other).toEqual({ isHealthy: false, detail: `${file} has the digest ${sha256}` });
  const missing = await ask({ kind: 'digest', file: `${file}2`, sha256 });
  expect(missing).toMatchObject({ isHealthy: false });
  expect(missing.detail).toContain('ENOENT');
});

test('what is no regular file has no digest, and a FIFO holds nobody up', async () => {
  await using scratch = scratchDirectory();
  const fifo = join(scratch.path, 'fifo');
  execFileSync('mkfifo', [fifo]);
  for (const file of [fifo, scratch.path]) {
    const answer = await ask({ kind: 'digest', file, sha256: '0'.repeat(64) });
    expect(answer).toEqual({ isHealthy: false, detail: `${file} is no regular file` });
  }
});

test('a cancelled probe throws the reason, whatever its kind', async () => {
  await using silent = await listening(createHttpServer(() => {}));
  const kinds: Probe[] = [
    { kind: 'http', url: `http://127.0.0.1:${silent.port}/`, expect: 200 },
    { kind: 'command', argv: ['sleep', '600'] },
  ];
  for (const probe of kinds) {
    const stop = new AbortController();
    const asked = probes.run(probe, { timeoutMs: 60_000, signal: stop.signal });
    asked.catch(() => {});
    stop.abort(new HoldfastError('interrupted', 'enough'));
    await expect(asked).rejects.toMatchObject({ code: 'interrupted' });
    const none = probes.run(probe, { timeoutMs: 60_000, signal: stop.signal });
    await expect(none).rejects.toMatchObject({ code: 'interrupted' });
  }
});
