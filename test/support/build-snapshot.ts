import { inlineCompute } from '../../src/adapters/compute/inline.ts';
import { assert } from '../../src/base/assert.ts';
import { compare, concat, equal, toHex, utf8 } from '../../src/base/bytes.ts';
import { hash, KeyedHasher } from '../../src/core/crypto/hash.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import type { PackEntry } from '../../src/core/format/facts.ts';
import type { PackType } from '../../src/core/format/frame.ts';
import { encodeIndexSegments, type IndexRecord } from '../../src/core/format/index-segment.ts';
import { noChanges } from '../../src/core/format/manifest.ts';
import { assemblePack, encodeFooter, encodePackHeader } from '../../src/core/format/pack.ts';
import { RecordCutter } from '../../src/core/format/record-cutter.ts';
import type { BlobRef, Manifest } from '../../src/core/format/records.ts';
import { encodeRoot } from '../../src/core/format/root.ts';
import { packIdOf } from '../../src/core/format/shard.ts';
import {
  type Extent,
  encodeEntry,
  encodeExtent,
  type TreeEntry,
} from '../../src/core/format/tree.ts';
import {
  type AgentKey,
  type DatasetId,
  idBytes,
  type PackId,
  type PeerKey,
} from '../../src/core/ids.ts';
import type { Clock } from '../../src/ports/runtime.ts';
import type { Sealer } from '../../src/ports/sealer.ts';
import { FrameReader } from '../../src/services/frame-reader.ts';
import type { ShardHolder } from '../../src/services/holder-history.ts';
import {
  type PackLocation,
  PackReader,
  type PackReaderOptions,
} from '../../src/services/pack-reader.ts';
import { SnapshotReader } from '../../src/services/snapshot-reader.ts';
import { collectingLog } from './collecting-log.ts';
import { PullNetwork } from './pull-network.ts';
import { entryWith } from './tree-entries.ts';

export const dataset = '0d'.repeat(16) as DatasetId;
const writer = '0e'.repeat(32) as AgentKey;
const identity = 'IDENTITY-1';

/** A name and what stands under it. `pack`: which of the data packs its chunks go to, 0 unless given. */
export type SampleNode =
  | {
      readonly kind: 'file';
      readonly content: Uint8Array | readonly SamplePart[];
      readonly pack?: number;
      readonly hasList?: boolean;
      readonly entry?: Partial<TreeEntry>;
    }
  | {
      readonly kind: 'directory';
      readonly children: SampleTree;
      readonly pack?: number;
      readonly entry?: Partial<TreeEntry>;
    }
  | { readonly kind: 'raw'; readonly entry: Partial<TreeEntry> };

/** Bytes, or a hole of so many. */
export type SamplePart = Uint8Array | number;

/** Names, not necessarily in order. */
export type SampleTree = Readonly<Record<string, SampleNode>>;

export type SampleOptions = {
  readonly k?: number;
  readonly m?: number;
  readonly chunkSize?: number;
  /** Chunks of one frame. */
  readonly frameChunks?: number;
  readonly clock: Clock;
  readonly idKey?: Uint8Array;
};

/** A data file of bytes that follow from the seed, and do not compress. */
export function file(
  size: number,
  seed = size + 1,
  more: { pack?: number; entry?: Partial<TreeEntry> } = {},
): SampleNode {
  return { kind: 'file', content: noise(size, seed), ...more };
}

export function directory(children: SampleTree, entry: Partial<TreeEntry> = {}): SampleNode {
  return { kind: 'directory', children, entry };
}

export function noise(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** Seals to a name: enough to tell the right key from a wrong one. */
export function plainSealer(): Sealer {
  const mark = utf8(`sealed to ${identity}\n`);
  return {
    generate: async () => ({ identity, recipient: identity }),
    recipientOf: async (of) => of,
    seal: async (_recipients, secret) => concat([mark, secret]),
    open: async (by, sealed) => {
      if (by !== identity || !equal(sealed.subarray(0, mark.length), mark)) {
        throw new HoldfastError('wrong-key', 'not sealed to this key');
      }
      return sealed.slice(mark.length);
    },
  };
}

type Chunk = { readonly id: Uint8Array; readonly bytes: Uint8Array };

/** Gathers chunks of a pack to be. */
class SamplePack {
  readonly chunks: Chunk[] = [];
  readonly #seen = new Set<string>();

  add(chunk: Chunk): void {
    const name = toHex(chunk.id);
    if (this.#seen.has(name)) return;
    this.#seen.add(name);
    this.chunks.push(chunk);
  }
}

/** A snapshot whose shards lie on peers in memory: shard i of every pack at peer i. */
export class SampleSnapshot {
  readonly network: PullNetwork;
  readonly clock: Clock;
  readonly log = collectingLog();
  readonly compute = inlineCompute();
  readonly sealer = plainSealer();
  readonly entries = new Map<PackId, PackEntry>();
  /** In order of their numbers in the tree. */
  readonly dataPacks: PackId[] = [];
  metadataPack = '' as PackId;
  manifest: Manifest | undefined;
  readonly k: number;
  readonly m: number;
  readonly #options: SampleOptions;
  readonly #hasher: KeyedHasher;
  readonly idKey: Uint8Array;
  readonly #data: SamplePack[] = [];
  readonly #metadata = new SamplePack();
  readonly #records: IndexRecord[] = [];
  /** Replaces what receipts say. */
  holders: (pack: PackId) => readonly ShardHolder[];

  constructor(options: SampleOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.network = new PullNetwork(options.clock);
    this.k = options.k ?? 3;
    this.m = options.m ?? 2;
    this.idKey = options.idKey ?? new Uint8Array(32).fill(7);
    this.#hasher = new KeyedHasher(this.idKey);
    this.holders = (pack) => {
      const { k, m } = this.entries.get(pack) as PackEntry;
      return Array.from({ length: k + m }, (_, index) => ({
        peer: peerAt(index),
        site: `site-${index}`,
        index,
      }));
    };
  }

  get peers(): PeerKey[] {
    return Array.from({ length: this.k + this.m }, (_, index) => peerAt(index));
  }

  packReader(more: Partial<PackReaderOptions> = {}): PackReader {
    const locate = (pack: PackId): PackLocation | undefined => {
      const entry = this.entries.get(pack);
      return entry === undefined ? undefined : { entry, holders: this.holders(pack) };
    };
    const { network, compute, clock, log } = this;
    return new PackReader({ network, source: { locate }, compute, clock, log, ...more });
  }

  frameReader(
    packs = this.packReader(),
    more: { cacheBytesMax?: number; identities?: string[]; dataset?: DatasetId } = {},
  ): FrameReader {
    const { compute, sealer } = this;
    return new FrameReader({ packs, compute, sealer, dataset, identities: [identity], ...more });
  }

  async open(packs = this.packReader()): Promise<SnapshotReader> {
    assert(this.manifest !== undefined, 'the snapshot is built');
    return SnapshotReader.open({ manifest: this.manifest, frames: this.frameReader(packs) });
  }

  store(bytes: Uint8Array, pack: number | 'metadata'): Uint8Array {
    return this.storeAs(this.#hasher.hash(bytes), bytes, pack);
  }

  /** Under any id: for chunks that are not what they are called. */
  storeAs(id: Uint8Array, bytes: Uint8Array, pack: number | 'metadata'): Uint8Array {
    if (pack === 'metadata') this.#metadata.add({ id, bytes });
    else {
      while (this.#data.length <= pack) this.#data.push(new SamplePack());
      this.#data[pack]?.add({ id, bytes });
    }
    return id;
  }

  /** @returns the chunk ids of the directory's stream. `pack`: where the stream goes. */
  storeTree(tree: SampleTree, pack: number | 'metadata' = 'metadata'): Uint8Array[] {
    const entries = Object.entries(tree)
      .map(([name, node]) => this.#entry(utf8(name), node))
      .sort((a, b) => compare(a.name, b.name));
    return this.storeEntries(entries, pack);
  }

  storeEntries(
    entries: readonly TreeEntry[],
    pack: number | 'metadata' = 'metadata',
  ): Uint8Array[] {
    const cutter = new RecordCutter();
    const ids: Uint8Array[] = [];
    const keep = (chunk: Uint8Array | undefined): void => {
      if (chunk !== undefined) ids.push(this.store(chunk, pack));
    };
    for (const entry of entries)
      keep(cutter.add(encodeEntry(entry), () => hash('path', entry.name)));
    keep(cutter.finish());
    return ids;
  }

  #entry(name: Uint8Array, node: SampleNode): TreeEntry {
    if (node.kind === 'raw') return entryWith({ name, ...node.entry });
    if (node.kind === 'directory') {
      const tree = this.storeTree(node.children, node.pack ?? 'metadata');
      return entryWith({ name, mode: 0o040755, tree, ...node.entry });
    }
    const extents = this.#extents(node.content, node.pack ?? 0);
    const size = extents.reduce((sum, { length }) => sum + length, 0);
    const list = node.hasList === true ? this.#list(extents) : [];
    const content = node.hasList === true ? [] : extents;
    return entryWith({ name, size, content, contentList: list, ...node.entry });
  }

  #extents(content: Uint8Array | readonly SamplePart[], pack: number): Extent[] {
    const parts = content instanceof Uint8Array ? [content] : content;
    const chunkSize = this.#options.chunkSize ?? 50_000;
    return parts.flatMap((part): Extent[] => {
      if (typeof part === 'number') return [{ id: undefined, length: part }];
      const count = Math.ceil(part.length / chunkSize);
      return Array.from({ length: count }, (_, i) => {
        const bytes = part.subarray(i * chunkSize, (i + 1) * chunkSize);
        return { id: this.store(bytes, pack), length: bytes.length };
      });
    });
  }

  #list(extents: readonly Extent[]): Uint8Array[] {
    // Cut early, so that a list has several chunks without being long.
    const ids: Uint8Array[] = [];
    for (let i = 0; i < extents.length; i += 2) {
      const records = extents.slice(i, i + 2).map(encodeExtent);
      ids.push(this.store(concat(records), 'metadata'));
    }
    return ids;
  }

  /** Seals everything stored, places it, and signs nothing: readers take a manifest as verified. */
  async finish(tree: readonly Uint8Array[]): Promise<this> {
    for (const data of this.#data) {
      const code = { k: this.k, m: this.m };
      this.dataPacks.push(await this.#place(data.chunks, 'data', code));
    }
    const copies = { k: 1, m: this.k + this.m - 1 };
    this.metadataPack = await this.#place(this.#metadata.chunks, 'metadata', copies);
    const segments = encodeIndexSegments(this.#records);
    const index = [];
    for (const { bytes, count } of segments) index.push({ blob: await this.#blob(bytes), count });
    const { idKey } = this;
    const paths = [utf8('/')];
    const root = encodeRoot({ tree, index, paths, idKey, unstable: [], host: 'sample' });
    this.manifest = manifestWith(await this.#blob(root));
    return this;
  }

  async #blob(bytes: Uint8Array): Promise<BlobRef> {
    const chunk = { id: this.#hasher.hash(bytes), bytes };
    const before = this.#records.length;
    await this.#place([chunk], 'metadata', { k: 1, m: this.k + this.m - 1 });
    const record = this.#records[before];
    assert(record !== undefined, 'the blob was placed');
    const { id: _, ...blob } = record;
    return blob;
  }

  async #place(
    chunks: readonly Chunk[],
    type: PackType,
    { k, m }: { k: number; m: number },
  ): Promise<PackId> {
    const { bytes, frames } = await this.#seal(chunks, type);
    const size = bytes.length;
    const encoded = await this.compute.encode({ parts: [bytes], k, m });
    const { roots } = encoded;
    const pack = packIdOf({ k, m, packSize: size, roots });
    this.entries.set(pack, { pack, k, m, type, size });
    for (const frame of frames) {
      for (const record of frame) this.#records.push({ ...record, pack });
    }
    for (const [index, shard] of encoded.shards.entries()) {
      const leaves = encoded.leaves[index] as Uint8Array;
      const head = { pack, k, m, packSize: size, roots, index, leaves, dataset, writer, type };
      this.network.give(peerAt(index), { head, bytes: shard });
    }
    return pack;
  }

  async #seal(
    chunks: readonly Chunk[],
    type: PackType,
  ): Promise<{ bytes: Uint8Array; frames: Omit<IndexRecord, 'pack'>[][] }> {
    const salt = hash('path', ...chunks.map(({ id }) => id)).slice(0, 16);
    const key = hash('fact', salt);
    const sealedKey = await this.sealer.seal([identity], key);
    const header = encodePackHeader({ type, dataset, salt, sealedKey });
    const frameChunks = this.#options.frameChunks ?? 4;
    const sealed: Uint8Array[] = [];
    const footer: { sealedSize: number; chunks: { id: Uint8Array; length: number }[] }[] = [];
    const frames: Omit<IndexRecord, 'pack'>[][] = [];
    let frameOffset = header.length;
    const seal = (plain: Uint8Array, index: bigint): Promise<Uint8Array> => {
      const context = { type, dataset: idBytes(dataset), salt, index };
      return this.compute.sealFrame({ plain, key, context, level: 1 });
    };
    for (let at = 0; at < chunks.length; at += frameChunks) {
      const group = chunks.slice(at, at + frameChunks);
      const frame = frames.length;
      const bytes = await seal(concat(group.map((chunk) => chunk.bytes)), BigInt(frame));
      let offset = 0;
      frames.push(
        group.map(({ id, bytes: { length } }) => {
          const record = { id, frame, frameOffset, frameSize: bytes.length, offset, length };
          offset += length;
          return record;
        }),
      );
      sealed.push(bytes);
      const listed = group.map(({ id, bytes: { length } }) => ({ id, length }));
      footer.push({ sealedSize: bytes.length, chunks: listed });
      frameOffset += bytes.length;
    }
    const sealedFooter = await seal(encodeFooter(footer), 0xffff_ffff_ffff_ffffn);
    return { bytes: assemblePack(header, sealed, sealedFooter), frames };
  }
}

/** The key of the peer that holds the shards of this index. */
export function peerAt(index: number): PeerKey {
  return (index + 0xa0).toString(16).repeat(32) as PeerKey;
}

export async function buildSnapshot(
  tree: SampleTree,
  options: SampleOptions,
): Promise<SampleSnapshot> {
  const sample = new SampleSnapshot(options);
  return sample.finish(sample.storeTree(tree));
}

function manifestWith(root: BlobRef): Manifest {
  return {
    dataset,
    writerEpoch: 1,
    sequence: 1,
    previous: undefined,
    snapshotKind: 'full',
    policyVersion: 1,
    keyEpoch: 1,
    root,
    packSegments: [],
    totals: {
      files: 0,
      directories: 0,
      others: 0,
      bytes: 0,
      bytesRead: 0,
      bytesAdded: 0,
      filesNew: 0,
      filesChanged: 0,
      filesUnmodified: 0,
      filesUnstable: 0,
      chunksNew: 0,
      durationMs: 0,
    },
    sourceTimeMs: 0,
    nextByMs: 0,
    tags: [],
    host: 'sample',
    program: 'test',
    surviveSites: 2,
    changes: noChanges,
  };
}
