/**
 * Hands values from a running job to one reader. A value pushed as `latest` replaces an unread one of its
 * kind, so that a slow reader sees the newest progress and holds nothing up.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #values: { value: T; isLatest: boolean }[] = [];
  #wake: (() => void) | undefined;
  #state: 'open' | 'ended' | { error: unknown } = 'open';

  /** What a job hands on while it runs, and the value that it ends with, last. A failure is the reader's. */
  static of<T>(job: (channel: Channel<T>) => Promise<T>): Channel<T> {
    const channel = new Channel<T>();
    job(channel).then(
      (last) => {
        channel.push(last);
        channel.end();
      },
      (error: unknown) => channel.fail(error),
    );
    return channel;
  }

  push(value: T): void {
    this.#values.push({ value, isLatest: false });
    this.#signal();
  }

  latest(value: T): void {
    const last = this.#values.at(-1);
    if (last?.isLatest) last.value = value;
    else this.#values.push({ value, isLatest: true });
    this.#signal();
  }

  end(): void {
    if (this.#state === 'open') this.#state = 'ended';
    this.#signal();
  }

  fail(error: unknown): void {
    if (this.#state === 'open') this.#state = { error };
    this.#signal();
  }

  #signal(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      for (let next = this.#values.shift(); next !== undefined; next = this.#values.shift()) {
        yield next.value;
      }
      if (this.#state === 'ended') return;
      if (this.#state !== 'open') throw this.#state.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
