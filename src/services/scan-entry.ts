import { equal } from '../base/bytes.ts';
import { hash } from '../core/crypto/hash.ts';
import { codeOf } from '../core/errors.ts';
import { type CatalogEntry, earlierEntry } from '../core/format/catalog-record.ts';
import type { TreeEntry, Xattr } from '../core/format/tree.ts';
import { encodeEntry, kindOf } from '../core/format/tree.ts';
import type { FileFacts, Source, SourceDirectory, SourceEntry } from '../ports/source.ts';

/** An entry that a scan has come to. */
export type Visit = {
  readonly directory: SourceDirectory;
  readonly entry: SourceEntry;
  readonly path: Uint8Array;
  /** As the catalog remembers it. */
  readonly before: CatalogEntry | undefined;
  /** Nanoseconds: a ctime from then on may still hide a change. */
  readonly settledBefore: bigint;
};

export type EntryParts = {
  readonly content?: TreeEntry['content'];
  readonly contentList?: readonly Uint8Array[];
  readonly tree?: readonly Uint8Array[];
  readonly target?: Uint8Array | undefined;
  readonly xattrs?: readonly Xattr[];
};

/** What a directory will list; undefined when there is nothing to list after all. */
export type Listed = CatalogEntry | undefined;

/** Everything that makes the file what it is. */
export function buildEntry(
  source: Source,
  visit: Visit,
  facts: FileFacts,
  parts: EntryParts,
): TreeEntry {
  const kind = kindOf(facts.mode);
  const isDevice = kind === 'character' || kind === 'block';
  return {
    name: visit.entry.name,
    mode: facts.mode,
    uid: facts.uid,
    gid: facts.gid,
    user: source.userName(facts.uid),
    group: source.groupName(facts.gid),
    mtimeNs: facts.mtimeNs,
    size: kind === 'directory' ? 0 : facts.size,
    content: parts.content ?? [],
    contentList: parts.contentList ?? [],
    tree: parts.tree ?? [],
    target: parts.target,
    rdev: isDevice ? facts.rdev : 0n,
    linkGroup: kind !== 'directory' && facts.linkCount > 1 ? linkGroupOf(facts) : 0n,
    xattrs: parts.xattrs ?? xattrsOf(visit),
  };
}

/** A file that has vanished since it was read is kept as it was read. */
function xattrsOf({ directory, entry }: Visit): readonly Xattr[] {
  try {
    return directory.xattrs(entry.name);
  } catch (error) {
    if (codeOf(error) === 'not-found') return [];
    throw error;
  }
}

/** What the directory lists and the catalog remembers. */
export function recordOf(
  visit: Visit,
  entry: TreeEntry,
  /** Bytes of its content in each. */
  packs: ReadonlyMap<number, number>,
  isSettled?: boolean,
): CatalogEntry {
  const { facts } = visit.entry;
  return {
    ctimeNs: facts.ctimeNs,
    inode: facts.inode,
    device: facts.device,
    mtimeNs: facts.mtimeNs,
    size: kindOf(facts.mode) === 'file' ? facts.size : 0,
    isSettled: isSettled ?? facts.ctimeNs < visit.settledBefore,
    packs: [...packs.keys()],
    packBytes: [...packs.values()],
    record: encodeEntry(entry),
  };
}

/** It is on disk as it was when it was read last. */
export function isUntouched(before: CatalogEntry, facts: FileFacts): boolean {
  return (
    before.isSettled &&
    before.ctimeNs === facts.ctimeNs &&
    before.inode === facts.inode &&
    before.device === facts.device &&
    before.mtimeNs === facts.mtimeNs &&
    (kindOf(facts.mode) !== 'file' || before.size === facts.size)
  );
}

/** By chunk ids. A record that cannot be read says nothing against it. */
export function hasContentOf(before: CatalogEntry, { content, contentList }: TreeEntry): boolean {
  const then = earlierEntry(before);
  if (then === undefined) return true;
  const ids = [...then.content.map(({ id }) => id), ...then.contentList];
  const now = [...content.map(({ id }) => id), ...contentList];
  return ids.length === now.length && ids.every((id, i) => isSameId(id, now[i]));
}

function isSameId(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equal(a, b);
}

/** The same number for all names of one inode, and no hint of device or inode numbers. */
function linkGroupOf(facts: FileFacts): bigint {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, facts.device);
  view.setBigUint64(8, facts.inode);
  return new DataView(hash('path', bytes).buffer).getBigUint64(0) | 1n;
}
