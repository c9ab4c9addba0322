import { randomBytes } from 'node:crypto';

const pattern = /^\.holdfast-([0-9a-f]{16})-[0-9a-f]+\.partial$/;

/** Names under which a restore writes until a file is complete: not to be guessed, told apart by restore. */
export class PartialNames {
  readonly #run = randomBytes(8).toString('hex');
  #count = 0;

  next(): Buffer {
    return Buffer.from(`.holdfast-${this.#run}-${(this.#count++).toString(16)}.partial`);
  }

  /** True for what an earlier restore, which was killed, left behind. */
  isLeftover(name: Buffer): boolean {
    const match = pattern.exec(name.toString('latin1'));
    return match !== null && match[1] !== this.#run;
  }
}
