import { assert } from '../base/assert.ts';
import { MiB } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import { kindOf, type TreeEntry } from '../core/format/tree.ts';
import type { Overwrite, TargetDirectory, TargetFile, TargetProblem } from '../ports/target.ts';
import { FileContent, type PlacedExtent } from './file-content.ts';
import type { DirectoryNode } from './restore-walk.ts';
import type { SnapshotReader } from './snapshot-reader.ts';

/** Up to this size a file is gathered in memory and written at once. */
const smallFileMax = 1 * MiB;

type Problems = readonly TargetProblem[];

/** What became of an entry. Of a small file the problems come when the target has written it. */
export type WriteResult =
  | { readonly outcome: 'written'; readonly problems: Problems | Promise<Problems> }
  | { readonly outcome: 'same' | 'skipped' };

/** The bytes of an entry could not be had; the target is not to blame. */
export class ContentLost extends Error {
  override readonly name = 'ContentLost';
  readonly reason: HoldfastError;

  constructor(reason: HoldfastError) {
    super(reason.message, { cause: reason });
    this.reason = reason;
  }
}

/** Bytes of a file; a view of a shared frame. */
type FilePart = { readonly offset: number; readonly bytes: Uint8Array };

export type RestoreWriterOptions = {
  readonly reader: SnapshotReader;
  readonly overwrite: Overwrite;
  readonly signal: AbortSignal;
  /** Called as bytes of a long file arrive. */
  readonly onBytes: (count: number) => void;
};

/** Writes entries below the target: directories open lazily and end deepest first; links follow their first name. */
export class RestoreWriter {
  readonly #options: RestoreWriterOptions;
  readonly #content: FileContent;
  /** The first name restored of each group of hard links. */
  readonly #originals = new Map<bigint, { node: DirectoryNode; name: Uint8Array }>();
  /** A finished directory opened again for links into it, and those above it; outermost first. */
  #reopened: { node: DirectoryNode; directory: TargetDirectory }[] = [];

  constructor(options: RestoreWriterOptions) {
    this.#options = options;
    this.#content = new FileContent(options.reader);
  }

  /** The node's directory, created with those above it when they are missing. @throws HoldfastError */
  async open(node: DirectoryNode): Promise<TargetDirectory> {
    if (node.directory !== undefined) return node.directory;
    assert(node.parent !== undefined, 'the root of a restore is open');
    const parent = await this.open(node.parent);
    node.directory = await parent.enter(node.entry);
    return node.directory;
  }

  /** After everything in the directory: its own metadata. */
  async leave(node: DirectoryNode): Promise<readonly TargetProblem[]> {
    const { directory } = node;
    if (directory === undefined) return [];
    delete node.directory;
    try {
      return directory.finish(node.entry);
    } finally {
      await directory[Symbol.asyncDispose]();
    }
  }

  /** Anything but a directory. @throws ContentLost, or HoldfastError of the target */
  async write(node: DirectoryNode, entry: TreeEntry): Promise<WriteResult> {
    this.#options.reader.retired()();
    const directory = await this.open(node);
    const verdict = directory.check(entry, this.#options.overwrite);
    if (verdict === 'skip') return { outcome: 'skipped' };
    if (verdict === 'same') {
      this.#remember(node, entry);
      return { outcome: 'same' };
    }
    const linked = await this.#link(directory, entry);
    if (linked === 'linked') return { outcome: 'written', problems: [] };
    const writing = await this.#writeNew(directory, entry);
    if (entry.linkGroup === 0n) return { outcome: 'written', problems: writing.problems };
    // Further names lead to it as soon as it is remembered.
    const problems = await writing.problems;
    this.#remember(node, entry);
    return {
      outcome: 'written',
      problems: linked === undefined ? problems : [...problems, linked],
    };
  }

  #remember(node: DirectoryNode, entry: TreeEntry): void {
    if (entry.linkGroup === 0n || this.#originals.has(entry.linkGroup)) return;
    this.#originals.set(entry.linkGroup, { node, name: entry.name });
  }

  /** @returns undefined when it is no further link; a problem when it has to become a copy. */
  async #link(
    directory: TargetDirectory,
    entry: TreeEntry,
  ): Promise<'linked' | TargetProblem | undefined> {
    const original = entry.linkGroup === 0n ? undefined : this.#originals.get(entry.linkGroup);
    if (original === undefined) return undefined;
    try {
      const source = await this.#reopen(original.node);
      const problems = directory.writeLink(entry, { directory: source, name: original.name });
      return problems[0] ?? 'linked';
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code === 'disk-full') throw error;
      return { what: `restored as a copy, not as a hard link: ${error.message}` };
    }
  }

  /** Problems in an object: a promise of a promise would be waited for. */
  async #writeNew(
    directory: TargetDirectory,
    entry: TreeEntry,
  ): Promise<{ readonly problems: Problems | Promise<Problems> }> {
    if (kindOf(entry.mode) !== 'file') return { problems: directory.writeSpecial(entry) };
    const isSmall = entry.size <= smallFileMax && entry.contentList.length === 0;
    if (!isSmall || entry.content.some(({ id }) => id === undefined)) {
      return { problems: await this.#writeLarge(directory, entry) };
    }
    const content = await this.#reading(() => this.#content.whole(entry, this.#options));
    this.#options.onBytes(content.length);
    return { problems: directory.writeFile(entry, content) };
  }

  async #writeLarge(
    directory: TargetDirectory,
    entry: TreeEntry,
  ): Promise<readonly TargetProblem[]> {
    const file = directory.createFile(entry);
    let writing = Promise.resolve();
    try {
      const batches = this.#content.batches(entry, this.#options);
      for (;;) {
        const { done, value: batch } = await this.#reading(() => batches.next());
        if (done === true) break;
        // What has retired before these are read is used, at most, by the writes under way.
        const giveBack = this.#options.reader.retired();
        const parts = await this.#readBatch(batch);
        await writing;
        giveBack();
        writing = this.#writeParts(file, parts);
        // Awaited below; until then a failure is nobody's.
        writing.catch(() => {});
      }
      await writing;
    } catch (error) {
      await writing.catch(() => {});
      await file.abandon();
      throw error;
    }
    return file.finish();
  }

  /** All chunks of a group first, so that a failed read is told from a failed write. */
  async #readBatch(batch: readonly PlacedExtent[]): Promise<FilePart[]> {
    const parts: FilePart[] = [];
    await this.#reading(() =>
      this.#content.write(batch, this.#options, async (offset, bytes) => {
        parts.push({ offset, bytes });
      }),
    );
    return parts.sort((a, b) => a.offset - b.offset);
  }

  async #writeParts(file: TargetFile, parts: readonly FilePart[]): Promise<void> {
    const writes = joined(parts).map(async ({ offset, bytes }) => {
      await file.write(offset, bytes);
      this.#options.onBytes(bytes.length);
    });
    const results = await Promise.allSettled(writes);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async #reading<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const isLost = error instanceof HoldfastError && codeOf(error) !== 'interrupted';
      if (isLost) throw new ContentLost(error);
      throw error;
    }
  }

  /** A directory that may be finished already. Kept open, since links come in rows from one directory. */
  async #reopen(node: DirectoryNode): Promise<TargetDirectory> {
    if (node.directory !== undefined) return node.directory;
    const current = this.#reopened.at(-1);
    if (current?.node === node) return current.directory;
    await this.#closeReopened();
    const missing: DirectoryNode[] = [];
    let above: DirectoryNode | undefined = node;
    while (above !== undefined && above.directory === undefined) {
      missing.unshift(above);
      above = above.parent;
    }
    let directory = above?.directory;
    assert(directory !== undefined, 'the root of a restore is open');
    for (const next of missing) {
      directory = await directory.enter(next.entry);
      this.#reopened.push({ node: next, directory });
    }
    return directory;
  }

  /** Opening a directory may have changed its mode: it is finished once more. Its problems are known already. */
  async #closeReopened(): Promise<void> {
    for (let next = this.#reopened.pop(); next !== undefined; next = this.#reopened.pop()) {
      try {
        next.directory.finish(next.node.entry);
      } finally {
        await next.directory[Symbol.asyncDispose]();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeReopened();
  }
}

/** Chunks that follow each other both in a frame and in the file are one part: a call of the system less for each. */
function joined(parts: readonly FilePart[]): FilePart[] {
  const all: FilePart[] = [];
  for (const part of parts) {
    const last = all.at(-1);
    if (last === undefined || !follows(last, part)) all.push(part);
    else all[all.length - 1] = { offset: last.offset, bytes: spanning(last.bytes, part.bytes) };
  }
  return all;
}

function follows(last: FilePart, next: FilePart): boolean {
  return (
    next.bytes.buffer === last.bytes.buffer &&
    next.bytes.byteOffset === last.bytes.byteOffset + last.bytes.length &&
    next.offset === last.offset + last.bytes.length
  );
}

function spanning(first: Uint8Array, last: Uint8Array): Uint8Array {
  return new Uint8Array(first.buffer, first.byteOffset, first.length + last.length);
}
