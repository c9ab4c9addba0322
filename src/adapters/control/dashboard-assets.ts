import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** By address: where each lies below the folder of the dashboard. */
const assets = {
  '/': { file: 'page/index.html', type: 'text/html; charset=utf-8' },
  '/app.js': { file: 'gen/app.js', type: 'text/javascript; charset=utf-8' },
  '/style.css': { file: 'page/style.css', type: 'text/css; charset=utf-8' },
  '/icon.svg': { file: 'page/icon.svg', type: 'image/svg+xml' },
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
  for (const [address, { file, type }] of Object.entries(assets)) {
    app.get(address, (request, reply) => {
      const asset = loaded.get(address) ?? load(join(directory, file), type);
      loaded.set(address, asset);
      return send(asset, request, reply);
    });
  }
}

async function load(path: string, type: string): Promise<Asset> {
  const plain = await readFile(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
  return {
    type,
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
