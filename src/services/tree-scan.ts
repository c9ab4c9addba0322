import { concat, equal } from '../base/bytes.ts';
import type { Semaphore } from '../base/concurrency.ts';
import { Turn } from '../base/turn.ts';
import { hash, KeyedHasher } from '../core/crypto/hash.ts';
import { HoldfastError } from '../core/errors.ts';
import type { CatalogEntry, CatalogRecord } from '../core/format/catalog-record.ts';
import { RecordCutter } from '../core/format/record-cutter.ts';
import { encodeExtent, kindOf } from '../core/format/tree.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../ports/runtime.ts';
import type { FileFacts, Source, SourceDirectory } from '../ports/source.ts';
import { CatalogCursor, nameIn } from './catalog-cursor.ts';
import type { ContentSink } from './content-sink.ts';
import type { DatasetIndex } from './dataset-index.ts';
import type { FileContent, FileReader } from './file-reader.ts';
import { type FinishedDirectory, finishedDirectory } from './finished-directories.ts';
import { type Below, type Listing, type Place, ScanAhead } from './scan-ahead.ts';
import { ScanChanges } from './scan-changes.ts';
import type { Listed, Visit } from './scan-entry.ts';
import { buildEntry, hasContentOf, isUntouched, recordOf } from './scan-entry.ts';
import type { Selection } from './selection.ts';

export type ScanCounts = {
  files: number;
  directories: number;
  others: number;
  bytes: number;
  bytesRead: number;
  filesNew: number;
  filesChanged: number;
  filesUnmodified: number;
  filesUnstable: number;
};

export type ScanOptions = {
  readonly source: Source;
  readonly index: DatasetIndex;
  readonly sink: ContentSink;
  readonly reader: FileReader;
  readonly selection: Selection;
  readonly idKey: Uint8Array;
  readonly clock: Clock;
  /** Files that may wait for their content at once. */
  readonly pendingFiles: Semaphore;
  /** Directories whose content is not complete yet, beside those on the way down. */
  readonly pendingDirectories: Semaphore;
  /** Read every file, whatever the catalog says. */
  readonly force: boolean;
  /** Absolute paths of files that nobody has reason to touch: see ScanChanges. */
  readonly canaries?: readonly Uint8Array[];
  readonly signal: AbortSignal;
  readonly onProblem: (path: Uint8Array, reason: string, isUnstable: boolean) => void;
  readonly onProgress: (path: Uint8Array) => void;
};

/** The chunk ids of a directory's stream. */
export type StoredTree = readonly Uint8Array[];

const slash = Uint8Array.of(0x2f);
const none: ReadonlyMap<number, number> = new Map();

/**
 * Walks the selected tree in name order, reuses what the catalog knows, queues files to be read, and stores
 * each directory's stream once everything in it is complete. Scanning runs ahead of reading within bounds.
 */
export class TreeScan {
  readonly #options: ScanOptions;
  readonly #hasher: KeyedHasher;
  readonly #ahead: ScanAhead;
  /** Shared by all directories: many small ones hold everybody else up as a large one does. */
  readonly #turn: Turn;
  readonly #links = new Map<string, Promise<FileContent>>();
  readonly counts: ScanCounts = {
    files: 0,
    directories: 0,
    others: 0,
    bytes: 0,
    bytesRead: 0,
    filesNew: 0,
    filesChanged: 0,
    filesUnmodified: 0,
    filesUnstable: 0,
  };
  readonly changes: ScanChanges;
  /** Ordinals of all packs that the snapshot needs. */
  readonly neededPacks = new Set<number>();
  /** Of file content in each of them. What several files share counts for each: it may be more than there is. */
  readonly usedBytes = new Map<number, number>();
  /** Directories complete but not yet remembered: their packs are not durable yet. */
  readonly finished: FinishedDirectory[] = [];

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#ahead = new ScanAhead(options);
    this.#turn = new Turn(options.clock);
    this.#hasher = new KeyedHasher(options.idKey);
    this.changes = new ScanChanges({ index: options.index, canaries: options.canaries ?? [] });
  }

  /** Everything that is selected, from the top on. @returns the top directory's stream */
  async run(top: SourceDirectory): Promise<StoredTree> {
    await using ahead = this.#ahead;
    const below = ahead.begin(top);
    const { stored } = await this.#walk(await ahead.place(below), await ahead.listing(below));
    return await stored;
  }

  /** Resolves when the directory has been walked; the inner promise when it has been stored. */
  async #walk(place: Place, listing: Listing): Promise<{ stored: Promise<StoredTree> }> {
    const { signal, onProgress, onProblem, selection } = this.#options;
    const { path, directory } = place;
    const { known, entries, settledBefore, problem } = listing;
    signal.throwIfAborted();
    onProgress(path);
    // A directory that cannot be read does not end the backup of the others.
    if (problem === undefined) this.changes.listed(path, known, entries);
    else onProblem(path, problem.message, false);
    const earlier = new CatalogCursor(known);
    const records: (Listed | Promise<Listed>)[] = [];
    const takesAll = selection.takesAllFilesIn(path);
    for (const entry of entries) {
      if (this.#turn.isOver) await this.#turn.end();
      const before = earlier.find(entry.name);
      const around = { directory, entry, before, settledBefore };
      if (kindOf(entry.facts.mode) === 'directory') {
        const below = listing.below.get(entry);
        if (below !== undefined) records.push((await this.#directory(around, below)).record);
      } else if (takesAll && this.#isReusable(before, entry.facts)) {
        records.push(this.#reuse(before, entry.facts));
      } else {
        const visit = { ...around, path: concat([path, slash, entry.name]) };
        if (selection.takes(visit.path, entry)) records.push((await this.#visit(visit)).record);
      }
    }
    const release = await this.#options.pendingDirectories.acquire();
    const stored = this.#storeAndClose(place, records, known).finally(release);
    stored.catch(() => {});
    return { stored };
  }

  async #storeAndClose(
    place: Place,
    records: readonly (Listed | Promise<Listed>)[],
    known: CatalogRecord | undefined,
  ): Promise<StoredTree> {
    try {
      return await this.#store(place.path, records, known);
    } finally {
      await this.#ahead.close(place);
    }
  }

  async #visit(visit: Visit): Promise<{ record: Listed | Promise<Listed> }> {
    const { before, entry } = visit;
    if (this.#isReusable(before, entry.facts)) return { record: this.#reuse(before, entry.facts) };
    const kind = kindOf(entry.facts.mode);
    if (kind === 'file') return this.#file(visit);
    if (kind === undefined) {
      this.#options.onProblem(visit.path, 'of a type that cannot be stored', false);
      return { record: undefined };
    }
    this.counts.others++;
    return { record: this.#special(visit, kind === 'symlink') };
  }

  /** Unchanged on disk, and everything that it needs is still known to be durable. */
  #isReusable(before: CatalogEntry | undefined, facts: FileFacts): before is CatalogEntry {
    return (
      before !== undefined &&
      isUntouched(before, facts) &&
      before.packs.every((ordinal) => this.#options.index.isUsable(ordinal))
    );
  }

  #areKnown(packs: readonly number[]): boolean {
    return packs.every((ordinal) => this.#options.index.pack(ordinal) !== undefined);
  }

  /** What stands in for a file that was only read to store it elsewhere: it is durable where it is. */
  #stored({ before, entry }: Visit): CatalogEntry | undefined {
    if (before === undefined || this.#options.force || !isUntouched(before, entry.facts)) {
      return undefined;
    }
    return this.#areKnown(before.packs) ? before : undefined;
  }

  #reuse(before: CatalogEntry, { mode, size }: FileFacts): CatalogEntry {
    if (kindOf(mode) === 'file') {
      this.counts.files++;
      this.counts.filesUnmodified++;
      this.counts.bytes += size;
    } else {
      this.counts.others++;
    }
    return before;
  }

  async #special(visit: Visit, isLink: boolean): Promise<Listed> {
    const { directory, entry } = visit;
    try {
      const target = isLink ? directory.readLink(entry.name) : undefined;
      const facts = { ...entry.facts, size: target?.length ?? 0 };
      return recordOf(visit, buildEntry(this.#options.source, visit, facts, { target }), none);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#options.onProblem(visit.path, error.message, true);
      return undefined;
    }
  }

  async #directory(
    around: Omit<Visit, 'path'>,
    below: Below,
  ): Promise<{ record: Listed | Promise<Listed> }> {
    const visit = { ...around, path: below.path };
    let place: Place;
    try {
      place = await this.#ahead.place(below);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#options.onProblem(visit.path, error.message, false);
      return { record: undefined };
    }
    const listing = await this.#ahead.listing(below);
    this.counts.directories++;
    const { directory, facts } = place;
    const { source } = this.#options;
    const xattrs = directory.ownXattrs();
    if (place.isSkipped) {
      await this.#ahead.close(place);
      return { record: recordOf(visit, buildEntry(source, visit, facts, { xattrs }), none) };
    }
    const { stored } = await this.#walk(place, listing);
    const record = stored.then((tree) => {
      const now = recordOf(visit, buildEntry(source, visit, facts, { xattrs, tree }), none);
      const { before } = visit;
      // The same object says to the directory above that nothing in it has changed.
      return before !== undefined && equal(before.record, now.record) ? before : now;
    });
    record.catch(() => {});
    return { record };
  }

  async #file(visit: Visit): Promise<{ record: Promise<Listed> }> {
    const release = await this.#options.pendingFiles.acquire();
    const record = this.#content(visit)
      .then((content) => this.#fileRecord(visit, content))
      .finally(release);
    record.catch(() => {});
    return { record };
  }

  /** Hard links of one inode are read once. */
  #content(visit: Visit): Promise<FileContent> {
    const { directory, entry } = visit;
    const read = (): Promise<FileContent> =>
      this.#options.reader.read(directory, entry.name, entry.facts.size);
    if (entry.facts.linkCount === 1) return read();
    const inode = `${entry.facts.device}:${entry.facts.inode}`;
    const known = this.#links.get(inode);
    if (known !== undefined) return known.then(asReadBefore);
    const first = read();
    this.#links.set(inode, first);
    return first;
  }

  #fileRecord(visit: Visit, content: FileContent): Listed {
    if (content.outcome === 'vanished') {
      this.counts.filesUnstable++;
      this.#options.onProblem(visit.path, 'vanished while it was being backed up', true);
      return undefined;
    }
    const stored = this.#stored(visit);
    if (content.outcome === 'failed') {
      if (stored !== undefined) return this.#reuse(stored, visit.entry.facts);
      this.#options.onProblem(visit.path, content.reason, false);
      return undefined;
    }
    if (!content.isStable) {
      this.counts.filesUnstable++;
      this.#options.onProblem(visit.path, 'changed each time it was read', true);
    }
    const size = content.extents.reduce((sum, extent) => sum + extent.length, 0);
    this.counts.files++;
    this.counts.bytes += size;
    this.counts.bytesRead += content.bytesRead;
    if (visit.before === undefined) this.counts.filesNew++;
    // Stored anew for what has become of its packs: that is nobody's change.
    else if (isUntouched(visit.before, content.facts)) this.counts.filesUnmodified++;
    else this.counts.filesChanged++;
    const packs = new Map(content.packs);
    const long = content.extents.length > limits.inlineExtentsMax;
    const contentList = long ? this.#storeExtents(content.extents, packs) : [];
    const extents = long ? [] : content.extents;
    const entry = buildEntry(
      this.#options.source,
      visit,
      { ...content.facts, size },
      { content: extents, contentList, xattrs: content.xattrs },
    );
    if (stored !== undefined && !hasContentOf(stored, entry)) {
      const reason = 'reads differently than before, and was not written to: kept as it was';
      this.#options.onProblem(visit.path, reason, false);
      return stored;
    }
    this.changes.stored(visit.path, entry, visit.before);
    const isSettled = content.isStable && content.facts.ctimeNs < visit.settledBefore;
    return recordOf(
      { ...visit, entry: { ...visit.entry, facts: content.facts } },
      entry,
      packs,
      isSettled,
    );
  }

  #storeExtents(extents: FileContentExtents, packs: Map<number, number>): Uint8Array[] {
    const ids: Uint8Array[] = [];
    const cutter = new RecordCutter();
    const keep = (chunk: Uint8Array | undefined): void => {
      if (chunk !== undefined) ids.push(this.#storeMetadata(chunk, packs));
    };
    for (const extent of extents)
      keep(cutter.add(encodeExtent(extent), () => extent.id ?? holeMarker));
    keep(cutter.finish());
    return ids;
  }

  #storeMetadata(chunk: Uint8Array, packs: Map<number, number>): Uint8Array {
    const id = this.#hasher.hash(chunk);
    const { ordinal } = this.#options.sink.store('metadata', id, chunk);
    packs.set(ordinal, packs.get(ordinal) ?? 0);
    return id;
  }

  async #store(
    path: Uint8Array,
    pending: readonly (Listed | Promise<Listed>)[],
    known: CatalogRecord | undefined,
  ): Promise<StoredTree> {
    const entries: CatalogEntry[] = [];
    for (const entry of await Promise.all(pending)) {
      if (entry === undefined) continue;
      entries.push(entry);
      this.#need(entry);
    }
    if (known !== undefined && this.#isUnchanged(known, entries)) {
      for (const pack of known.packs) this.neededPacks.add(pack);
      return known.tree;
    }
    await this.#options.sink.ready();
    const tree: Uint8Array[] = [];
    const packs = new Map<number, number>();
    const cutter = new RecordCutter();
    for (const { record } of entries) {
      if (this.#turn.isOver) await this.#turn.end();
      const chunk = cutter.add(record, () => hash('path', nameIn(record)));
      if (chunk !== undefined) tree.push(this.#storeMetadata(chunk, packs));
    }
    const last = cutter.finish();
    if (last !== undefined) tree.push(this.#storeMetadata(last, packs));
    for (const pack of packs.keys()) this.neededPacks.add(pack);
    this.finished.push(finishedDirectory(path, { entries, tree, packs: [...packs.keys()] }));
    return tree;
  }

  #need({ packs, packBytes }: CatalogEntry): void {
    for (const [i, pack] of packs.entries()) {
      this.neededPacks.add(pack);
      const bytes = packBytes[i] ?? 0;
      if (bytes > 0) this.usedBytes.set(pack, (this.usedBytes.get(pack) ?? 0) + bytes);
    }
  }

  /** Everything in it is what the catalog remembers, and its stream is stored: nothing is left to do. */
  #isUnchanged(known: CatalogRecord, entries: readonly CatalogEntry[]): boolean {
    return (
      entries.length === known.entries.length &&
      entries.every((entry, i) => entry === known.entries[i]) &&
      this.#areKnown(known.packs)
    );
  }
}

type FileContentExtents = (FileContent & { outcome: 'stored' })['extents'];

const holeMarker = new Uint8Array(32).fill(1);

/** Another name of a file that has been read under its first. */
function asReadBefore(content: FileContent): FileContent {
  return content.outcome === 'stored' ? { ...content, bytesRead: 0 } : content;
}
