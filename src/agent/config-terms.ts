import { z } from 'zod';

/** A program and its arguments; no shell reads them. */
export const argv = z.array(z.string().max(4096)).min(1).max(64);

export const absolutePath = z.string().startsWith('/', { error: 'is no absolute path' });
