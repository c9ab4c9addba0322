import { equal } from '../../base/bytes.ts';
import { KeyedHasher } from '../../core/crypto/hash.ts';
import { codeOf } from '../../core/errors.ts';
import { type EntryKind, kindOf, type TreeEntry } from '../../core/format/tree.ts';
import type { FileFacts, SourceDirectory } from '../../ports/source.ts';
import type { StagingArea } from '../../ports/staging.ts';
import { pathReport } from '../path-report.ts';
import type { RestoreFilter } from '../restore-filter.ts';
import { joinPath, type SnapshotPath, type SnapshotReader } from '../snapshot-reader.ts';

export type StagedTreeOptions = {
  readonly reader: SnapshotReader;
  readonly staging: StagingArea;
  /** What was restored: as in the restore's order. */
  readonly path: SnapshotPath;
  readonly filter: RestoreFilter;
  /** Entries of which the restore has said that not every attribute could be set. */
  readonly isLimited: (path: string) => boolean;
  readonly signal: AbortSignal;
};

export type StagedCounts = {
  entries: number;
  chunks: number;
  bytes: number;
  mismatches: number;
  limited: number;
};

export type StagedEvent = { readonly path: string; readonly differs?: string };

/** Content read back at once. */
const pieceMax = 1024 * 1024;

type Level = {
  readonly directory: SourceDirectory;
  readonly entries: AsyncGenerator<TreeEntry>;
  readonly entry: TreeEntry;
  readonly path: SnapshotPath;
  readonly below: SnapshotPath;
  readonly verdict: 'take' | 'pass';
};

/**
 * Reads what was restored back from the disk and compares it with the snapshot: the digest of every chunk, holes,
 * kinds, modes, owners, times, link targets, hard links and attributes. It shares nothing with what has written it
 * but the way to open a directory.
 */
export class StagedTree {
  readonly counts: StagedCounts = { entries: 0, chunks: 0, bytes: 0, mismatches: 0, limited: 0 };
  readonly #options: StagedTreeOptions;
  readonly #hasher: KeyedHasher;
  /** Which inode each group of hard links has become. */
  readonly #links = new Map<bigint, string>();

  constructor(options: StagedTreeOptions) {
    this.#options = options;
    this.#hasher = new KeyedHasher(options.reader.root.idKey);
  }

  /** One event for each entry: what differs, if anything does. */
  async *verify(): AsyncGenerator<StagedEvent> {
    const { reader, staging, path, filter, signal } = this.#options;
    const start = await reader.resolve(path, { signal });
    await using root = await staging.look();
    if (kindOf(start.mode) !== 'directory') {
      yield* this.#entry(root, start, path);
      return;
    }
    const stack: Level[] = [];
    const push = (level: Omit<Level, 'entries'>): void => {
      stack.push({ ...level, entries: reader.entries(level.entry.tree, { signal }) });
    };
    push({ directory: root, entry: start, path, below: [], verdict: filter.start });
    try {
      for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
        signal.throwIfAborted();
        const { done, value: entry } = await level.entries.next();
        if (done === true) {
          stack.pop();
          if (level.directory !== root) await level.directory[Symbol.asyncDispose]();
          continue;
        }
        const below = [...level.below, entry.name];
        const isDirectory = kindOf(entry.mode) === 'directory';
        const verdict = filter.judge(below, isDirectory, level.verdict);
        if (verdict === 'leave') continue;
        const at = [...level.path, entry.name];
        if (!isDirectory) yield* this.#entry(level.directory, entry, at);
        else {
          if (verdict === 'take') yield* this.#directoryEntry(level.directory, entry, at);
          const directory = await this.#enter(level.directory, entry);
          if (directory !== undefined) push({ directory, entry, path: at, below, verdict });
        }
      }
    } finally {
      for (const { directory } of stack) {
        if (directory !== root) await directory[Symbol.asyncDispose]();
      }
    }
  }

  /** Undefined: it is not there (which was said), or may not be entered. */
  async #enter(parent: SourceDirectory, entry: TreeEntry): Promise<SourceDirectory | undefined> {
    try {
      return await parent.enter(entry.name);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  }

  async *#directoryEntry(
    parent: SourceDirectory,
    entry: TreeEntry,
    path: SnapshotPath,
  ): AsyncGenerator<StagedEvent> {
    const { path: name } = pathReport(joinPath(path));
    this.counts.entries++;
    const isLimited = this.#noteLimited(name);
    const directory = await this.#enter(parent, entry);
    if (directory === undefined) {
      yield this.#differ(name, 'the directory is not there, or cannot be entered');
      return;
    }
    await using open = directory;
    const differs =
      metadataDiffers(entry, open.ownFacts(), isLimited) ??
      (isLimited ? undefined : xattrsDiffer(entry, open.ownXattrs()));
    yield differs === undefined ? { path: name } : this.#differ(name, differs);
  }

  async *#entry(
    parent: SourceDirectory,
    entry: TreeEntry,
    path: SnapshotPath,
  ): AsyncGenerator<StagedEvent> {
    const { path: name } = pathReport(joinPath(path));
    this.counts.entries++;
    const isLimited = this.#noteLimited(name);
    const facts = this.#options.staging.facts(parent, entry.name);
    if (facts === undefined) {
      // What this user may not make (a device) was named by the restore already.
      if (isLimited) yield { path: name };
      else yield this.#differ(name, 'it is not there');
      return;
    }
    const differs =
      metadataDiffers(entry, facts, isLimited) ??
      this.#linkDiffers(entry, facts) ??
      (isLimited ? undefined : xattrsDiffer(entry, parent.xattrs(entry.name))) ??
      (await this.#contentDiffers(parent, entry, facts));
    yield differs === undefined ? { path: name } : this.#differ(name, differs);
  }

  #noteLimited(name: string): boolean {
    const isLimited = this.#options.isLimited(name);
    if (isLimited) this.counts.limited++;
    return isLimited;
  }

  #differ(path: string, differs: string): StagedEvent {
    this.counts.mismatches++;
    return { path, differs };
  }

  #linkDiffers({ linkGroup }: TreeEntry, { device, inode }: FileFacts): string | undefined {
    if (linkGroup === 0n) return undefined;
    const node = `${device}/${inode}`;
    const first = this.#links.get(linkGroup) ?? node;
    this.#links.set(linkGroup, first);
    return first === node ? undefined : 'it is not the hard link that it was';
  }

  async #contentDiffers(
    parent: SourceDirectory,
    entry: TreeEntry,
    facts: FileFacts,
  ): Promise<string | undefined> {
    const kind = kindOf(entry.mode);
    if (kind === 'symlink') {
      const target = parent.readLink(entry.name);
      return equal(target, entry.target ?? new Uint8Array()) ? undefined : 'it leads elsewhere';
    }
    if (kind !== 'file') return undefined;
    if (facts.size !== entry.size) return `it has ${facts.size} bytes instead of ${entry.size}`;
    await using file = await this.#options.staging.read(parent, entry.name);
    const { reader, signal } = this.#options;
    let offset = 0;
    for await (const { id, length } of reader.extents(entry, { signal })) {
      const isSame =
        id === undefined
          ? await this.#isHole(file, offset, length)
          : equal(this.#hasher.hash(await file.read(offset, length, { signal })), id);
      if (!isSame) return `content differs after byte ${offset}`;
      if (id !== undefined) this.counts.chunks++;
      offset += length;
      this.counts.bytes += length;
    }
    return undefined;
  }

  async #isHole(
    file: Awaited<ReturnType<StagingArea['read']>>,
    offset: number,
    length: number,
  ): Promise<boolean> {
    const { signal } = this.#options;
    for (let done = 0; done < length; done += pieceMax) {
      const size = Math.min(pieceMax, length - done);
      const bytes = await file.read(offset + done, size, { signal });
      if (bytes.length !== size || bytes.some((byte) => byte !== 0)) return false;
    }
    return true;
  }
}

const permissionBits = 0o777;
const modeBits = 0o7777;

/** What is not as it was; owner and special bits count only where this user may set them. */
function metadataDiffers(
  entry: TreeEntry,
  facts: FileFacts,
  isLimited: boolean,
): string | undefined {
  const [kind, found] = [kindOf(entry.mode), kindOf(facts.mode)];
  if (kind !== found) return `it is a ${found ?? 'stranger'} instead of a ${kind}`;
  // The kernel gives links a mode of its own.
  const bits = isLimited ? permissionBits : modeBits;
  if (kind !== 'symlink' && (entry.mode & bits) !== (facts.mode & bits)) {
    return `its mode is ${octal(facts.mode & bits)} instead of ${octal(entry.mode & bits)}`;
  }
  if (entry.mtimeNs !== facts.mtimeNs) return 'its modification time differs';
  if (isDevice(kind) && entry.rdev !== facts.rdev) return 'it is another device';
  if (isLimited || (entry.uid === facts.uid && entry.gid === facts.gid)) return undefined;
  return `its owner is ${facts.uid}:${facts.gid} instead of ${entry.uid}:${entry.gid}`;
}

function isDevice(kind: EntryKind | undefined): boolean {
  return kind === 'character' || kind === 'block';
}

function xattrsDiffer(
  { xattrs }: TreeEntry,
  found: readonly { name: Uint8Array; value: Uint8Array }[],
): string | undefined {
  const isSame =
    found.length === xattrs.length &&
    xattrs.every(({ name, value }, i) => {
      const other = found[i];
      return other !== undefined && equal(name, other.name) && equal(value, other.value);
    });
  return isSame ? undefined : 'its extended attributes differ';
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
