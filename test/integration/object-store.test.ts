import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBucket } from '../../src/adapters/s3/bucket.ts';
import { systemClock, systemEntropy } from '../../src/adapters/system/runtime.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { checkStore } from '../../src/services/tiers/store-check.ts';
import { objectStoreContract } from '../contract/object-store.ts';
import { shardStoreContract } from '../contract/shard-store.ts';
import { gatewayMissing, type ObjectGateway, startGateway } from '../support/object-gateway.ts';
import { contractShards } from '../support/object-shards.ts';

const missing = gatewayMissing();
let gateway: ObjectGateway;
let prefixes = 0;

async function open(bucket: 'plain' | 'locking'): Promise<ObjectStore> {
  return openBucket({ bucket, prefix: `host-${prefixes++}`, endpoint: gateway.endpoint });
}

async function opened(bucket: 'plain' | 'locking') {
  const store = await open(bucket);
  return { store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

if (missing !== undefined) test.skip(missing, () => {});

describe.skipIf(missing !== undefined)('against a real S3 server', () => {
  beforeAll(async () => {
    gateway = await startGateway();
    Object.assign(process.env, gateway.credentials);
    const { endpoint } = gateway;
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: 'plain' }));
    const locking = { Bucket: 'locking', ObjectLockEnabledForBucket: true };
    await client.send(new CreateBucketCommand(locking));
    client.destroy();
  }, 60_000);
  afterAll(async () => gateway?.[Symbol.asyncDispose]());

  objectStoreContract('a bucket', () => opened('plain'));
  // Ceph 16 does not heed conditions where it keeps versions.
  const ceph = { isExclusive: false };
  objectStoreContract('a bucket with object lock', () => opened('locking'), ceph);

  shardStoreContract('a bucket', async () => {
    const objects = await open('plain');
    return contractShards(objects, objects);
  });

  test('a locked shard outlives whoever deletes it, and a store says what it can do', async () => {
    const objects = await open('locking');
    await using _ = objects;
    const report = await checkStore({
      ...{ objects, count: 3, size: 100_000 },
      ...{ clock: systemClock(), entropy: systemEntropy() },
    });
    expect(report.findings.filter(({ state }) => state === 'bad')).toEqual([]);
    const locked = report.findings.find(({ check }) => check.includes('locked'));
    expect(locked?.state).toBe('good');
    const left: string[] = [];
    for await (const { key } of objects.list('')) left.push(key);
    expect(left).toEqual([]);
  }, 60_000);

  test('a bucket that is not there, a wrong secret and a port where nobody listens are told apart', async () => {
    const { endpoint } = gateway;
    await using absent = await openBucket({ bucket: 'absent', prefix: '', endpoint });
    await expect(absent.abilities()).rejects.toMatchObject({ code: 'not-found' });
    await expect(absent.create('a', Uint8Array.of(1))).rejects.toMatchObject({ code: 'not-found' });
    const secret = gateway.credentials.AWS_SECRET_ACCESS_KEY;
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
    try {
      await using wrong = await open('plain');
      const refused = wrong.read('a', { from: 0, size: 1 });
      await expect(refused).rejects.toMatchObject({ code: 'not-permitted' });
      await expect(refused).rejects.not.toThrow(/wrong|TESTKEY/);
    } finally {
      process.env.AWS_SECRET_ACCESS_KEY = secret;
    }
    await using nobody = await openBucket({
      ...{ bucket: 'plain', prefix: '', endpoint: 'http://127.0.0.1:1' },
    });
    await expect(nobody.sizeOf('a')).rejects.toMatchObject({ code: 'store-unreachable' });
  });
});
