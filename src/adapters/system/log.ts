import {
  type DestinationStream,
  destination as openDestination,
  pino,
  stdTimeFunctions,
} from 'pino';
import { toHex } from '../../base/bytes.ts';
import { MiB } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Log, LogLevel } from '../../ports/runtime.ts';

export type LogOptions = {
  /** Less important lines are dropped. */
  readonly level: LogLevel;
  /** 'stderr', or the path of a file that lines are appended to. */
  readonly destination: string;
};

/** Lines kept for a destination that takes none, as a full disk; later ones are dropped. */
const waitingBytesMax = 1 * MiB;

/**
 * Opens the log: one JSON object a line. Written synchronously, so that the lines before a crash are there.
 * @throws HoldfastError io-error when the file cannot be opened.
 */
export function openLog(options: LogOptions): Log & AsyncDisposable {
  const stream = openStream(options.destination);
  // The reader may go away (EPIPE) and the disk may be full: neither is a reason to stop the agent.
  stream.on('error', () => undefined);
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream as DestinationStream,
  );
  return {
    log: (level, message, context = {}) => logger[level](flat(context), message),
    [Symbol.asyncDispose]: async () => {
      if (options.destination === 'stderr') stream.flushSync();
      else stream.end();
    },
  };
}

function openStream(destination: string) {
  const bounded = { sync: true, maxLength: waitingBytesMax };
  if (destination === 'stderr') return openDestination({ ...bounded, dest: 2 });
  try {
    return openDestination({ ...bounded, dest: destination, mkdir: true, mode: 0o600 });
  } catch (cause) {
    throw new HoldfastError('io-error', `cannot open the log file ${destination}`, {
      next: 'set a log file that the agent may write',
      cause,
    });
  }
}

/** Keys that the line itself has: a second one would make it ambiguous to JSON readers. */
const lineKeys: ReadonlySet<string> = new Set(['level', 'time', 'message']);

function flat(context: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(context)) {
    out[lineKeys.has(key) ? `${key}_` : key] = plainValue(value);
  }
  return out;
}

/** Causes named in one line; longer chains say nothing more. */
const causesMax = 5;

function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof Error) return describe(value, causesMax);
  return value;
}

function describe(error: Error, causesLeft: number): string {
  const code = 'code' in error && typeof error.code === 'string' ? `[${error.code}] ` : '';
  const text = `${code}${error.message}`;
  if (!(error.cause instanceof Error) || causesLeft === 0) return text;
  return `${text}: ${describe(error.cause, causesLeft - 1)}`;
}
