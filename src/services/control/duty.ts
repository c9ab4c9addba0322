import { codeOf } from '../../core/errors.ts';
import type { LogMessage } from '../../core/log-messages/log-message.ts';
import type { Cancel, Clock, Log, LogLevel } from '../../ports/runtime.ts';

export type Duty = {
  readonly periodMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Logged, with the code and the reason, when a round fails. */
  readonly failure: { readonly level: LogLevel; readonly message: LogMessage };
};

/** Does one round after another until the signal. What goes wrong in one is left to the next; a bug is not. */
export async function repeat(
  { periodMs, clock, log, failure }: Duty,
  round: (options: Cancel) => Promise<void>,
  { signal }: Cancel,
): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  const isOver = (): boolean => signal?.aborted === true;
  while (!isOver()) {
    try {
      await round(options);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      const reason = (error as Error).message;
      if (!isOver()) log.log(failure.level, failure.message, { code, reason });
    }
    await clock.sleep(periodMs, options).catch(() => {});
  }
}
