import { toHex, utf8 } from '../src/base/bytes.ts';
import { hash } from '../src/core/crypto/hash.ts';

const tailLengthMax = 200;
/** Lines are hashed so many at a time: each call costs more than a line. */
const batchSize = 64;

/** What happened, in order: its end as text, all of it as one hash. */
export class Trace {
  #hash: Uint8Array = new Uint8Array(32);
  readonly #tail: string[] = [];
  #batch = '';
  count = 0;
  /** Keeps all lines, not the newest alone. */
  isWhole = false;

  note(timeMs: number, text: string): void {
    const line = `${String(timeMs).padStart(8)} ${text}`;
    this.#batch += `${line}\n`;
    this.#tail.push(line);
    if (!this.isWhole && this.#tail.length >= 2 * tailLengthMax)
      this.#tail.splice(0, tailLengthMax);
    if (++this.count % batchSize !== 0) return;
    this.#hash = this.#whole();
    this.#batch = '';
  }

  #whole(): Uint8Array {
    return hash('leaf', this.#hash, utf8(this.#batch));
  }

  /** The newest lines. */
  tail(): readonly string[] {
    return this.isWhole ? this.#tail : this.#tail.slice(-tailLengthMax);
  }

  get digest(): string {
    return toHex(this.#whole().subarray(0, 8));
  }
}
