/**
 * Every operating error: its stable code, the exit code of the command that meets it, and whether trying
 * again can help. Bugs are assertions (base/assert.ts) and are not listed.
 */
export const errorTable = {
  failed: { exit: 1, retry: false },
  'agent-not-running': { exit: 1, retry: true },
  'agent-unreachable': { exit: 1, retry: true },
  usage: { exit: 2, retry: false },
  'config-invalid': { exit: 2, retry: false },
  partial: { exit: 3, retry: false },
  'no-cluster': { exit: 10, retry: false },
  'state-exists': { exit: 1, retry: false },
  'state-in-use': { exit: 11, retry: true },
  'wrong-key': { exit: 12, retry: false },
  'key-needed': { exit: 12, retry: false },
  shredded: { exit: 12, retry: false },
  'outdated-software': { exit: 1, retry: false },
  'no-quorum': { exit: 20, retry: true },
  'too-few-shards': { exit: 21, retry: true },
  'below-policy': { exit: 22, retry: true },
  'not-committed': { exit: 22, retry: true },
  'over-budget': { exit: 22, retry: true },
  'bad-signature': { exit: 23, retry: false },
  'bad-encoding': { exit: 23, retry: false },
  equivocation: { exit: 23, retry: false },
  rollback: { exit: 23, retry: false },
  'sequence-gap': { exit: 23, retry: true },
  'unknown-writer': { exit: 23, retry: true },
  'not-permitted': { exit: 24, retry: false },
  'approval-needed': { exit: 24, retry: false },
  'invite-expired': { exit: 24, retry: false },
  'invite-used': { exit: 24, retry: false },
  'invite-unknown': { exit: 24, retry: false },
  'drill-failed': { exit: 25, retry: false },
  'objective-missed': { exit: 25, retry: false },
  'unsafe-target': { exit: 26, retry: false },
  'in-use': { exit: 26, retry: false },
  corrupt: { exit: 23, retry: false },
  'not-found': { exit: 1, retry: false },
  ambiguous: { exit: 2, retry: false },
  'disk-full': { exit: 1, retry: true },
  'io-error': { exit: 1, retry: false },
  'peer-unreachable': { exit: 1, retry: true },
  'peer-refused': { exit: 1, retry: false },
  timeout: { exit: 1, retry: true },
  'store-unreachable': { exit: 1, retry: true },
  'pack-expired': { exit: 1, retry: true },
  'limit-exceeded': { exit: 1, retry: false },
  'hook-failed': { exit: 1, retry: false },
  interrupted: { exit: 130, retry: false },
} as const;

export type ErrorCode = keyof typeof errorTable;

export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

/** An error that a person can act on: what happened to which thing, and the next command to run. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly next: string | undefined;
  readonly details: ErrorDetails;

  constructor(
    code: ErrorCode,
    message: string,
    options: { next?: string; details?: ErrorDetails; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.next = options.next;
    this.details = options.details ?? {};
  }

  get exitCode(): number {
    return errorTable[this.code].exit;
  }

  get isRetryable(): boolean {
    return errorTable[this.code].retry;
  }
}

/** The code of an operating error, or undefined for anything else. */
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof HoldfastError ? error.code : undefined;
}

/** True when the text is one of ours, as when a peer names its failure. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorTable, text);
}
