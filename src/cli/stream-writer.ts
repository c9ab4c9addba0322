import type { Writable } from 'node:stream';
import { HoldfastError } from '../core/errors.ts';

// What a stream reports whose reader has gone away, in the order in which it may be noticed.
const goneCodes: readonly string[] = [
  'EPIPE',
  'ECONNRESET',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
];

/**
 * Writes to standard output or error as fast as it is read. When the reader goes away (`| head`), writing
 * becomes a no-op; any other failure, such as a full disk, fails the command.
 */
export class StreamWriter {
  readonly #stream: Writable;
  readonly #name: string;
  #state: 'open' | 'gone' | { error: Error } = 'open';
  #wake: (() => void) | undefined;

  constructor(stream: Writable, name: string) {
    this.#stream = stream;
    this.#name = name;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#state === 'open') {
        this.#state = goneCodes.includes(error.code ?? '') ? 'gone' : { error };
      }
      this.#wake?.();
    });
  }

  /** Nobody reads any more: whoever only lists things may stop. */
  get isGone(): boolean {
    return this.#state === 'gone';
  }

  async write(data: string | Uint8Array): Promise<void> {
    this.#refuseFailed();
    if (this.#state === 'gone') return;
    if (this.#stream.write(data)) return;
    await this.#until((resolve) => this.#stream.once('drain', resolve));
  }

  /** Resolves when everything has been handed to the operating system. */
  async flush(): Promise<void> {
    this.#refuseFailed();
    if (this.#state === 'gone') return;
    await this.#until((resolve) => this.#stream.write('', () => resolve()));
  }

  async #until(start: (resolve: () => void) => void): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      start(resolve);
    });
    this.#refuseFailed();
  }

  #refuseFailed(): void {
    if (typeof this.#state === 'string') return;
    const { error } = this.#state;
    throw new HoldfastError('io-error', `cannot write to ${this.#name}: ${error.message}`, {
      next: 'make room where the output goes, then run the command again',
      cause: error,
    });
  }
}
