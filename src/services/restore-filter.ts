import type { PathPattern } from '../core/policy/path-pattern.ts';
import { joinPath, type SnapshotPath } from './snapshot-reader.ts';

/** 'take': it and, unless excluded, what is below. 'pass': a directory that may lead to something taken. */
export type FilterVerdict = 'take' | 'pass' | 'leave';

/** Which entries a restore takes. Patterns see paths below the directory being restored. */
export class RestoreFilter {
  readonly #include: readonly PathPattern[];
  readonly #exclude: readonly PathPattern[];
  readonly #draws: ((path: Uint8Array) => boolean) | undefined;

  /** `draws`: of what patterns would take, only such files. */
  constructor(choice: {
    include: readonly PathPattern[];
    exclude: readonly PathPattern[];
    draws?: (path: Uint8Array) => boolean;
  }) {
    this.#include = choice.include;
    this.#exclude = choice.exclude;
    this.#draws = choice.draws;
  }

  /** True when everything is taken. */
  get takesAll(): boolean {
    const isOpen = this.#include.length === 0 && this.#exclude.length === 0;
    return isOpen && this.#draws === undefined;
  }

  /** `below`: names from the start of the restore down; `above`: the verdict on the directory that the entry is in. */
  judge(below: SnapshotPath, isDirectory: boolean, above: 'take' | 'pass'): FilterVerdict {
    // Without patterns nobody looks at paths.
    if (this.takesAll) return 'take';
    const path = joinPath(below);
    if (this.#exclude.some((pattern) => pattern.matches(path, isDirectory))) return 'leave';
    if (!isDirectory && this.#draws?.(path) === false) return 'leave';
    if (above === 'take') return 'take';
    if (this.#include.some((pattern) => pattern.matches(path, isDirectory))) return 'take';
    if (isDirectory && this.#include.some((pattern) => pattern.couldMatchBelow(path)))
      return 'pass';
    return 'leave';
  }

  /** The verdict on what the restore starts from. */
  get start(): 'take' | 'pass' {
    return this.#include.length === 0 ? 'take' : 'pass';
  }
}
