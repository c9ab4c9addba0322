import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { checked } from './requests.ts';

// A name, never a path.
const pageParams = z.strictObject({ page: z.string().regex(/^[a-z-]{1,63}$/) });

/** The pages that say what to do, for the dashboard: on a bad day a person has this page, and may have nothing else. */
export function addRunbooks(app: FastifyInstance, directory: string): void {
  app.get('/v1/runbooks/:page', async (request, reply) => {
    const { page } = checked(pageParams, request.params, 'the path');
    const text = await readFile(join(directory, `${page}.md`), 'utf8').catch((cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
        throw new HoldfastError('not-found', `there is no runbook ${page}`, { cause });
      }
      const reason = (cause as Error).message;
      throw new HoldfastError('io-error', `cannot read the runbook ${page}: ${reason}`, { cause });
    });
    return reply.type('text/markdown; charset=utf-8').send(text);
  });
}
