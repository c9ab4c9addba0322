import { createHash } from 'node:crypto';
import { utf8 } from '../../src/base/bytes.ts';
import { idOf, type PackId } from '../../src/core/ids.ts';
import type {
  Chunking,
  FileFacts,
  ReadBatch,
  ReadRequest,
  Source,
  SourceDirectory,
  SourceEntry,
} from '../../src/ports/source.ts';

const filesPerDirectory = 1000;
const fileSize = 100;

export const plannedChunking: Chunking = {
  min: 16_384,
  average: 65_536,
  max: 262_144,
  cutKey: new Uint8Array(40).fill(1),
  idKey: new Uint8Array(32).fill(2),
};

/** A tree below /all that follows from its number of files alone. */
export class PlannedSource implements Source {
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  async open(): Promise<SourceDirectory> {
    const directories = Math.ceil(this.#count / filesPerDirectory);
    const leaves = Array.from({ length: directories }, (_, i) => {
      const files = Math.min(filesPerDirectory, this.#count - i * filesPerDirectory);
      const first = i * filesPerDirectory;
      return { name: nameOf('d', i), number: i, list: () => filesOf(first, files) };
    });
    const all = new PlannedDirectory(leaves);
    return new PlannedDirectory([{ name: utf8('all'), number: -1, list: () => [], child: all }]);
  }

  userName(): string {
    return 'root';
  }

  groupName(): string {
    return 'root';
  }

  async read(requests: readonly ReadRequest[]): Promise<ReadBatch> {
    const slab = new Uint8Array(requests.length * fileSize);
    const results = requests.map(({ name }, i) => {
      const id = new Uint8Array(createHash('sha256').update(name).digest());
      const facts = factsAt(Number(new TextDecoder().decode(name.subarray(1))), 0o100644);
      const extent = { kind: 'chunk', offset: i * fileSize, length: fileSize, id } as const;
      return {
        outcome: 'read',
        facts,
        xattrs: [],
        isStable: true,
        extents: [extent],
        next: undefined,
      } as const;
    });
    return { slab, results };
  }

  /** A name for what would have been written. */
  packOf(ordinal: number): PackId {
    return idOf<PackId>(new Uint8Array(createHash('sha256').update(`pack ${ordinal}`).digest()));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

type Below = {
  readonly name: Uint8Array;
  readonly number: number;
  readonly list: () => SourceEntry[];
  readonly child?: PlannedDirectory;
};

class PlannedDirectory implements SourceDirectory {
  readonly #below: readonly Below[];
  readonly #files: readonly SourceEntry[];

  constructor(below: readonly Below[], files: readonly SourceEntry[] = []) {
    this.#below = below;
    this.#files = files;
  }

  async list(): Promise<readonly SourceEntry[]> {
    const directories = this.#below.map(({ name, number }) => ({
      name,
      facts: factsAt(number, 0o040755),
    }));
    return [...directories, ...this.#files];
  }

  async enter(name: Uint8Array): Promise<SourceDirectory> {
    const wanted = String(name);
    const found = this.#below.find((one) => String(one.name) === wanted);
    if (found === undefined) throw new Error('no such directory was planned');
    return found.child ?? new PlannedDirectory([], found.list());
  }

  readLink(): Uint8Array {
    throw new Error('no links were planned');
  }

  xattrs(): readonly never[] {
    return [];
  }

  ownXattrs(): readonly never[] {
    return [];
  }

  ownFacts(): FileFacts {
    return factsAt(0, 0o040755);
  }

  peek(): undefined {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function nameOf(letter: string, number: number): Uint8Array {
  return utf8(letter + String(number).padStart(9, '0'));
}

function filesOf(first: number, count: number): SourceEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    name: nameOf('f', first + i),
    facts: factsAt(first + i, 0o100644),
  }));
}

function factsAt(number: number, mode: number): FileFacts {
  return {
    mode,
    uid: 0,
    gid: 0,
    size: fileSize,
    mtimeNs: 1_700_000_000_000_000_000n,
    ctimeNs: 1_700_000_000_000_000_000n,
    inode: BigInt(number + 10),
    device: 1n,
    rdev: 0n,
    linkCount: 1,
  };
}
