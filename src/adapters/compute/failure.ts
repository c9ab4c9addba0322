import { AssertionError } from '../../base/assert.ts';
import { type ErrorCode, type ErrorDetails, HoldfastError } from '../../core/errors.ts';

/** An error as plain data: class and fields are lost when an Error itself crosses to another thread. */
export type Failure = {
  readonly kind: 'operating' | 'assertion' | 'other';
  readonly message: string;
  readonly stack: string | undefined;
  /** Of operating errors. */
  readonly code: ErrorCode | undefined;
  readonly next: string | undefined;
  readonly details: ErrorDetails | undefined;
  readonly cause: string | undefined;
};

export function failureOf(error: unknown): Failure {
  const isOperating = error instanceof HoldfastError;
  return {
    kind: isOperating ? 'operating' : error instanceof AssertionError ? 'assertion' : 'other',
    message: textOf(error),
    stack: error instanceof Error ? error.stack : undefined,
    code: isOperating ? error.code : undefined,
    next: isOperating ? error.next : undefined,
    details: isOperating ? error.details : undefined,
    cause: isOperating && error.cause !== undefined ? textOf(error.cause) : undefined,
  };
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The error that `failureOf` described, of the same class, with the stack of the other thread. */
export function errorOf(failure: Failure): Error {
  const error = newError(failure);
  if (failure.stack !== undefined) error.stack = failure.stack;
  return error;
}

function newError({ kind, message, code, next, details, cause }: Failure): Error {
  if (kind === 'assertion') return new AssertionError(message);
  if (kind === 'other' || code === undefined) return new Error(message);
  return new HoldfastError(code, message, {
    ...(next === undefined ? {} : { next }),
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined ? {} : { cause }),
  });
}
