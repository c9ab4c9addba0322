import { MiB } from '../base/units.ts';
import { HoldfastError } from '../core/errors.ts';
import { kindOf, type TreeEntry } from '../core/format/tree.ts';
import type { TargetDirectory } from '../ports/target.ts';
import type { FrameAhead } from './frame-reader.ts';
import type { FilterVerdict, RestoreFilter } from './restore-filter.ts';
import {
  type SnapshotPath,
  type SnapshotReader,
  tooDeep,
  treeDepthMax,
} from './snapshot-reader.ts';

/** A directory of the snapshot on its way to the target. The writer alone touches what is not readonly. */
export type DirectoryNode = {
  readonly parent: DirectoryNode | undefined;
  readonly entry: TreeEntry;
  /** In the snapshot. */
  readonly path: SnapshotPath;
  /** Open from its first use to its `leave` step; the restore's root stays open. */
  directory?: TargetDirectory;
  /** It could not be opened: what is below it cannot be restored. */
  isBlocked: boolean;
};

/** What to do next, in the order of the tree. `framesAhead` of a file: frames that it is the first to need. */
export type RestoreStep =
  | { readonly kind: 'enter'; readonly node: DirectoryNode; readonly verdict: FilterVerdict }
  | { readonly kind: 'leave'; readonly node: DirectoryNode }
  | {
      readonly kind: 'entry';
      readonly parent: DirectoryNode;
      readonly entry: TreeEntry;
      readonly path: SnapshotPath;
      readonly framesAhead: number;
    }
  | { readonly kind: 'lost'; readonly path: SnapshotPath; readonly error: HoldfastError };

export type RestoreWalkOptions = {
  readonly reader: SnapshotReader;
  readonly filter: RestoreFilter;
  /** A directory: its content is restored; anything else: itself. */
  readonly path: SnapshotPath;
  readonly root: DirectoryNode;
  /** Read content before it is asked for. */
  readonly prefetches: boolean;
  readonly signal: AbortSignal;
};

/** Of a longer file the writer itself reads the rest ahead. */
const prefetchBytesMax = 4 * MiB;
/** Frames gathered before they are asked for, so that neighbours become one request. */
const batchFrames = 8;
/**
 * Chunks after which frames are not gathered any further: those of small files hold hundreds, and a writer that
 * catches up reads its frame alone, waits for it, and hashes all of it itself.
 */
const batchChunks = 512;
/** Frames that count as known: as many as a look-ahead may hold. */
const recentFramesMax = 64;

type Level = {
  readonly node: DirectoryNode;
  readonly verdict: 'take' | 'pass';
  /** Names below the restore's start: what patterns see. */
  readonly below: SnapshotPath;
  readonly entries: AsyncGenerator<TreeEntry>;
};

/** Walks what is to be restored, ahead of the writer, and starts to read its content. */
export class RestoreWalk {
  readonly #options: RestoreWalkOptions;
  readonly #recent = new Set<string>();
  /** Chunks, those of one frame beside each other for the most part. */
  #batch: FrameAhead[] = [];
  readonly #batchFrames = new Set<string>();
  /** Of the files met so far. */
  files = 0;
  bytes = 0;

  constructor(options: RestoreWalkOptions) {
    this.#options = options;
  }

  async *steps(): AsyncGenerator<RestoreStep> {
    const { reader, path, root, filter, signal } = this.#options;
    const start = await reader.resolve(path, { signal });
    if (kindOf(start.mode) !== 'directory') {
      yield this.#entryStep(root, start, path);
    } else {
      const entries = reader.entries(start.tree, { signal });
      yield* this.#descend({ node: root, verdict: filter.start, below: [], entries });
    }
    this.#flush();
  }

  async *#descend(start: Level): AsyncGenerator<RestoreStep> {
    const stack = [start];
    for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
      const next = await this.#next(level);
      if (next instanceof HoldfastError) {
        yield { kind: 'lost', path: level.node.path, error: next };
      }
      if (next === undefined || next instanceof HoldfastError) {
        stack.pop();
        if (level !== start) yield { kind: 'leave', node: level.node };
        continue;
      }
      const below = [...level.below, next.name];
      const isDirectory = kindOf(next.mode) === 'directory';
      const verdict = this.#options.filter.judge(below, isDirectory, level.verdict);
      if (verdict === 'leave') continue;
      const path = [...level.node.path, next.name];
      if (!isDirectory) {
        yield this.#entryStep(level.node, next, path);
        continue;
      }
      const node: DirectoryNode = { parent: level.node, entry: next, path, isBlocked: false };
      if (stack.length >= treeDepthMax) {
        yield { kind: 'lost', path, error: tooDeep(path) };
        continue;
      }
      yield { kind: 'enter', node, verdict };
      const entries = this.#options.reader.entries(next.tree, { signal: this.#options.signal });
      stack.push({ node, verdict, below, entries });
    }
  }

  /** The next entry, undefined after the last, or why the rest of the directory cannot be read. */
  async #next({ entries }: Level): Promise<TreeEntry | HoldfastError | undefined> {
    try {
      const { done, value } = await entries.next();
      return done === true ? undefined : value;
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (error instanceof HoldfastError) return error;
      throw error;
    }
  }

  #entryStep(parent: DirectoryNode, entry: TreeEntry, path: SnapshotPath): RestoreStep {
    const isFile = kindOf(entry.mode) === 'file';
    if (isFile) {
      this.files++;
      this.bytes += entry.size;
    }
    const framesAhead = isFile && this.#options.prefetches ? this.#prefetch(entry) : 0;
    return { kind: 'entry', parent, entry, path, framesAhead };
  }

  /** @returns how many frames the entry is the first to need. */
  #prefetch(entry: TreeEntry): number {
    let fresh = 0;
    let bytes = 0;
    for (const { id, length } of entry.content) {
      if (bytes >= prefetchBytesMax) break;
      bytes += length;
      const ref = id === undefined ? undefined : this.#options.reader.find(id);
      if (ref === undefined) continue;
      const frame = `${ref.pack}/${ref.frame}`;
      if (!this.#isRecent(frame)) {
        // Not with the last frame's first chunk: the others are hashed along with it.
        const isFull = this.#batchFrames.size >= batchFrames || this.#batch.length >= batchChunks;
        if (isFull) this.#flush();
        this.#batchFrames.add(frame);
        fresh++;
      }
      if (this.#batchFrames.has(frame)) this.#batch.push(ref);
    }
    return fresh;
  }

  #isRecent(frame: string): boolean {
    if (this.#recent.has(frame)) return true;
    this.#recent.add(frame);
    if (this.#recent.size > recentFramesMax) {
      for (const oldest of this.#recent) {
        this.#recent.delete(oldest);
        break;
      }
    }
    return false;
  }

  #flush(): void {
    this.#options.reader.prefetch(this.#batch);
    this.#batch = [];
    this.#batchFrames.clear();
  }
}
