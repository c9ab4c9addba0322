import { MiB } from '../base/units.ts';
import type { TargetProblem } from '../ports/target.ts';
import type { DirectoryNode, RestoreStep } from './restore-walk.ts';

/** A file that the target is writing, or a directory that ends after everything in it. */
export type UnderWay =
  | {
      readonly kind: 'file';
      readonly step: RestoreStep & { kind: 'entry' };
      readonly problems: Promise<readonly TargetProblem[]>;
    }
  | { readonly kind: 'leave'; readonly node: DirectoryNode };

const countMax = 1024;
const bytesMax = 32 * MiB;
/** Each keeps its descriptor. */
const directoriesMax = 128;

/** What the target has still to do, in the order of the tree. */
export class WritesUnderWay {
  readonly #items: UnderWay[] = [];
  #first = 0;
  #bytes = 0;
  #directories = 0;

  add(item: UnderWay): void {
    this.#items.push(item);
    this.#weigh(item, 1);
  }

  get isEmpty(): boolean {
    return this.#first === this.#items.length;
  }

  /** More must not be added before the first has been taken. */
  get isFull(): boolean {
    const count = this.#items.length - this.#first;
    return count > countMax || this.#bytes > bytesMax || this.#directories > directoriesMax;
  }

  /** The oldest; undefined when there is none. */
  take(): UnderWay | undefined {
    const item = this.#items[this.#first];
    if (item === undefined) return undefined;
    this.#weigh(item, -1);
    this.#first++;
    if (this.#first > countMax) {
      this.#items.splice(0, this.#first);
      this.#first = 0;
    }
    return item;
  }

  #weigh(item: UnderWay, sign: 1 | -1): void {
    if (item.kind === 'leave') this.#directories += sign;
    else this.#bytes += sign * item.step.entry.size;
  }
}
