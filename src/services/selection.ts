import { compare, concat, equal, utf8 } from '../base/bytes.ts';
import { kindOf } from '../core/format/tree.ts';
import type { PathPattern } from '../core/policy/path-pattern.ts';
import type { FileFacts, SourceDirectory, SourceEntry } from '../ports/source.ts';

export type SelectionOptions = {
  /** Absolute, normalised. */
  readonly paths: readonly Uint8Array[];
  readonly excludes: readonly PathPattern[];
  readonly excludeIfPresent: readonly string[];
  readonly excludeCaches: boolean;
  readonly excludeLargerThan: number | undefined;
  readonly oneFileSystem: boolean;
  /** Left out with everything below: the agent's own state, which would grow by what it stores of itself. */
  readonly leaves?: readonly Uint8Array[];
};

/** From the Cache Directory Tagging Specification (bford.info/cachedir). */
const cacheSignature = utf8('Signature: 8a477f597d28d172789f06886806bc55');

/** Which entries of the file system belong to a backup. */
export class Selection {
  readonly #options: SelectionOptions;

  readonly #missing: Set<Uint8Array>;

  constructor(options: SelectionOptions) {
    this.#options = options;
    this.#missing = new Set(options.paths.filter((path) => path.length > 1));
  }

  /** Paths asked for that the walk has not come across. */
  missing(): Uint8Array[] {
    return [...this.#missing];
  }

  /** False: neither it nor anything below it is backed up. */
  takes(path: Uint8Array, entry: SourceEntry): boolean {
    const isDirectory = kindOf(entry.facts.mode) === 'directory';
    if (!this.#isSelected(path, isDirectory)) return false;
    for (const root of this.#missing) if (equal(root, path)) this.#missing.delete(root);
    if (this.#options.leaves?.some((left) => equal(left, path))) return false;
    for (const pattern of this.#options.excludes) {
      if (pattern.matches(path, isDirectory)) return false;
    }
    const largest = this.#options.excludeLargerThan;
    if (
      largest !== undefined &&
      kindOf(entry.facts.mode) === 'file' &&
      entry.facts.size > largest
    ) {
      return false;
    }
    return true;
  }

  /** True only if `takes` is true for every file right in the directory: then nobody need ask for each. */
  takesAllFilesIn(directory: Uint8Array): boolean {
    const { excludes, excludeLargerThan, leaves = [] } = this.#options;
    if (excludes.length > 0 || excludeLargerThan !== undefined) return false;
    if (!this.#isInside(directory)) return false;
    return ![...this.#missing, ...leaves].some((path) => isWithin(directory, path));
  }

  /** Inside one of the paths, or a directory on the way to one. */
  #isSelected(path: Uint8Array, isDirectory: boolean): boolean {
    return this.#options.paths.some(
      (root) => isWithin(root, path) || (isDirectory && isWithin(path, root)),
    );
  }

  /**
   * Marked as a cache, or by a file whose presence excludes: only the directory itself is kept. A directory
   * that only leads to a path asked for is none: `path`, of the directory, tells.
   */
  isCache(directory: SourceDirectory, path?: Uint8Array): boolean {
    if (path !== undefined && !this.#isInside(path)) return false;
    if (this.#options.excludeCaches) {
      const head = directory.peek(utf8('CACHEDIR.TAG'), cacheSignature.length);
      if (head !== undefined && equal(head, cacheSignature)) return true;
    }
    return this.#options.excludeIfPresent.some(
      (name) => directory.peek(utf8(name), 0) !== undefined,
    );
  }

  /** In one of the paths, which it may be itself. */
  #isInside(path: Uint8Array): boolean {
    return this.#options.paths.some((root) => isWithin(root, path));
  }

  /**
   * The device to stay on below a directory; 'other' when it is to be left for being on another. Each path
   * asked for has its own device, which need not be that of the directories on the way to it: `path`, of the
   * directory, tells.
   */
  deviceBelow(
    device: bigint | undefined,
    facts: FileFacts,
    path?: Uint8Array,
  ): bigint | undefined | 'other' {
    if (!this.#options.oneFileSystem) return undefined;
    if (path !== undefined && !this.#isInside(path)) return undefined;
    if (path !== undefined && this.#options.paths.some((root) => equal(root, path))) {
      return facts.device;
    }
    if (device === undefined || device === facts.device) return facts.device;
    return 'other';
  }
}

function isWithin(root: Uint8Array, path: Uint8Array): boolean {
  if (root.length === 1) return true;
  if (path.length < root.length || compare(path.subarray(0, root.length), root) !== 0) return false;
  return path.length === root.length || path[root.length] === 0x2f;
}

/** An absolute path without empty, '.' or trailing components; undefined when it is not absolute or has '..'. */
export function normalisePath(path: Uint8Array): Uint8Array | undefined {
  if (path[0] !== 0x2f) return undefined;
  const parts: Uint8Array[] = [];
  let start = 1;
  for (let i = 1; i <= path.length; i++) {
    if (i < path.length && path[i] !== 0x2f) continue;
    const part = path.subarray(start, i);
    start = i + 1;
    if (part.length === 0 || (part.length === 1 && part[0] === 0x2e)) continue;
    if (part.length === 2 && part[0] === 0x2e && part[1] === 0x2e) return undefined;
    parts.push(Uint8Array.of(0x2f), part);
  }
  return parts.length === 0 ? Uint8Array.of(0x2f) : concat(parts);
}
