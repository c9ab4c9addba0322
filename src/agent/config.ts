import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parsePrice } from '../core/policy/cold-estimate.ts';
import { compressionModes } from '../core/policy/compression.ts';
import { hoursOf } from '../core/policy/load-window.ts';
import { durationOf } from '../core/policy/policy-quantity.ts';
import { nearestWord } from '../base/nearest-word.ts';
import { parseSize } from '../base/quantity.ts';
import { GiB, KiB, MiB } from '../base/units.ts';
import { HoldfastError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { absolutePath, argv } from './config-terms.ts';
import { hooksSchema, stageSchema } from './hook-config.ts';
import { alertsSchema, webUrl } from './alert-config.ts';
import { parseStoreAddress } from './store-address.ts';

// One configuration is read: compiling code for it takes longer.
z.config({ jitless: true });

/** Explains a section to its reader; allowed in every object, and left out of what is loaded. */
const commentKey = '$comment';

const multiaddr = z.string().regex(/^\/[\x21-\x7e]{1,255}$/, {
  error: 'is no multiaddr such as /ip4/0.0.0.0/tcp/7420',
});

const size = z.union([z.int().nonnegative(), z.string()]).transform((value, context) => {
  const bytes = typeof value === 'number' ? value : parseSize(value);
  if (bytes !== undefined) return bytes;
  context.addIssue({ code: 'custom', message: 'is no size such as "500GiB"' });
  return z.NEVER;
});

// The greatest chunk is four averages and must fit a frame; averages are powers of two (proto/README.md).
const chunkAverages = [16, 32, 64, 128, 256].map((count) => count * KiB);
const chunkAverage = size.refine((bytes) => chunkAverages.includes(bytes), {
  error: 'is none of 16KiB, 32KiB, 64KiB, 128KiB, 256KiB',
});

const patterns = z.array(z.string().min(1).max(4096)).max(10_000).default([]);

const dataset = z.strictObject({
  paths: z.array(absolutePath).min(1).max(1000),
  exclude: patterns,
  iexclude: patterns,
  excludeCaches: z.boolean().default(false),
  excludeIfPresent: patterns,
  excludeLargerThan: size.exactOptional(),
  oneFileSystem: z.boolean().default(false),
  compression: z.enum(compressionModes).exactOptional(),
  tags: z.array(z.string().min(1).max(128)).max(64).default([]),
  chunkAverage: chunkAverage.exactOptional(),
  hooks: stageSchema.exactOptional(),
});

const datasetName = z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,127}$/u, {
  error: 'is no dataset name: letters, digits, . _ - only',
});

// Nothing there is encrypted: whoever is elsewhere comes through a proxy that does.
const loopback = z.string().regex(/^(?:127(?:\.\d{1,3}){3}|\[::1\]):\d{1,5}$/, {
  error:
    'is no loopback address with a port such as "127.0.0.1:7421"; for others use a reverse proxy',
});

const coldStore = z.string().refine((text) => parseStoreAddress(text) !== undefined, {
  error: 'is neither "s3://BUCKET/PREFIX" nor an absolute path',
});

const delay = z.string().refine((text) => durationOf(text) !== undefined, {
  error: 'is no duration such as "200s" or "5m"',
});

const price = z.string().refine((text) => parsePrice(text) !== undefined, {
  error: 'is no price such as "0.09 EUR"',
});

// Credentials are for the environment: what stands here is copied, shown and committed.
const endpoint = z.string().regex(/^https?:\/\/[^\s@/?#]+\/?$/, {
  error: 'is no address such as "https://s3.example.org", without a user or a path',
});

/** Classes that answer at once: what must first be brought back for hours cannot prove that it is there. */
const storageClasses = [
  ...(['STANDARD', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR'] as const),
  'REDUCED_REDUNDANCY',
] as const;

const cold = z.strictObject({
  store: coldStore.exactOptional(),
  endpoint: endpoint.exactOptional(),
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, { error: 'is no region such as "eu-central-1"' })
    .exactOptional(),
  pathStyle: z.boolean().exactOptional(),
  storageClass: z.enum(storageClasses).exactOptional(),
  bandwidth: size.default(32 * MiB),
  delay: delay.exactOptional(),
  pricePerGiB: price.exactOptional(),
});

const leasePrograms = z.strictObject({
  start: argv.exactOptional(),
  stop: argv,
  watchdog: absolutePath.exactOptional(),
});

const rate = size.refine((bytes) => bytes === 0 || bytes >= limits.rateMin, {
  error: 'is less than 16KiB a second; 0 is no limit',
});

const bandwidthWindow = z.strictObject({
  hours: z.string().transform((text, context) => {
    const hours = hoursOf(text);
    if (hours !== undefined) return hours;
    context.addIssue({ code: 'custom', message: 'are no hours such as "08:00-18:00"' });
    return z.NEVER;
  }),
  upload: rate.exactOptional(),
  download: rate.exactOptional(),
});

const schema = z.strictObject({
  listen: z.array(multiaddr).min(1).max(16).default(['/ip4/0.0.0.0/tcp/7420']),
  announce: z.array(multiaddr).max(16).default([]),
  relay: z
    .strictObject({ serve: z.boolean().default(false), use: z.boolean().default(false) })
    .prefault({}),
  storage: z
    .strictObject({
      reserve: size.default(10 * GiB),
      limit: size.exactOptional(),
    })
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') })
    .prefault({}),
  metrics: z.strictObject({ listen: loopback.exactOptional() }).prefault({}),
  traces: z.strictObject({ otlp: webUrl.exactOptional() }).prefault({}),
  alerts: alertsSchema.prefault({}),
  repair: z
    .strictObject({
      enabled: z.boolean().default(true),
      bandwidth: size.default(32 * MiB),
      recode: size.default(1 * GiB),
      repack: z.int().min(0).max(90).default(30),
    })
    .prefault({}),
  scrub: z.strictObject({ bandwidth: size.default(32 * MiB) }).prefault({}),
  bandwidth: z
    .strictObject({
      upload: rate.default(0),
      download: rate.default(0),
      windows: z.array(bandwidthWindow).max(32).default([]),
      busyLoad: z.number().min(0).max(1000).default(2),
    })
    .prefault({}),
  cold: cold.prefault({}),
  compression: z.strictObject({ level: z.int().min(0).max(19).default(3) }).prefault({}),
  dashboard: z
    .strictObject({
      enabled: z.boolean().default(true),
      listen: loopback.default('127.0.0.1:7421'),
      hosts: z
        .array(z.string().regex(/^[a-z0-9.[\]:-]{1,255}$/i))
        .max(16)
        .default([]),
    })
    .prefault({}),
  threads: z.int().min(1).max(256).exactOptional(),
  datasets: z.record(datasetName, dataset).default({}),
  leases: z.record(datasetName, leasePrograms).default({}),
  hooks: hooksSchema.prefault({}),
});

type Immutable<T> = T extends object ? { readonly [Key in keyof T]: Immutable<T[Key]> } : T;

export type Config = Immutable<z.output<typeof schema>>;
export type DatasetConfig = Immutable<z.output<typeof dataset>>;

/** Reads the file once and freezes the result; no path means the defaults. @throws HoldfastError config-invalid */
export function loadConfig(path: string | undefined): Config {
  if (path === undefined) return parseConfig('{}', 'the defaults');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(
      `cannot read the configuration: ${reason}`,
      `holdfast config init ${path}`,
      error,
    );
  }
  return parseConfig(text, path);
}

/** `origin` names the text in messages. @throws HoldfastError config-invalid */
export function parseConfig(text: string, origin: string): Config {
  const next = `edit it, then: holdfast config validate ${origin}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(`${origin} is not JSON: ${reason}`, next, error);
  }
  const result = schema.safeParse(withoutComments(value));
  if (result.success) return deepFreeze(result.data);
  const reasons = result.error.issues.flatMap(describe);
  throw invalid([`${origin} is not valid:`, ...reasons].join('\n  '), next);
}

function invalid(message: string, next: string, cause?: unknown): HoldfastError {
  return new HoldfastError('config-invalid', message, { next, cause });
}

function withoutComments(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutComments);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== commentKey)
      .map(([key, inner]) => [key, withoutComments(inner)]),
  );
}

function describe(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(issue.path);
    return issue.keys.map((key) => {
      const near = nearestWord(key, known);
      const hint = near === undefined ? `known: ${known.join(', ')}` : `did you mean "${near}"?`;
      return `${keyPath([...issue.path, key])}: unknown key; ${hint}`;
    });
  }
  const reasons = issue.code === 'invalid_key' ? issue.issues : [issue];
  return reasons.map((reason) => `${keyPath(issue.path)}: ${reason.message}`);
}

function keyPath(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the file';
  return path
    .map((key, at) => {
      if (typeof key === 'number') return `[${key}]`;
      return at === 0 ? String(key) : `.${String(key)}`;
    })
    .join('');
}

/** The keys that the schema knows where an unknown one was met. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const key of path) at = below(bare(at), key);
  const object = bare(at);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function below(schema: unknown, key: PropertyKey): unknown {
  if (schema instanceof z.ZodObject) return Reflect.get(schema.shape, key);
  if (schema instanceof z.ZodRecord) return schema.valueType;
  return schema instanceof z.ZodArray ? schema.element : undefined;
}

/** Without what says only that it may be left out. */
function bare(schema: unknown): unknown {
  const isLoose =
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodExactOptional;
  return isLoose ? bare(schema.unwrap()) : schema;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
