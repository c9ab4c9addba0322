import { HoldfastError } from '../../core/errors.ts';

type SdkError = Error & {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly Code?: string;
};

/** The HTTP status that the store answered with; undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  return (error as Partial<SdkError> | undefined)?.$metadata?.httpStatusCode;
}

/** Busy, broken or far away: the same request may succeed later. */
const passing: ReadonlySet<number> = new Set([408, 409, 425, 429, 500, 502, 503, 504, 509]);

/** What the SDK throws, as an operating error that says what to do. Never holds a key, nor a signed address. */
export function bucketError(error: unknown, action: string, store: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { name = 'Error' } = error as Partial<Error>;
  const status = statusOf(error);
  const what = `cannot ${action} in ${store}`;
  if (name === 'NoSuchBucket') {
    return new HoldfastError('not-found', `${what}: there is no such bucket`, {
      next: 'create the bucket, or correct its name',
    });
  }
  if (name === 'CredentialsProviderError' || name === 'CredentialsError') {
    return new HoldfastError('not-permitted', `${what}: no credentials were found`, {
      next: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, where the agent runs',
    });
  }
  if (name === 'QuotaExceeded' || name === 'InsufficientCapacity' || status === 507) {
    return new HoldfastError('disk-full', `${what}: the store is full (${name})`, {
      next: 'raise the quota of the bucket',
    });
  }
  if (status === 401 || status === 403) {
    return new HoldfastError('not-permitted', `${what}: the store refuses (${status} ${name})`, {
      next: 'look at the credentials and at the policy of the bucket; what is locked cannot be deleted',
    });
  }
  if (/region is missing/i.test((error as Partial<Error>).message ?? '')) {
    return new HoldfastError('config-invalid', `${what}: no region is configured`, {
      next: 'set cold.region in the configuration, or AWS_REGION',
    });
  }
  if (status === undefined || passing.has(status)) return unreachable(error, what, status);
  return new HoldfastError('io-error', `${what}: it answered ${status} ${name}`, {
    next: 'see what the store says of this request',
    details: { status, reason: name },
  });
}

function unreachable(error: unknown, what: string, status: number | undefined): HoldfastError {
  const { code, name, message } = error as { code?: unknown; name?: string; message?: string };
  const reason = status === undefined ? String(code ?? name) : `${status} ${name ?? ''}`;
  // Programming errors have neither: they must not pass as an outage.
  if (error instanceof TypeError && code === undefined) throw error;
  return new HoldfastError('store-unreachable', `${what}: it does not answer (${reason})`, {
    next: 'look at the network and at the store; what it holds counts as there until it says otherwise',
    details: { reason: message?.slice(0, 200) ?? reason },
  });
}
