import { setMaxListeners } from 'node:events';
import { HoldfastError } from '../../core/errors.ts';

/** Node treats a longer delay as 1 ms. */
const delayMaxMs = 2 ** 31 - 1;

/**
 * A time limit joined with a caller's signal. Disposing it frees the timer and the listener: with
 * AbortSignal.timeout and AbortSignal.any both would live on for as long as the caller's signal.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#controller.abort(this.#outer?.reason);

  constructor(limit: { ms: number; what: string; signal?: AbortSignal | undefined }) {
    // libp2p adds listeners in every layer that a dial or a stream passes.
    setMaxListeners(0, this.#controller.signal);
    this.#outer = limit.signal;
    this.#timer = setTimeout(
      () => this.#controller.abort(overdue(limit)),
      Math.min(limit.ms, delayMaxMs),
    );
    if (this.#outer?.aborted) this.#onAbort();
    else this.#outer?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What ended the work: the deadline or the caller if they did, else the error itself. */
  reasonOf(error: unknown): unknown {
    return this.signal.aborted ? this.signal.reason : error;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onAbort);
  }
}

function overdue({ ms, what }: { ms: number; what: string }): HoldfastError {
  return new HoldfastError('timeout', `${what} took longer than ${ms} ms`);
}
