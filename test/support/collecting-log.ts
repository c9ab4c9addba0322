import type { Log, LogLevel } from '../../src/ports/runtime.ts';

export type LogLine = {
  readonly level: LogLevel;
  readonly message: string;
  readonly context: Readonly<Record<string, unknown>>;
};

/** Keeps what is logged, for a look at it. */
export function collectingLog(): Log & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  return {
    lines,
    log: (level, message, context = {}) => {
      lines.push({ level, message, context });
    },
  };
}
