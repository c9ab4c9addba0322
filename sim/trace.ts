import { toHex, utf8 } from '../src/base/bytes.ts';
import { hash } from '../src/core/crypto/hash.ts';

const tailLengthMax = 200;

/** What happened, in order: its end as text, all of it as one hash. */
export class Trace {
  #hash: Uint8Array = new Uint8Array(32);
  readonly #tail: string[] = [];
  count = 0;

  note(timeMs: number, text: string): void {
    const line = `${String(timeMs).padStart(8)} ${text}`;
    this.#hash = hash('leaf', this.#hash, utf8(line));
    this.#tail.push(line);
    if (this.#tail.length > tailLengthMax) this.#tail.shift();
    this.count++;
  }

  /** The newest lines. */
  tail(count = tailLengthMax): readonly string[] {
    return this.#tail.slice(-count);
  }

  get digest(): string {
    return toHex(this.#hash.subarray(0, 8));
  }
}
