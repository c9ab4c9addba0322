import { kindOf, type TreeEntry } from '../../src/core/format/tree.ts';
import type { FileFacts, SourceDirectory, SourceEntry } from '../../src/ports/source.ts';

/** An entry of a regular file with nothing special, but for what is given. */
export function entryWith(given: Partial<TreeEntry> & { name: Uint8Array }): TreeEntry {
  return {
    mode: 0o100644,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    user: '',
    group: '',
    mtimeNs: 1_700_000_000_123_456_789n,
    size: 0,
    content: [],
    contentList: [],
    tree: [],
    target: undefined,
    rdev: 0n,
    linkGroup: 0n,
    xattrs: [],
    ...given,
  };
}

/** The entry of what a source lists, without content. */
export function entryOf(directory: SourceDirectory, { name, facts }: SourceEntry): TreeEntry {
  const kind = kindOf(facts.mode);
  return entryWith({
    name,
    ...metadataOf(facts),
    size: kind === 'file' ? facts.size : 0,
    target: kind === 'symlink' ? directory.readLink(name) : undefined,
    rdev: kind === 'character' || kind === 'block' ? facts.rdev : 0n,
    linkGroup: kind !== 'directory' && facts.linkCount > 1 ? facts.inode : 0n,
    xattrs: directory.xattrs(name),
  });
}

/** What a directory itself is restored to. */
export function ownEntry(directory: SourceDirectory, name: Uint8Array): TreeEntry {
  const facts = directory.ownFacts();
  return entryWith({ name, ...metadataOf(facts), xattrs: directory.ownXattrs() });
}

function metadataOf({ mode, uid, gid, mtimeNs }: FileFacts) {
  return { mode, uid, gid, mtimeNs };
}
