import { Level } from 'level';
import { HoldfastError } from '../../core/errors.ts';
import type { KeyValue, KeyValueOperation } from '../../ports/key-value.ts';

/** Entries taken from LevelDB at once: amortises the hop to its thread, bounds what a range holds. */
const rangeStep = 1000;
/** Bytes of one such step, so that large values do not defeat the bound. */
const rangeStepBytes = 1024 * 1024;

const encodings = { keyEncoding: 'view', valueEncoding: 'view' } as const;

/**
 * Opens the index in `directory`, creating it when missing. One process at a time.
 * @throws HoldfastError state-in-use | corrupt | disk-full | io-error
 */
export async function openKeyValue(directory: string): Promise<KeyValue> {
  const level = new Level<Uint8Array, Uint8Array>(directory, encodings);
  try {
    await level.open();
  } catch (error) {
    throw levelError(error, directory);
  }
  return new LevelKeyValue(level, directory);
}

class LevelKeyValue implements KeyValue {
  readonly #level: Level<Uint8Array, Uint8Array>;
  readonly #directory: string;

  constructor(level: Level<Uint8Array, Uint8Array>, directory: string) {
    this.#level = level;
    this.#directory = directory;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    try {
      return plain(this.#level.getSync(key));
    } catch (error) {
      throw levelError(error, this.#directory);
    }
  }

  async batch(
    operations: readonly KeyValueOperation[],
    options: { durable?: boolean } = {},
  ): Promise<void> {
    try {
      await this.#level.batch(
        operations.map((operation) =>
          operation.type === 'put'
            ? { type: 'put' as const, key: operation.key, value: operation.value }
            : { type: 'del' as const, key: operation.key },
        ),
        { ...encodings, sync: options.durable === true },
      );
    } catch (error) {
      throw levelError(error, this.#directory);
    }
  }

  async *range(
    from: Uint8Array,
    to: Uint8Array,
  ): AsyncIterable<{ key: Uint8Array; value: Uint8Array }> {
    const iterator = this.#level.iterator({
      gte: from,
      lt: to,
      fillCache: false,
      highWaterMarkBytes: rangeStepBytes,
    });
    try {
      for (;;) {
        const entries = await iterator.nextv(rangeStep);
        if (entries.length === 0) return;
        for (const [key, value] of entries) yield { key: plain(key), value: plain(value) };
      }
    } catch (error) {
      throw levelError(error, this.#directory);
    } finally {
      await iterator.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#level.close();
  }
}

function plain(bytes: Uint8Array): Uint8Array;
function plain(bytes: Uint8Array | undefined): Uint8Array | undefined;
/** A Buffer answers differently to slice, toString and deep equality: it must not leak into services. */
function plain(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined ? undefined : Uint8Array.from(bytes);
}

/** LevelDB opens files of its own making only, so a missing one is damage. */
const damagePattern = /^Corruption|^IO error: .*No such file|does not exist/;

/** The operating error behind LevelDB's, which abstract-level may have wrapped; anything else as it is. */
function levelError(error: unknown, directory: string): unknown {
  const { code, text, isOfSystem } = rootOf(error);
  const options = { cause: error, details: { directory } };
  if (code === 'LEVEL_LOCKED') {
    return new HoldfastError('state-in-use', `another agent uses the index ${directory}`, {
      ...options,
      next: 'stop the other agent, then start this one',
    });
  }
  if (code === 'LEVEL_CORRUPTION' || damagePattern.test(text)) {
    const message = `the index ${directory} is damaged; no backup is lost by that`;
    return new HoldfastError('corrupt', message, { ...options, next: 'holdfast repair --index' });
  }
  if (code === 'ENOSPC' || /no space left|quota exceeded/i.test(text)) {
    return new HoldfastError('disk-full', `no space left for the index ${directory}`, {
      ...options,
      next: `free space on the file system of ${directory}`,
    });
  }
  if (isOfSystem || text.startsWith('IO error')) {
    return new HoldfastError('io-error', `the index ${directory} failed: ${text}`, options);
  }
  return error;
}

function rootOf(error: unknown): { code: unknown; text: string; isOfSystem: boolean } {
  if (!(error instanceof Error)) return { code: undefined, text: '', isOfSystem: false };
  if (error.cause instanceof Error) return rootOf(error.cause);
  const code = 'code' in error ? error.code : undefined;
  return { code, text: error.message, isOfSystem: 'syscall' in error };
}
