import { utf8 } from '../../base/bytes.ts';
import { kindOf, type TreeEntry } from '../../core/format/tree.ts';
import type { Manifest } from '../../core/format/records.ts';
import type { PackId } from '../../core/ids.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { FrameReader } from '../frame-reader.ts';
import type { PackPart, PackReader } from '../pack-reader.ts';
import { SnapshotReader, splitPath } from '../snapshot-reader.ts';

type ReadablePacks = Pick<PackReader, 'entry' | 'read' | 'readParts'>;

/** Notes which packs anything was read of. */
export class NotingPacks {
  readonly #packs: ReadablePacks;
  readonly touched = new Set<PackId>();

  constructor(packs: ReadablePacks) {
    this.#packs = packs;
  }

  entry(pack: PackId): ReturnType<PackReader['entry']> {
    return this.#packs.entry(pack);
  }

  read(pack: PackId, offset: number, size: number, options: Cancel = {}): Promise<Uint8Array> {
    this.touched.add(pack);
    return this.#packs.read(pack, offset, size, options);
  }

  readParts(pack: PackId, parts: readonly PackPart[], options: Cancel = {}): Promise<Uint8Array[]> {
    this.touched.add(pack);
    return this.#packs.readParts(pack, parts, options);
  }
}

/**
 * The packs that restoring a path takes: those of the snapshot's root, index and directories on the way, as a
 * restore reads them, and those of the content below the path.
 */
export async function packsOfPath(options: {
  readonly manifest: Manifest;
  readonly path: string;
  /** Reads through `packs`. */
  readonly frames: FrameReader;
  readonly packs: NotingPacks;
  readonly cancel: Cancel;
}): Promise<ReadonlySet<PackId>> {
  const { manifest, path, frames, packs, cancel } = options;
  const reader = await SnapshotReader.open({ manifest, frames, ...cancel });
  const found = new Set<PackId>();
  const take = async (entry: TreeEntry): Promise<void> => {
    if (kindOf(entry.mode) !== 'file') return;
    for await (const { id } of reader.extents(entry, cancel)) {
      const record = id === undefined ? undefined : reader.find(id);
      if (record !== undefined) found.add(record.pack);
    }
  };
  const start = await reader.resolve(splitPath(utf8(path)), cancel);
  await take(start);
  if (kindOf(start.mode) === 'directory') {
    for await (const { entry } of reader.walk(start.tree, cancel)) await take(entry);
  }
  return new Set([...found, ...packs.touched]);
}
