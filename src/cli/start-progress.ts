import { parseDuration } from '../base/quantity.ts';
import { secondMs } from '../base/units.ts';
import { HoldfastError } from '../core/errors.ts';
import { Progress } from './progress.ts';
import type { CliContext } from './world.ts';

/** Progress of a command that starts now. @throws HoldfastError usage: HOLDFAST_PROGRESS_INTERVAL is no duration. */
export function startProgress({ env, nowMs, output }: CliContext): Progress {
  return new Progress(output, {
    nowMs,
    intervalMs: intervalOf(env.HOLDFAST_PROGRESS_INTERVAL),
    defaultIntervalMs: 10 * secondMs,
  });
}

/** A bare number counts seconds. */
function intervalOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const interval = /^\d+(\.\d+)?$/.test(text) ? Number(text) * secondMs : parseDuration(text);
  if (interval === undefined) {
    throw new HoldfastError(
      'usage',
      `HOLDFAST_PROGRESS_INTERVAL is no duration: ${JSON.stringify(text)}`,
      { next: 'HOLDFAST_PROGRESS_INTERVAL=10s' },
    );
  }
  return interval;
}
