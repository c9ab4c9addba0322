import { fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { Chunker } from '../../src/core/coding/chunker.ts';
import { KeyedHasher } from '../../src/core/crypto/hash.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import type {
  Chunking,
  FileFacts,
  ReadBatch,
  ReadRequest,
  ReadResult,
  SlabExtent,
  Source,
  SourceDirectory,
  SourceEntry,
} from '../../src/ports/source.ts';
import { factsOf, type Inode, type SimTree } from './tree.ts';

/** Waits as long as the disk takes; for ever when the host has crashed meanwhile. */
type Pause = () => Promise<void>;

/** The files of a simulated host. What is read may change between two reads. */
export class SimSource implements Source {
  readonly #tree: SimTree;
  readonly #pause: Pause;
  readonly #tears: boolean;
  readonly #onLook: () => void;

  /**
   * `tears`: a file may change while it is read; only where the kernel's clock tells such a change.
   * `onLook`: told of each file that is read.
   */
  constructor(
    tree: SimTree,
    { pause, tears, onLook }: { pause: Pause; tears: boolean; onLook: () => void },
  ) {
    this.#tree = tree;
    this.#pause = pause;
    this.#tears = tears;
    this.#onLook = onLook;
  }

  async open(path: Uint8Array): Promise<SourceDirectory> {
    const text = fromUtf8(path) ?? '';
    const inode = this.#tree.find(text.slice(0, text.lastIndexOf('/'))) ?? this.#tree.root;
    return new SimSourceDirectory(text === '/' ? this.#tree.root : inode, this.#pause);
  }

  userName(): string {
    return 'user';
  }

  groupName(): string {
    return 'group';
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async read(requests: readonly ReadRequest[], chunking: Chunking): Promise<ReadBatch> {
    const parts: Uint8Array[] = [];
    const results: ReadResult[] = [];
    const slab = { size: 0 };
    for (const request of requests) {
      await this.#pause();
      this.#onLook();
      results.push(await this.#readOne(request, chunking, { parts, slab }));
    }
    const bytes = new Uint8Array(slab.size);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return { slab: bytes, results };
  }

  async #readOne(
    { directory, name, offset }: ReadRequest,
    chunking: Chunking,
    { parts, slab }: { parts: Uint8Array[]; slab: { size: number } },
  ): Promise<ReadResult> {
    const { inode: parent } = directory as SimSourceDirectory;
    const inode = parent.children?.get(textOf(name));
    if (inode === undefined) return { outcome: 'vanished' };
    const facts = factsOf(inode);
    const content = await this.#content(inode);
    const extents: SlabExtent[] = [];
    let start = offset;
    if (start === 0 && inode.holeSize > 0 && inode.holeSize <= content.length) {
      extents.push({ kind: 'hole', length: inode.holeSize });
      start = inode.holeSize;
    }
    const chunker = new Chunker(chunking);
    const hasher = new KeyedHasher(chunking.idKey);
    while (start < content.length) {
      const end = chunker.next(content, start, content.length, true) ?? content.length;
      const chunk = content.subarray(start, end);
      extents.push({
        kind: 'chunk',
        offset: slab.size,
        length: chunk.length,
        id: hasher.hash(chunk),
      });
      parts.push(chunk);
      slab.size += chunk.length;
      start = end;
    }
    const isStable = sameFacts(facts, factsOf(inode));
    return { outcome: 'read', facts, xattrs: [], isStable, extents, next: undefined };
  }

  /** The second half is read later than the first. */
  async #content(inode: Inode): Promise<Uint8Array> {
    const half = inode.content.length >> 1;
    const first = inode.content.slice(0, half);
    if (this.#tears && half > 8192) await this.#pause();
    const second = inode.content.subarray(half);
    const content = new Uint8Array(first.length + second.length);
    content.set(first);
    content.set(second, first.length);
    return content;
  }
}

function sameFacts(a: FileFacts, b: FileFacts): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

class SimSourceDirectory implements SourceDirectory {
  readonly inode: Inode;
  readonly #pause: Pause;

  constructor(inode: Inode, pause: Pause) {
    this.inode = inode;
    this.#pause = pause;
  }

  async list(): Promise<readonly SourceEntry[]> {
    await this.#pause();
    const children = [...(this.inode.children ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    return children.map(([name, inode]) => ({ name: utf8(name), facts: factsOf(inode) }));
  }

  async enter(name: Uint8Array): Promise<SourceDirectory> {
    await this.#pause();
    const inode = this.#child(name);
    if (inode.children === undefined) throw new HoldfastError('io-error', 'not a directory');
    return new SimSourceDirectory(inode, this.#pause);
  }

  readLink(name: Uint8Array): Uint8Array {
    const { target } = this.#child(name);
    if (target === undefined) throw new HoldfastError('io-error', 'not a link');
    return target;
  }

  xattrs(name: Uint8Array): readonly { name: Uint8Array; value: Uint8Array }[] {
    this.#child(name);
    return [];
  }

  ownXattrs(): readonly [] {
    return [];
  }

  ownFacts(): FileFacts {
    return factsOf(this.inode);
  }

  peek(name: Uint8Array, size: number): Uint8Array | undefined {
    return this.inode.children?.get(textOf(name))?.content.subarray(0, size);
  }

  #child(name: Uint8Array): Inode {
    const inode = this.inode.children?.get(textOf(name));
    if (inode === undefined) throw new HoldfastError('not-found', 'it has vanished');
    return inode;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function textOf(name: Uint8Array): string {
  return fromUtf8(name) ?? '';
}
