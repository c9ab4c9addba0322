import { HoldfastError } from '../../core/errors.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { StepTask } from './step-actions.ts';
import { failure, type StepOutcome } from './step-outcome.ts';
import type { RunName } from './work-order.ts';

export type StepRunOptions = {
  readonly name: RunName;
  readonly isUndo: boolean;
  /** At the step, or at undoing it. */
  readonly attempt: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly work: (inside: Pick<StepTask, 'signal' | 'onPercent'>) => Promise<StepOutcome>;
};

/** One attempt while it runs here. */
export class StepRun {
  readonly name: RunName;
  readonly isUndo: boolean;
  readonly attempt: number;
  /** Resolves when the outcome is kept. */
  finished: Promise<void> = Promise.resolve();
  readonly #options: StepRunOptions;
  readonly #abort = new AbortController();
  #ended: 'cancelled' | 'stopped' | undefined;
  #percent = 0;

  constructor(options: StepRunOptions) {
    this.#options = options;
    this.name = options.name;
    this.isUndo = options.isUndo;
    this.attempt = options.attempt;
  }

  get percent(): number {
    return this.#percent;
  }

  /** It fails for this reason, once it has let go. */
  cancel(why: string): void {
    this.#end('cancelled', why);
  }

  /** It ends without an outcome: the process goes. */
  stop(): void {
    this.#end('stopped', 'the agent is stopping');
  }

  #end(how: 'cancelled' | 'stopped', why: string): void {
    if (this.#ended === undefined) this.#ended = how;
    this.#abort.abort(new HoldfastError('interrupted', why));
  }

  /** Runs it. @returns undefined when it was stopped. Anything but an operating error is thrown. */
  async outcome(): Promise<StepOutcome | undefined> {
    const { clock, timeoutMs, work } = this.#options;
    const over = new AbortController();
    void clock.sleep(timeoutMs, { signal: over.signal }).then(
      () => this.cancel('it took longer than the plan allows'),
      () => {},
    );
    const onPercent = (percent: number): void => {
      this.#percent = percent;
    };
    try {
      return await work({ signal: this.#abort.signal, onPercent });
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return this.#ended === 'stopped' ? undefined : failure(error.message);
    } finally {
      over.abort(new HoldfastError('interrupted', 'it has ended'));
    }
  }
}
