import { openSource } from '../../src/adapters/fs/source.ts';
import { concat, printable, toHex, utf8 } from '../../src/base/bytes.ts';
import { Semaphore } from '../../src/base/concurrency.ts';
import { KiB } from '../../src/base/units.ts';
import {
  decodeEntries,
  decodeExtents,
  kindOf,
  type TreeEntry,
} from '../../src/core/format/tree.ts';
import { idOf, type PackId } from '../../src/core/ids.ts';
import type {
  Chunking,
  ReadBatch,
  ReadRequest,
  Source,
  SourceDirectory,
} from '../../src/ports/source.ts';
import { ContentSink } from '../../src/services/content-sink.ts';
import { DatasetIndex } from '../../src/services/dataset-index.ts';
import { FileReader } from '../../src/services/file-reader.ts';
import type { WrittenPack } from '../../src/services/pack-writer.ts';
import { Selection, type SelectionOptions } from '../../src/services/selection.ts';
import { type ScanCounts, TreeScan } from '../../src/services/tree-scan.ts';
import { dataset, noise } from './build-snapshot.ts';
import { MemoryKeyValue } from './memory-key-value.ts';

export const sampleChunking: Chunking = {
  min: 4 * KiB,
  average: 16 * KiB,
  max: 64 * KiB,
  cutKey: noise(40, 7),
  idKey: noise(32, 8),
};

/** What happens to the files while they are looked at; paths as texts. */
export type Trouble = {
  /** Before a batch is read; the names of its files. */
  onRead?: (names: readonly string[]) => void;
  /** Changes what came of a file. */
  result?: (name: string, result: ReadBatch['results'][number]) => ReadBatch['results'][number];
  /** Throws when this directory cannot be entered. */
  onEnter?: (path: string) => void;
  /** Throws when this directory cannot be listed. */
  onList?: (path: string) => void;
  /** The device that a directory is said to be on. */
  device?: (path: string) => bigint | undefined;
};

/** The files of this host, in trouble. */
export class TroubledSource implements Source {
  readonly #source = openSource({ threads: 1 });
  /** Names of all files read, in order, a name for each part. */
  readonly reads: string[] = [];
  trouble: Trouble = {};

  async open(path: Uint8Array): Promise<SourceDirectory> {
    return this.#wrap(await this.#source.open(path), '');
  }

  userName(uid: number): string {
    return this.#source.userName(uid);
  }

  groupName(gid: number): string {
    return this.#source.groupName(gid);
  }

  async read(requests: readonly ReadRequest[], chunking: Chunking): Promise<ReadBatch> {
    const names = requests.map(({ name }) => printable(name));
    this.reads.push(...names);
    this.trouble.onRead?.(names);
    const { slab, results } = await this.#source.read(requests, chunking);
    const change = this.trouble.result ?? ((_, result) => result);
    return { slab, results: results.map((one, i) => change(names[i] as string, one)) };
  }

  /** The same directory, since reads go through its descriptor, with some of its methods replaced. */
  #wrap(directory: SourceDirectory, path: string): SourceDirectory {
    const { trouble } = this;
    const replaced: Partial<SourceDirectory> = {
      enter: async (name) => {
        const child = `${path}/${printable(name)}`;
        trouble.onEnter?.(child);
        return this.#wrap(await directory.enter(name), child);
      },
      list: async () => {
        trouble.onList?.(path);
        return directory.list();
      },
      ownFacts: () => {
        const facts = directory.ownFacts();
        return { ...facts, device: trouble.device?.(path) ?? facts.device };
      },
    };
    return new Proxy(directory, {
      get: (target, name) => {
        const value = Reflect.get(name in replaced ? replaced : target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source[Symbol.asyncDispose]();
  }
}

export type ScanResult = {
  readonly counts: ScanCounts;
  readonly problems: readonly { path: string; reason: string; isUnstable: boolean }[];
  /** What each path below the top became. */
  readonly entries: ReadonlyMap<string, TreeEntry>;
  readonly tree: readonly Uint8Array[];
  readonly chunksNew: number;
  readonly neededPacks: ReadonlySet<number>;
  readonly missing: readonly string[];
  readonly reads: readonly string[];
  /** Directories whose streams were stored, and not taken over from the catalog. */
  readonly directoriesStored: readonly string[];
};

/** Scans real directories into a store that keeps chunks in memory. The source may serve several benches. */
export class ScanBench {
  readonly source: TroubledSource;
  readonly store = new MemoryKeyValue();
  /** By id in hexadecimal: everything that was ever handed to a pack writer. */
  readonly chunks = new Map<string, Uint8Array>();
  /** Long after all changes: unless set back, everything looks settled. */
  nowMs = Date.now() + 3_600_000;
  #packs = 0;

  constructor(source: TroubledSource) {
    this.source = source;
    source.trouble = {};
  }

  async scan(
    paths: readonly string[],
    more: Partial<SelectionOptions> & { force?: boolean } = {},
  ): Promise<ScanResult> {
    const { force = false, ...selected } = more;
    const index = await DatasetIndex.open(this.store, dataset);
    const sink = this.#sink(index);
    const problems: { path: string; reason: string; isUnstable: boolean }[] = [];
    const none = { excludes: [], excludeIfPresent: [], excludeLargerThan: undefined };
    const selection = new Selection({
      ...none,
      excludeCaches: false,
      oneFileSystem: false,
      ...selected,
      paths: paths.map(utf8),
    });
    const { signal } = new AbortController();
    const { source } = this;
    const shared = { source, chunking: sampleChunking, sink, signal };
    const scan = new TreeScan({
      ...shared,
      index,
      reader: new FileReader({ ...shared, lanes: 2, onProgress: () => {} }),
      selection,
      idKey: sampleChunking.idKey,
      clock: { nowMs: () => this.nowMs, monotonicMs: () => 0, sleep: async () => {} },
      pendingFiles: new Semaphore(16),
      pendingDirectories: new Semaphore(4),
      force,
      onProblem: (path, reason, isUnstable) => {
        problems.push({ path: printable(path), reason, isUnstable });
      },
      onProgress: () => {},
    });
    const before = this.source.reads.length;
    const top = await this.source.open(utf8('/'));
    const tree = await scan.run(top);
    await sink.flush('data');
    await sink.flush('metadata');
    await index.rememberDirectories(scan.finished);
    return {
      counts: scan.counts,
      problems,
      entries: this.#list(tree),
      tree,
      chunksNew: sink.chunksNew,
      neededPacks: scan.neededPacks,
      missing: selection.missing().map(printable),
      reads: this.source.reads.slice(before),
      directoriesStored: scan.finished.map(({ path }) => printable(path)),
    };
  }

  /** Packs that have a name and a list of chunks, and nothing that could be placed. */
  #sink(index: DatasetIndex): ContentSink {
    const open: WrittenPack['records'][number][] = [];
    let ordinal: number | undefined;
    const nothing = { shards: [], leaves: [], roots: [] };
    const add = (id: Uint8Array, bytes: Uint8Array): number => {
      this.chunks.set(toHex(id), bytes.slice());
      ordinal ??= index.takeOrdinal();
      const place = { frame: 0, frameOffset: 60, frameSize: 900, offset: 0, length: bytes.length };
      open.push({ id: id.slice(), pack: this.#packId(0), ...place });
      return ordinal;
    };
    const flush = async (): Promise<void> => {
      if (ordinal === undefined) return;
      const pack = this.#packId(++this.#packs);
      const records = open.splice(0).map((record) => ({ ...record, pack }));
      const entry = { pack, k: 1, m: 0, type: 'data' as const, size: 1000 };
      sink.accept({ ordinal, entry, records, encoded: nothing, bytesDense: 0, keyEpoch: 1 });
      ordinal = undefined;
    };
    const writer = { add, flush, bytesInProgress: 0 };
    const sink: ContentSink = new ContentSink({
      index,
      writers: { data: writer, metadata: writer },
      place: async () => {},
      bytesInFlightMax: Number.POSITIVE_INFINITY,
    });
    return sink;
  }

  #packId(i: number): PackId {
    return idOf<PackId>(new Uint8Array(32).fill(i));
  }

  #list(tree: readonly Uint8Array[]): Map<string, TreeEntry> {
    const entries = new Map<string, TreeEntry>();
    const enter = (ids: readonly Uint8Array[], path: string): void => {
      for (const entry of ids.flatMap((id) => decodeEntries(this.#chunk(id)))) {
        const child = `${path}/${printable(entry.name)}`;
        entries.set(child, entry);
        if (kindOf(entry.mode) === 'directory') enter(entry.tree, child);
      }
    };
    enter(tree, '');
    return entries;
  }

  #chunk(id: Uint8Array): Uint8Array {
    const bytes = this.chunks.get(toHex(id));
    if (bytes === undefined) throw new Error(`chunk ${toHex(id)} was never stored`);
    return bytes;
  }

  /** A file's bytes, from its chunks. */
  content(entry: TreeEntry | undefined): Uint8Array {
    if (entry === undefined) throw new Error('there is no such entry');
    const listed = entry.contentList.flatMap((id) => decodeExtents(this.#chunk(id)));
    const parts = [...entry.content, ...listed].map(({ id, length }) =>
      id === undefined ? new Uint8Array(length) : this.#chunk(id),
    );
    return concat(parts);
  }
}
