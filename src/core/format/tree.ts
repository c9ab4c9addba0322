import { compare } from '../../base/bytes.ts';
import { malformed } from './field.ts';
import { tagOf, varintSize, WireReader, WireWriter, wireType } from './wire.ts';

/** One name in a directory, with everything that makes the file what it is. */
export type TreeEntry = {
  readonly name: Uint8Array;
  /** st_mode: file type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  readonly mtimeNs: bigint;
  readonly size: number;
  /** Of files: in order, covering size exactly. Empty when contentList is set. */
  readonly content: readonly Extent[];
  /** Of files with long extent lists: chunk ids of a stream of Extent records. */
  readonly contentList: readonly Uint8Array[];
  /** Of directories: chunk ids of the entry stream. */
  readonly tree: readonly Uint8Array[];
  /** Of symbolic links. */
  readonly target: Uint8Array | undefined;
  readonly rdev: bigint;
  /** Hard links of one inode share it; 0n for a single link. */
  readonly linkGroup: bigint;
  /** Sorted by name. */
  readonly xattrs: readonly Xattr[];
};

/** A chunk, or a hole when `id` is undefined. */
export type Extent = { readonly id: Uint8Array | undefined; readonly length: number };

export type Xattr = { readonly name: Uint8Array; readonly value: Uint8Array };

export type EntryKind =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'fifo'
  | 'socket'
  | 'character'
  | 'block';

const kinds: ReadonlyMap<number, EntryKind> = new Map([
  [0o010000, 'fifo'],
  [0o020000, 'character'],
  [0o040000, 'directory'],
  [0o060000, 'block'],
  [0o100000, 'file'],
  [0o120000, 'symlink'],
  [0o140000, 'socket'],
]);

/** What an st_mode says the entry is; undefined for a type that no known system has. */
export function kindOf(mode: number): EntryKind | undefined {
  return kinds.get(mode & 0o170000);
}

// Field numbers of proto/holdfast/v1/tree.proto.
const entryField = {
  name: 1,
  mode: 2,
  uid: 3,
  gid: 4,
  user: 5,
  group: 6,
  mtimeSeconds: 7,
  mtimeNs: 8,
  size: 9,
  content: 10,
  contentList: 11,
  tree: 12,
  target: 13,
  rdev: 14,
  linkGroup: 15,
  xattrs: 16,
} as const;
const extentField = { id: 1, length: 2 } as const;
const xattrField = { name: 1, value: 2 } as const;

const scratch = new WireWriter();

/** One record of a directory's stream: the entry as a message, preceded by its length. */
export function encodeEntry(entry: TreeEntry): Uint8Array {
  scratch.clear();
  writeEntry(scratch, entry);
  return scratch.record();
}

function writeEntry(writer: WireWriter, entry: TreeEntry): void {
  writer.bytes(entryField.name, entry.name);
  writer.number(entryField.mode, entry.mode);
  writer.number(entryField.uid, entry.uid);
  writer.number(entryField.gid, entry.gid);
  writer.text(entryField.user, entry.user);
  writer.text(entryField.group, entry.group);
  const { seconds, ns } = splitTime(entry.mtimeNs);
  writer.signed(entryField.mtimeSeconds, seconds);
  writer.number(entryField.mtimeNs, ns);
  writer.number(entryField.size, entry.size);
  for (const extent of entry.content) {
    writer.tag(entryField.content, wireType.bytes);
    writer.varint(extentSize(extent));
    writeExtent(writer, extent);
  }
  for (const id of entry.contentList) writer.item(entryField.contentList, id);
  for (const id of entry.tree) writer.item(entryField.tree, id);
  if (entry.target !== undefined) writer.bytes(entryField.target, entry.target);
  writer.long(entryField.rdev, entry.rdev);
  writer.long(entryField.linkGroup, entry.linkGroup);
  for (const xattr of entry.xattrs) {
    writer.tag(entryField.xattrs, wireType.bytes);
    writer.varint(bytesFieldSize(xattr.name) + bytesFieldSize(xattr.value));
    writer.bytes(xattrField.name, xattr.name);
    writer.bytes(xattrField.value, xattr.value);
  }
}

const billion = 1_000_000_000n;

/** Floor seconds and the rest, as the kernel has them: also times before 1970 count nanoseconds upwards. */
function splitTime(timeNs: bigint): { seconds: bigint; ns: number } {
  let seconds = timeNs / billion;
  if (seconds * billion > timeNs) seconds -= 1n;
  return { seconds, ns: Number(timeNs - seconds * billion) };
}

function bytesFieldSize(value: Uint8Array): number {
  return value.length === 0 ? 0 : 1 + varintSize(value.length) + value.length;
}

function extentSize({ id, length }: Extent): number {
  return (id === undefined ? 0 : bytesFieldSize(id)) + (length === 0 ? 0 : 1 + varintSize(length));
}

function writeExtent(writer: WireWriter, { id, length }: Extent): void {
  if (id !== undefined) writer.bytes(extentField.id, id);
  writer.number(extentField.length, length);
}

/** One record of an extent stream: the extent as a message, preceded by its length. */
export function encodeExtent(extent: Extent): Uint8Array {
  scratch.clear();
  writeExtent(scratch, extent);
  return scratch.record();
}

/**
 * The entries of one whole chunk of a directory's stream, in strictly ascending order of their names.
 * The caller checks the order across chunks. @throws HoldfastError bad-encoding
 */
export function decodeEntries(bytes: Uint8Array): TreeEntry[] {
  const reader = ownReader(bytes);
  const entries: TreeEntry[] = [];
  while (!reader.isAtEnd) {
    const entry = reader.within(readEntry);
    const before = entries.at(-1);
    if (before !== undefined && compare(before.name, entry.name) >= 0) {
      throw malformed('the names of a directory do not ascend');
    }
    entries.push(entry);
  }
  return entries;
}

/** The extents of one whole chunk of an extent stream. @throws HoldfastError bad-encoding */
export function decodeExtents(bytes: Uint8Array): Extent[] {
  const reader = ownReader(bytes);
  const extents: Extent[] = [];
  while (!reader.isAtEnd) extents.push(reader.within(readExtent));
  return extents;
}

/** Reads a copy: its parts become views, which must not hold on to the opened frame around the chunk. */
function ownReader(chunk: Uint8Array): WireReader {
  return new WireReader(chunk.slice());
}

/** True for a name that denotes an entry of its own directory: a restore joins it to a path. */
export function isEntryName(name: Uint8Array): boolean {
  if (name.length === 0 || name.includes(0) || name.includes(0x2f)) return false;
  return !(name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)));
}

type Draft = { -readonly [Key in keyof TreeEntry]: TreeEntry[Key] } & {
  mtimeSeconds: bigint;
  readonly content: Extent[];
  readonly contentList: Uint8Array[];
  readonly tree: Uint8Array[];
  readonly xattrs: Xattr[];
};

const none = new Uint8Array();

function readEntry(reader: WireReader): TreeEntry {
  const draft: Draft = {
    name: none,
    mode: 0,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    mtimeSeconds: 0n,
    mtimeNs: 0n,
    size: 0,
    content: [],
    contentList: [],
    tree: [],
    target: undefined,
    rdev: 0n,
    linkGroup: 0n,
    xattrs: [],
  };
  while (!reader.isAtEnd) readEntryField(reader, draft);
  if (!isEntryName(draft.name)) throw malformed('a directory has an entry without a usable name');
  if (draft.mtimeNs >= billion) throw malformed('an entry has a time out of range');
  const { mtimeSeconds, ...entry } = draft;
  entry.mtimeNs += mtimeSeconds * billion;
  return entry;
}

const { varint, bytes } = wireType;

/** Last one wins, lists grow: as every protobuf decoder does. */
function readEntryField(reader: WireReader, draft: Draft): void {
  const tag = reader.uint32();
  // biome-ignore format: a table
  switch (tag) {
    case tagOf(entryField.name, bytes): draft.name = reader.bytes(); break;
    case tagOf(entryField.mode, varint): draft.mode = reader.uint32(); break;
    case tagOf(entryField.uid, varint): draft.uid = reader.uint32(); break;
    case tagOf(entryField.gid, varint): draft.gid = reader.uint32(); break;
    case tagOf(entryField.user, bytes): draft.user = reader.text(); break;
    case tagOf(entryField.group, bytes): draft.group = reader.text(); break;
    case tagOf(entryField.mtimeSeconds, varint): draft.mtimeSeconds = reader.signed64(); break;
    case tagOf(entryField.mtimeNs, varint): draft.mtimeNs = BigInt(reader.uint32()); break;
    case tagOf(entryField.size, varint): draft.size = reader.varint(); break;
    case tagOf(entryField.content, bytes): draft.content.push(reader.within(readExtent)); break;
    case tagOf(entryField.contentList, bytes): draft.contentList.push(readId(reader)); break;
    case tagOf(entryField.tree, bytes): draft.tree.push(readId(reader)); break;
    case tagOf(entryField.target, bytes): draft.target = reader.bytes(); break;
    case tagOf(entryField.rdev, varint): draft.rdev = reader.varint64(); break;
    case tagOf(entryField.linkGroup, varint): draft.linkGroup = reader.varint64(); break;
    case tagOf(entryField.xattrs, bytes): draft.xattrs.push(reader.within(readXattr)); break;
    default: reader.skip(tag, entryField.xattrs);
  }
}

function readExtent(reader: WireReader): Extent {
  let id: Uint8Array | undefined;
  let length = 0;
  while (!reader.isAtEnd) {
    const tag = reader.uint32();
    if (tag === tagOf(extentField.id, bytes)) id = readId(reader);
    else if (tag === tagOf(extentField.length, varint)) length = reader.varint();
    else reader.skip(tag, extentField.length);
  }
  return { id, length };
}

function readXattr(reader: WireReader): Xattr {
  let name: Uint8Array = none;
  let value: Uint8Array = none;
  while (!reader.isAtEnd) {
    const tag = reader.uint32();
    if (tag === tagOf(xattrField.name, bytes)) name = reader.bytes();
    else if (tag === tagOf(xattrField.value, bytes)) value = reader.bytes();
    else reader.skip(tag, xattrField.value);
  }
  return { name, value };
}

function readId(reader: WireReader): Uint8Array {
  const id = reader.bytes();
  if (id.length !== 32) throw malformed('a chunk id of a record has not 32 bytes');
  return id;
}
