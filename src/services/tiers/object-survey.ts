import { mapLimit } from '../../base/concurrency.ts';
import { shardFileHeadSizeMax, shardSizeOf } from '../../core/format/shard.ts';
import type { PackId } from '../../core/ids.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { emptyHolding, type ObjectHolding, unlocked, withBit } from './object-listing.ts';
import { bucketKey, keyOf, parseObject, shardOfKey, type ShardName } from './shard-object.ts';

export type ObjectSurvey = {
  readonly known: (pack: PackId) => ObjectHolding;
  /** Packs that are listed and whose ids begin with a byte. */
  readonly listed: (first: number) => AsyncIterable<{ pack: PackId }>;
  /** Runs it while nobody changes the listing. */
  readonly alone: (work: () => Promise<void>) => Promise<void>;
  readonly replace: (pack: PackId, holding: ObjectHolding) => Promise<void>;
  readonly onDamage: (name: ShardName, problem: string) => void;
};

type Found = ShardName & { readonly size: number };

const headsAtOnce = 8;

/**
 * Makes the listing agree with the objects that a store has. Objects that are listed with their size are taken as good;
 * of the others the heads are read. What is in the trash stays there: the store does not know of it.
 */
export async function surveyObjects(
  objects: Pick<ObjectStore, 'list' | 'read'>,
  survey: ObjectSurvey,
): Promise<void> {
  for (let first = 0; first < 256; first++) {
    // One part at a time: bounds the memory, and lets others change what they must in between.
    await survey.alone(() => surveyBucket(objects, survey, first));
  }
}

async function surveyBucket(
  objects: Pick<ObjectStore, 'list' | 'read'>,
  survey: ObjectSurvey,
  first: number,
): Promise<void> {
  const found = new Map<PackId, Found[]>();
  for await (const { pack } of survey.listed(first)) found.set(pack, []);
  for await (const { key, size } of objects.list(bucketKey(first))) {
    const name = shardOfKey(key);
    if (name === undefined) continue;
    found.set(name.pack, [...(found.get(name.pack) ?? []), { ...name, size }]);
  }
  await mapLimit(found, headsAtOnce, async ([pack, shards]) => {
    const known = survey.known(pack);
    let next: ObjectHolding = { ...known, held: 0, trashed: 0 };
    for (const shard of shards) next = await withShard(objects, survey, { next, known, shard });
    const isGone = next.held === 0 && next.trashed === 0;
    await survey.replace(pack, isGone ? emptyHolding : next);
  });
}

async function withShard(
  objects: Pick<ObjectStore, 'read'>,
  survey: ObjectSurvey,
  { next, known, shard }: { next: ObjectHolding; known: ObjectHolding; shard: Found },
): Promise<ObjectHolding> {
  const { index, size } = shard;
  const isListed = (((known.held | known.trashed) >>> index) & 1) === 1;
  if (isListed && size === known.objectSize) {
    const isTrash = ((known.trashed >>> index) & 1) === 1;
    return isTrash
      ? { ...next, trashed: withBit(next.trashed, index) }
      : { ...next, held: withBit(next.held, index) };
  }
  const start = await objects.read(keyOf(shard), { from: 0, size: shardFileHeadSizeMax });
  // Removed meanwhile.
  if (start === undefined) return next;
  const parsed = parseObject(start, shard);
  const problem =
    'problem' in parsed
      ? parsed.problem
      : sizeProblem(size, parsed.offset + shardSizeOf(parsed.head));
  if (problem !== undefined || 'problem' in parsed) {
    survey.onDamage(shard, problem ?? '');
    return next;
  }
  const sizes = { shardSize: shardSizeOf(parsed.head), objectSize: size };
  return { ...next, ...sizes, ...unlocked, held: withBit(next.held, index) };
}

function sizeProblem(size: number, expected: number): string | undefined {
  return size === expected ? undefined : `the object has ${size} bytes instead of ${expected}`;
}
