import type { Prng } from '../prng.ts';
import type { SimTree } from './tree.ts';

const filesMax = 40;
const holeSize = 16 * 1024;

/** Writes, changes, moves and deletes files. */
export class Scribe {
  readonly #tree: SimTree;
  readonly #random: Prng;
  #names = 0;
  /** Changed last. */
  #last = '';

  constructor(tree: SimTree, random: Prng) {
    this.#tree = tree;
    this.#random = random;
  }

  begin(): void {
    for (const path of ['/data/a', '/data/b', '/data/b/c']) this.#tree.makeDirectory(path);
    this.#tree.writeLink('/data/link', 'a/somewhere');
    for (let i = 0; i < 8; i++) this.#create();
  }

  step(): void {
    const files = this.#tree.paths('file');
    const roll = this.#random.below(10);
    if (files.length < 4 || (roll < 3 && files.length < filesMax)) this.#create();
    else if (roll < 6) this.#change(this.#random.pick(files));
    else if (roll === 6) this.#tree.remove(this.#random.pick(files));
    else if (roll === 7) this.#rename(this.#random.pick(files));
    else if (roll === 8) {
      this.#tree.changeMode(this.#random.pick(files), this.#random.pick([0o600, 0o644, 0o755]));
    } else if (this.#random.chance(300)) this.#newDirectory();
  }

  /** Changes the newest file once more, and no more of it than its content. */
  again(): void {
    const content = this.#tree.find(this.#last)?.content.slice();
    if (content === undefined || content.length === 0) return;
    content.set(this.#random.bytes(1), this.#random.below(content.length));
    this.#tree.write(this.#last, content);
  }

  #newPath(): string {
    const directory = this.#random.pick(this.#tree.paths('directory'));
    return `${directory}/n${this.#names++}`;
  }

  #create(): void {
    const files = this.#tree.paths('file');
    const isCopy = files.length > 0 && this.#random.chance(150);
    const original = isCopy ? this.#tree.find(this.#random.pick(files)) : undefined;
    this.#last = this.#newPath();
    this.#tree.write(this.#last, original?.content ?? this.#content());
  }

  #content(): Uint8Array {
    const roll = this.#random.below(20);
    if (roll === 0) return new Uint8Array(0);
    if (roll < 10) return this.#random.bytes(this.#random.between(1, 900));
    if (roll < 14) return new Uint8Array(this.#random.between(5000, 30_000)).fill(roll);
    return this.#random.bytes(this.#random.between(9000, roll === 19 ? 90_000 : 24_000));
  }

  #change(path: string): void {
    this.#last = path;
    const before = this.#tree.find(path)?.content ?? new Uint8Array(0);
    const roll = this.#random.below(4);
    if (roll === 0 || before.length === 0) {
      this.#tree.write(path, this.#content());
      return;
    }
    if (roll === 1) {
      this.#append(path, before);
      return;
    }
    if (roll === 2 && this.#random.chance(300)) {
      this.#tree.write(path, this.#sparse(), holeSize);
      return;
    }
    const content = before.slice();
    const at = this.#random.below(content.length);
    content.set(this.#random.bytes(Math.min(20, content.length - at)), at);
    this.#tree.write(path, content);
  }

  #append(path: string, before: Uint8Array): void {
    const more = this.#random.bytes(100);
    const content = new Uint8Array(before.length + more.length);
    content.set(before);
    content.set(more, before.length);
    this.#tree.write(path, content);
  }

  #sparse(): Uint8Array {
    const end = this.#random.bytes(500);
    const content = new Uint8Array(holeSize + end.length);
    content.set(end, holeSize);
    return content;
  }

  #rename(path: string): void {
    this.#tree.rename(path, this.#newPath());
  }

  #newDirectory(): void {
    if (this.#tree.paths('directory').length < 12) this.#tree.makeDirectory(this.#newPath());
  }
}
