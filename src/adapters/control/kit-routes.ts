import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { KitApi } from '../../agent/kit-types.ts';
import { drillKinds } from '../../core/policy/drill-report.ts';
import { checked } from './requests.ts';
import { type Streams, stream } from './server.ts';

const text = z.string().max(4096);
// A path that begins with a slash is never taken for an option.
const kit = text.startsWith('/', { error: 'is no absolute path of a file on this host' });
const path = text.startsWith('/');
const snapshot = z.string().regex(/^(?:latest|[0-9a-f]{4,64})$/, { error: 'is no id' });
// Neither may a dataset or a pattern be.
const word = text.min(1).regex(/^[^-]/, { error: 'begins with a dash' });

const entryBody = z.strictObject({ kit, snapshot, path });
const findBody = z.strictObject({ kit, snapshot, pattern: text.min(1) });
const diffBody = z.strictObject({ kit, from: snapshot, to: snapshot, path });
const drillBody = z.strictObject({
  scenario: z.enum(drillKinds),
  kit: kit.exactOptional(),
  dataset: word,
  path: path.exactOptional(),
  sampleBytes: z.int().min(1).exactOptional(),
  without: z.array(word).max(64).exactOptional(),
  isSandbox: z.boolean().exactOptional(),
});

/** What needs the recovery kit. On the dashboard only: at a terminal the commands do it themselves. */
export function addKit(app: FastifyInstance, api: KitApi, shared: Streams): void {
  app.post('/v1/kit/list', (request, reply) =>
    stream(api.list(checked(entryBody, request.body, 'the body')), reply, shared),
  );
  app.post('/v1/kit/find', (request, reply) =>
    stream(api.find(checked(findBody, request.body, 'the body')), reply, shared),
  );
  app.post('/v1/kit/diff', (request, reply) =>
    stream(api.diff(checked(diffBody, request.body, 'the body')), reply, shared),
  );
  app.post('/v1/kit/drill', (request, reply) =>
    stream(api.drill(checked(drillBody, request.body, 'the body')), reply, shared),
  );
  app.post('/v1/kit/dump', async (request, reply) => {
    const bytes = await api.dump(checked(entryBody, request.body, 'the body'));
    // Never what the browser may make of it: it is somebody's file.
    void reply.header('content-disposition', 'attachment').type('application/octet-stream');
    return reply.send(Readable.from(bytes));
  });
}
