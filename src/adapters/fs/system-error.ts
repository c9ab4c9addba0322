import { type ErrorCode, HoldfastError } from '../../core/errors.ts';

/** The errno name of a failed system call ('ENOENT'), of node:fs and of ours; undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const known: Readonly<Record<string, { code: ErrorCode; reason: string; next?: string }>> = {
  ENOENT: { code: 'not-found', reason: 'it is not there' },
  ENOSPC: {
    code: 'disk-full',
    reason: 'the disk is full',
    next: 'free some space, then run it again',
  },
  EDQUOT: {
    code: 'disk-full',
    reason: 'the disk quota is used up',
    next: 'raise the quota, then run it again',
  },
  EACCES: { code: 'io-error', reason: 'permission denied', next: 'run the agent as root' },
  EPERM: { code: 'io-error', reason: 'not permitted', next: 'run the agent as root' },
  EROFS: { code: 'io-error', reason: 'the file system is read-only' },
  ENAMETOOLONG: { code: 'io-error', reason: 'the name is too long for this file system' },
  EMFILE: {
    code: 'io-error',
    reason: 'too many open files',
    next: "raise the agent's limit of open files (LimitNOFILE)",
  },
  EIO: { code: 'io-error', reason: 'the device reported an input/output error' },
};

/** Why a system call failed, for people; undefined for anything else. */
export function reasonOf(error: unknown): string | undefined {
  const errno = errnoOf(error);
  return errno === undefined ? undefined : (known[errno]?.reason ?? (error as Error).message);
}

/** A failed system call as an operating error that names the action; anything else is passed on as it is. */
export function systemError(error: unknown, action: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  const { code = 'io-error', next } = known[errno] ?? {};
  return new HoldfastError(code, `cannot ${action}: ${reasonOf(error)}`, {
    details: { errno },
    cause: error,
    ...(next === undefined ? {} : { next }),
  });
}
