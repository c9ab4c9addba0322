import { openObjectDirectory } from '../../adapters/fs/object-directory.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { Config } from '../config.ts';
import { parseStoreAddress } from '../store-address.ts';

export type ObjectStoreOptions = Pick<
  Config['cold'],
  'endpoint' | 'pathStyle' | 'region' | 'storageClass'
>;

/** The store behind an address. What speaks to buckets is loaded only for those. @throws HoldfastError usage */
export async function openObjectStore(
  text: string,
  options: ObjectStoreOptions,
): Promise<ObjectStore> {
  const address = parseStoreAddress(text);
  if (address === undefined) {
    throw new HoldfastError('usage', `${JSON.stringify(text)} is no store`, {
      next: 'name a bucket, s3://BUCKET/PREFIX, or a directory by its absolute path',
    });
  }
  if (address.kind === 'directory') return openObjectDirectory(address.path);
  const { openBucket } = await import('../../adapters/s3/bucket.ts');
  const { bucket, prefix } = address;
  const { endpoint, pathStyle, region, storageClass } = options;
  return openBucket({
    ...{ bucket, prefix },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(pathStyle === undefined ? {} : { pathStyle }),
    ...(region === undefined ? {} : { region }),
    ...(storageClass === undefined ? {} : { storageClass }),
  });
}
