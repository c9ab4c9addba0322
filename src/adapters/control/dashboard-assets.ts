import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const types = {
  'index.html': 'text/html; charset=utf-8',
  'app.js': 'text/javascript; charset=utf-8',
  'style.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;

type Asset = {
  readonly type: string;
  readonly tag: string;
  readonly bodies: { readonly br: Buffer; readonly gzip: Buffer; readonly plain: Buffer };
};

/** Everything that the page consists of, from a directory. Addresses are relative: a proxy may put a prefix before. */
export function addAssets(app: FastifyInstance, directory: string): void {
  // Read when somebody looks: most agents run for years without.
  const loaded = new Map<string, Promise<Asset>>();
  for (const name of Object.keys(types) as (keyof typeof types)[]) {
    app.get(name === 'index.html' ? '/' : `/${name}`, (request, reply) => {
      const asset = loaded.get(name) ?? load(directory, name);
      loaded.set(name, asset);
      return send(asset, request, reply);
    });
  }
}

async function load(directory: string, name: keyof typeof types): Promise<Asset> {
  const plain = await readFile(join(directory, name));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
  return {
    type: types[name],
    tag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
    bodies: {
      plain,
      gzip: await promisify(gzip)(plain),
      br: await promisify(brotliCompress)(plain, { params }),
    },
  };
}

async function send(
  loading: Promise<Asset>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Buffer | undefined> {
  const { type, tag, bodies } = await loading;
  // Asked for again at each visit, so that page and agent are always of one version.
  reply.headers({ etag: tag, 'cache-control': 'no-cache', vary: 'accept-encoding' });
  if (request.headers['if-none-match'] === tag) {
    reply.code(304);
    return undefined;
  }
  const accepted = String(request.headers['accept-encoding'] ?? '');
  const encoding = (['br', 'gzip'] as const).find((one) => accepted.includes(one));
  if (encoding !== undefined) reply.header('content-encoding', encoding);
  reply.type(type);
  return bodies[encoding ?? 'plain'];
}
