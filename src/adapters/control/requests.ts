import { z } from 'zod';
import { compressionModes } from '../../core/policy/compression.ts';
import { partsMax } from '../../core/policy/data-subset.ts';
import { repairParts } from '../../core/policy/repair-part.ts';
import { HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';

// The bounds keep one request within the body limit of the server; nobody types as much.
const text = z.string().max(4096);
const texts = z.array(text).max(10_000);
// Of a member, or the beginning of its key.
const name = z.string().min(1).max(128);
const hexKey = z.string().regex(/^[0-9a-f]{64}$/, { error: 'is no key of 64 hexadecimal digits' });

export const noQuery = z.strictObject({});
export const noBody = z.union([z.undefined(), z.null(), z.strictObject({})]);

export const snapshotsQuery = z.strictObject({
  dataset: text.exactOptional(),
  // A parameter that occurs once arrives as a text.
  tag: z.union([text.transform((one) => [one]), texts]).exactOptional(),
  text: text.exactOptional(),
  skip: z.coerce.number().int().nonnegative().exactOptional(),
  count: z.coerce.number().int().min(1).max(1000).exactOptional(),
});

export const backupBody = z.strictObject({
  paths: z.array(z.base64().max(32_768)).min(1).max(1000).exactOptional(),
  dataset: text.exactOptional(),
  tags: texts,
  exclude: texts,
  iexclude: texts,
  excludeIfPresent: texts,
  excludeCaches: z.boolean(),
  excludeLargerThan: z.int().nonnegative().exactOptional(),
  oneFileSystem: z.boolean(),
  compression: z.enum(compressionModes).exactOptional(),
  dryRun: z.boolean(),
  force: z.boolean(),
  annotations: z.record(z.string().max(64), z.string().max(256)).exactOptional(),
});

export const lossBody = z.strictObject({
  sites: z.array(z.string().min(1).max(64)).max(64),
});

const rate = z
  .int()
  .nonnegative()
  .refine((bytes) => bytes === 0 || bytes >= limits.rateMin, {
    error: 'is less than 16 KiB a second',
  });
export const bandwidthBody = z.strictObject({
  upload: rate.exactOptional(),
  download: rate.exactOptional(),
});

/** Only look, or begin as well. */
export const beginBody = z.strictObject({ isNow: z.boolean() });
export const repairsBody = z.strictObject({ begin: z.enum(repairParts) });

export const statsBody = z.strictObject({ dataset: text.exactOptional() });

const dataSubset = z.union([
  z.strictObject({ part: z.int().min(1).max(partsMax), of: z.int().min(1).max(partsMax) }),
  z.strictObject({ share: z.number().gt(0).max(1) }),
]);

export const checkBody = z.strictObject({
  readData: z.boolean(),
  subset: dataSubset.exactOptional(),
  dataset: text.exactOptional(),
});

export const validateBody = z.strictObject({
  dataset: text.exactOptional(),
  decodeShare: z.number().min(0).max(1),
});

const planDataset = z.strictObject({
  name,
  snapshot: text.min(1).exactOptional(),
  path: text.exactOptional(),
});
const probe = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('command'), argv: z.array(text).min(1).max(64) }),
  z.strictObject({ kind: z.literal('http'), url: text, expect: z.int() }),
  z.strictObject({ kind: z.literal('tcp'), address: text }),
  z.strictObject({ kind: z.literal('digest'), file: text, sha256: text }),
]);
// What steps may say is for the reader of plans to judge, who names each wrong field.
const planDraft = z.strictObject({
  name: text.exactOptional(),
  target: z.strictObject({ site: text }),
  datasets: z
    .array(z.union([name, planDataset]))
    .min(1)
    .max(64),
  dir: text.exactOptional(),
  checks: z.array(probe).max(64).exactOptional(),
  promote: z.boolean().exactOptional(),
  steps: z.array(z.record(z.string(), z.unknown())).max(256).exactOptional(),
  onFailure: z.enum(['escalate', 'roll-back']).exactOptional(),
});
export const datasetBody = z.strictObject({ dataset: text.exactOptional() });
export const resolveSnapshotsBody = z.strictObject({
  snapshots: z.array(text).max(1000),
  dataset: text.exactOptional(),
});
export const resolvePlanBody = z.strictObject({ draft: planDraft });
export const readPlanBody = z.strictObject({ text: z.string().max(1024 * 1024) });
export const planParams = z.strictObject({ plan: name });
export const recipientsBody = z.strictObject({ plan: name, run: z.int().min(1).max(0xffff_ffff) });
// A fact has at most 64 KiB (limits.factSizeMax); these many fit the body limit of the server.
export const factsBody = z.strictObject({ facts: z.array(z.base64().min(1).max(88_000)).max(32) });

export const rotateBody = z.strictObject({ dataset: name, isFresh: z.boolean() });
// Key records are facts; as many as change at once fit the body limit by parts.
export const stageBody = z.strictObject({
  records: z.array(z.base64().min(1).max(88_000)).max(32),
});
export const unstageBody = z.strictObject({ hashes: z.array(hexKey).max(1024) });
const epochName = z.strictObject({
  writer: hexKey,
  dataset: z.string().regex(/^[0-9a-f]{32}$/),
  epoch: z.int().min(1).max(4096),
});
export const holdersBody = z.strictObject({ epochs: z.array(epochName).max(1024) });

export const peerParams = z.strictObject({ peer: text.min(1) });

export const operatorParams = z.strictObject({ key: hexKey });

export const stepDownBody = z.strictObject({ to: z.string().min(1).max(64).optional() });
export const decreeBody = z.strictObject({
  voters: z.array(name).min(1).max(7),
  reason: z.string().min(1).max(256),
  noticeMs: z.int().nonnegative().exactOptional(),
});
export const demoteBody = z.strictObject({ dataset: name });
export const layoutPlanBody = z.strictObject({ pin: z.array(name).min(1).max(64).exactOptional() });
// 256 KiB of envelope (limits.envelopeSizeMax) in base64.
export const statementBody = z.strictObject({ envelope: z.base64().min(1).max(350_000) });

/** The value, checked. @throws HoldfastError usage, naming the key. */
export function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const place = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  throw new HoldfastError(
    'usage',
    `${what} of the request: ${place}${issue?.message ?? 'invalid'}`,
  );
}

export const restoreWishBody = z.strictObject({
  snapshot: text.min(1),
  dataset: text.exactOptional(),
  path: text,
  reason: z.string().min(1).max(256),
  lastsMs: z.int().positive().exactOptional(),
  host: name.exactOptional(),
});
export const grantBody = z.strictObject({ id: hexKey });
// As much as one frame, or the head of a pack.
export const readPackBody = z.strictObject({
  id: hexKey,
  pack: hexKey,
  offset: z.int().nonnegative(),
  size: z
    .int()
    .min(1)
    .max(8 * 1024 * 1024),
});
export const grantedRestoreBody = z.strictObject({
  id: hexKey,
  target: text.startsWith('/'),
  path: text.exactOptional(),
  include: texts,
  exclude: texts,
});

export const vetoBody = z.strictObject({ hash: hexKey, reason: z.string().min(1).max(256) });
export const auditBody = z.strictObject({
  from: z.int().nonnegative(),
  count: z.int().min(1).max(512),
});
