import type { S3Client } from '@aws-sdk/client-s3';
import { assert } from '../../base/assert.ts';
import { HoldfastError } from '../../core/errors.ts';
import { minuteMs, secondMs } from '../../base/units.ts';
import type { ObjectStore, Retention, StoreAbilities } from '../../ports/object-store.ts';
import type { Cancel } from '../../ports/runtime.ts';
import { bucketError, statusOf } from './failure.ts';

export type BucketOptions = {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  /** Of a store that is not Amazon's. */
  readonly endpoint?: string;
  readonly region?: string;
  /** The bucket's name in the path of addresses instead of their host. */
  readonly pathStyle?: boolean;
  readonly storageClass?: string;
};

type Sdk = typeof import('@aws-sdk/client-s3');

const connectTimeoutMs = 5 * secondMs;
/** No byte for this long ends an attempt. */
const idleTimeoutMs = 30 * secondMs;
/** Of one request with all its attempts: a shard on a slow line takes a while. */
const requestTimeoutMs = 5 * minuteMs;
const attemptsMax = 4;
const socketsMax = 16;

/**
 * Objects in a bucket of Amazon's S3, or of a store that speaks as it does. Who we are is found where AWS's tools look:
 * environment, profile, the host's role. The SDK is loaded here and nowhere else: it is larger than all the rest.
 */
export async function openBucket(options: BucketOptions): Promise<ObjectStore> {
  const sdk = await import('@aws-sdk/client-s3');
  const { endpoint, region, pathStyle = endpoint !== undefined } = options;
  // A store with an address of its own needs a region only to sign with.
  const place = region ?? (endpoint === undefined ? undefined : 'us-east-1');
  const client = new sdk.S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(place === undefined ? {} : { region: place }),
    forcePathStyle: pathStyle,
    maxAttempts: attemptsMax,
    requestHandler: {
      connectionTimeout: connectTimeoutMs,
      socketTimeout: idleTimeoutMs,
      httpAgent: { maxSockets: socketsMax },
      httpsAgent: { maxSockets: socketsMax },
    },
  });
  return new Bucket(sdk, client, options);
}

class Bucket implements ObjectStore {
  readonly name: string;
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #storageClass: string | undefined;
  #abilities: StoreAbilities | undefined;

  constructor(sdk: Sdk, client: S3Client, { bucket, prefix, storageClass }: BucketOptions) {
    this.#sdk = sdk;
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.#storageClass = storageClass;
    this.name = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
  }

  async abilities(options: Cancel = {}): Promise<StoreAbilities> {
    this.#abilities ??= {
      keepsVersions: await this.#keepsVersions(options),
      canLock: await this.#canLock(options),
    };
    return this.#abilities;
  }

  async #keepsVersions(options: Cancel): Promise<boolean> {
    const { GetBucketVersioningCommand } = this.#sdk;
    const command = new GetBucketVersioningCommand({ Bucket: this.#bucket });
    const answer = await this.#run('read the settings', options, (abortSignal) =>
      unlessStatus([405, 501], () => this.#client.send(command, { abortSignal })),
    );
    return answer?.Status !== undefined;
  }

  /** A store that knows no locks answers in many ways; one that does not let us look cannot be asked to lock either. */
  async #canLock(options: Cancel): Promise<boolean> {
    const { GetObjectLockConfigurationCommand } = this.#sdk;
    const command = new GetObjectLockConfigurationCommand({ Bucket: this.#bucket });
    const answer = await this.#run('read the settings', options, (abortSignal) =>
      unlessStatus([400, 403, 404, 405, 501], () => this.#client.send(command, { abortSignal })),
    );
    return answer?.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled';
  }

  async create(key: string, bytes: Uint8Array, options: Cancel = {}): Promise<boolean> {
    const { keepsVersions } = await this.abilities(options);
    return this.#run('write', options, async (abortSignal) => {
      // Some stores (Ceph 16) pass over the condition where versions are kept.
      if (keepsVersions && (await this.#head(key, abortSignal)) !== undefined) return false;
      const command = new this.#sdk.PutObjectCommand({
        ...this.#put(key, bytes),
        IfNoneMatch: '*',
      });
      try {
        await this.#client.send(command, { abortSignal });
        return true;
      } catch (error) {
        if (statusOf(error) === 412) return false;
        // Two write at once; the other one may have failed since.
        if (statusOf(error) === 409 && (await this.#head(key, abortSignal)) !== undefined)
          return false;
        throw error;
      }
    });
  }

  async replace(key: string, bytes: Uint8Array, options: Cancel = {}): Promise<void> {
    const command = new this.#sdk.PutObjectCommand(this.#put(key, bytes));
    await this.#run('write', options, (abortSignal) => this.#client.send(command, { abortSignal }));
  }

  #put(key: string, bytes: Uint8Array): ConstructorParameters<Sdk['PutObjectCommand']>[0] {
    return {
      ...this.#place(key),
      Body: bytes,
      ContentLength: bytes.length,
      ContentType: 'application/octet-stream',
      ...(this.#storageClass === undefined
        ? {}
        : { StorageClass: this.#storageClass as 'STANDARD' }),
    };
  }

  async read(
    key: string,
    { from, size }: { from: number; size: number },
    options: Cancel = {},
  ): Promise<Uint8Array | undefined> {
    assert(from >= 0 && size > 0, 'a read asks for bytes');
    const Range = `bytes=${from}-${from + size - 1}`;
    const command = new this.#sdk.GetObjectCommand({ ...this.#place(key), Range });
    return this.#run('read', options, async (abortSignal) => {
      try {
        const { Body, ContentRange } = await this.#client.send(command, { abortSignal });
        const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
        // Some stores give everything, whatever is asked for.
        return ContentRange === undefined ? bytes.subarray(from, from + size) : bytes;
      } catch (error) {
        if (isMissing(error)) return undefined;
        if (statusOf(error) === 416) return new Uint8Array();
        throw error;
      }
    });
  }

  sizeOf(key: string, options: Cancel = {}): Promise<number | undefined> {
    return this.#run('look', options, (abortSignal) => this.#head(key, abortSignal));
  }

  async #head(key: string, abortSignal: AbortSignal): Promise<number | undefined> {
    const command = new this.#sdk.HeadObjectCommand(this.#place(key));
    try {
      return (await this.#client.send(command, { abortSignal })).ContentLength ?? 0;
    } catch (error) {
      // The answer to HEAD has no body: a missing bucket looks the same, and the next request tells.
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async *list(prefix: string, options: Cancel = {}): AsyncIterable<{ key: string; size: number }> {
    let token: string | undefined;
    do {
      const command = new this.#sdk.ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: this.#prefix + prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const page = await this.#run('list', options, (abortSignal) =>
        this.#client.send(command, { abortSignal }),
      );
      for (const { Key, Size } of page.Contents ?? []) {
        if (Key !== undefined) yield { key: Key.slice(this.#prefix.length), size: Size ?? 0 };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (page.IsTruncated === true && token === undefined) throw cutListing(this.name);
    } while (token !== undefined);
  }

  async retain(key: string, { mode, untilMs }: Retention, options: Cancel = {}): Promise<void> {
    const { GetObjectRetentionCommand, PutObjectRetentionCommand } = this.#sdk;
    if (!(await this.abilities(options)).canLock) {
      throw new HoldfastError('not-permitted', `${this.name} has no object lock`, {
        next: 'make a bucket with object lock: it cannot be switched on later everywhere',
      });
    }
    // Whole seconds, rounded up: a lock that ends too early is none.
    const until = new Date(Math.ceil(untilMs / secondMs) * secondMs);
    const Mode = mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE';
    await this.#run('lock', options, async (abortSignal) => {
      const place = this.#place(key);
      try {
        const Retention = { Mode, RetainUntilDate: until } as const;
        const command = new PutObjectRetentionCommand({ ...place, Retention });
        await this.#client.send(command, { abortSignal });
      } catch (error) {
        if (statusOf(error) !== 403) throw error;
        const known = await this.#client.send(new GetObjectRetentionCommand(place), {
          abortSignal,
        });
        // Locked for longer already, by hand or by the bucket's own rule; but not by a lock that some may shorten.
        const { Mode: knownMode, RetainUntilDate } = known.Retention ?? {};
        if ((RetainUntilDate?.getTime() ?? 0) < until.getTime()) throw error;
        if (mode === 'compliance' && knownMode !== 'COMPLIANCE') throw error;
      }
    });
  }

  async remove(key: string, options: Cancel = {}): Promise<void> {
    const { DeleteObjectCommand } = this.#sdk;
    const { keepsVersions } = await this.abilities(options);
    await this.#run('delete', options, async (abortSignal) => {
      if (!keepsVersions) {
        await this.#client.send(new DeleteObjectCommand(this.#place(key)), { abortSignal });
        return;
      }
      // Deleting without a version would only hide the object, and go on costing.
      for (const VersionId of await this.#versions(key, abortSignal)) {
        const command = new DeleteObjectCommand({ ...this.#place(key), VersionId });
        await this.#client.send(command, { abortSignal });
      }
    });
  }

  /** The oldest first, and then what hides them: where one is locked, what is newer stays as it was. */
  async #versions(key: string, abortSignal: AbortSignal): Promise<string[]> {
    const versions: string[] = [];
    const markers: string[] = [];
    const { Key } = this.#place(key);
    let marker: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
    while (marker !== undefined) {
      const command: InstanceType<Sdk['ListObjectVersionsCommand']> =
        new this.#sdk.ListObjectVersionsCommand({ Bucket: this.#bucket, Prefix: Key, ...marker });
      const page = await this.#client.send(command, { abortSignal });
      for (const one of page.Versions ?? []) {
        if (one.Key === Key && one.VersionId !== undefined) versions.push(one.VersionId);
      }
      for (const one of page.DeleteMarkers ?? []) {
        if (one.Key === Key && one.VersionId !== undefined) markers.push(one.VersionId);
      }
      const { IsTruncated, NextKeyMarker, NextVersionIdMarker } = page;
      const isMore =
        IsTruncated === true && NextKeyMarker === Key && NextVersionIdMarker !== undefined;
      marker = isMore ? { KeyMarker: Key, VersionIdMarker: NextVersionIdMarker } : undefined;
    }
    return [...versions.toReversed(), ...markers];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }

  #place(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  async #run<Result>(
    action: string,
    { signal }: Cancel,
    work: (abortSignal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const timeout = AbortSignal.timeout(requestTimeoutMs);
    const abortSignal = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    try {
      return await work(abortSignal);
    } catch (error) {
      signal?.throwIfAborted();
      throw bucketError(error, action, this.name);
    }
  }
}

function cutListing(store: string): HoldfastError {
  return new HoldfastError('io-error', `cannot list in ${store}: it does not say how to go on`, {
    next: `holdfast target check ${store}`,
  });
}

function isMissing(error: unknown): boolean {
  return statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket';
}

/** @returns undefined when the store answers with one of these, except that there is no such bucket. */
async function unlessStatus<Result>(
  statuses: readonly number[],
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined || !statuses.includes(status)) throw error;
    if ((error as Error).name === 'NoSuchBucket') throw error;
    return undefined;
  }
}
