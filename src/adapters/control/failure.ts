import type { ErrorBody } from '../../agent/control-wire.ts';
import { AssertionError } from '../../base/assert.ts';
import { type ErrorCode, HoldfastError } from '../../core/errors.ts';

const statusByCode: Partial<Record<ErrorCode, number>> = {
  usage: 400,
  'config-invalid': 400,
  ambiguous: 400,
  'bad-signature': 400,
  'bad-encoding': 400,
  'not-permitted': 403,
  'key-needed': 403,
  'wrong-key': 403,
  'not-found': 404,
  'invite-unknown': 404,
  'state-exists': 409,
  'state-in-use': 409,
  'sequence-gap': 409,
  'invite-used': 409,
  'invite-expired': 410,
  'limit-exceeded': 413,
  timeout: 504,
};

/** What a client is told: an operating error as it is, anything else without its insides. */
export function failureOf(error: unknown): { status: number; body: ErrorBody } {
  if (error instanceof HoldfastError) {
    const status = statusByCode[error.code] ?? (error.isRetryable ? 503 : 500);
    const { code, message, next, details } = error;
    return { status, body: { error: { code, message, ...(next && { next }), details } } };
  }
  const status = statusOf(error);
  if (status !== undefined && status >= 400 && status < 500 && error instanceof Error) {
    return { status, body: { error: { code: 'usage', message: error.message } } };
  }
  return {
    status: 500,
    body: { error: { code: 'failed', message: 'the agent met an unexpected error: see its log' } },
  };
}

/** True when the log must hear of it, since the client learns nothing. */
export function isUnexpected(error: unknown): boolean {
  return failureOf(error).body.error.code === 'failed' && !(error instanceof HoldfastError);
}

/** Bugs stop the agent: the client has been answered, and nothing on the way may swallow them. */
export function rethrowBug(error: unknown): void {
  if (!(error instanceof AssertionError)) return;
  setImmediate(() => {
    throw error;
  });
}

/** Of the HTTP library's own errors: a body that is too long or no JSON. */
function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}
