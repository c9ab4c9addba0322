import { readdirSync } from 'node:fs';
import { compare } from '../../base/bytes.ts';
import type { Xattr } from '../../core/format/tree.ts';
import { factsOf, statOf } from './file-facts.ts';
import { factsSize, putFacts } from './packed-facts.ts';
import { errnoOf } from './system-error.ts';
import { readXattrs } from './xattrs.ts';

// What passes between the main thread and a worker that lists directories, and the listing itself.

/** Each directory by the prefix of its entries' paths, which leads through a descriptor that the sender keeps open. */
export type ListJob = { readonly prefixes: readonly Uint8Array[] };

/** All directories in few objects, whatever their number. Of one that failed nothing is in the arrays. */
export type ListAnswer = {
  /** Entries of each directory. */
  readonly counts: Uint32Array<ArrayBuffer>;
  /** Of all entries, one after another, in name order. */
  readonly names: Uint8Array<ArrayBuffer>;
  readonly nameSizes: Uint16Array<ArrayBuffer>;
  /** `factsSize` numbers for each entry. */
  readonly rows: BigInt64Array<ArrayBuffer>;
  /** The directories' own, by their place. Most have none. */
  readonly xattrs: ReadonlyMap<number, readonly Xattr[]>;
  readonly failures: ReadonlyMap<number, ListFailure>;
};

/** A failed system call, for the other thread. */
export type ListFailure = { readonly errno: string; readonly message: string };

type Names = { readonly prefix: Buffer; readonly names: readonly Buffer[] };

/** Names, facts and own attributes of all; entries that vanish meanwhile are left out. */
export function listAll({ prefixes }: ListJob): ListAnswer {
  const xattrs = new Map<number, readonly Xattr[]>();
  const failures = new Map<number, ListFailure>();
  const found = prefixes.map((bytes, i): Names => {
    const prefix = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    try {
      const self = Buffer.concat([prefix, dot]);
      const own = readXattrs(self);
      if (own.length > 0) xattrs.set(i, own);
      return { prefix, names: readdirSync(self, { encoding: 'buffer' }).sort(compare) };
    } catch (error) {
      failures.set(i, failureOf(error));
      return { prefix, names: [] };
    }
  });
  const all = found.flatMap(({ names }) => names);
  const nameBytes = all.reduce((total, name) => total + name.length, 0);
  const packed = new PackedEntries(all.length, nameBytes);
  const counts = Uint32Array.from(found, (directory, i) => {
    try {
      return packed.add(directory);
    } catch (error) {
      failures.set(i, failureOf(error));
      return 0;
    }
  });
  return { counts, ...packed.taken(), xattrs, failures };
}

const dot = Buffer.from('.');

class PackedEntries {
  readonly #names: Uint8Array<ArrayBuffer>;
  readonly #nameSizes: Uint16Array<ArrayBuffer>;
  readonly #rows: BigInt64Array<ArrayBuffer>;
  #nameAt = 0;
  #entry = 0;

  /** As many at most. */
  constructor(entries: number, nameBytes: number) {
    this.#names = new Uint8Array(nameBytes);
    this.#nameSizes = new Uint16Array(entries);
    this.#rows = new BigInt64Array(entries * factsSize);
  }

  /** Whole or not at all. @returns how many there are */
  add({ prefix, names }: Names): number {
    const [entry, nameAt] = [this.#entry, this.#nameAt];
    try {
      for (const name of names) this.#addOne(prefix, name);
    } catch (error) {
      [this.#entry, this.#nameAt] = [entry, nameAt];
      throw error;
    }
    return this.#entry - entry;
  }

  #addOne(prefix: Buffer, name: Buffer): void {
    const stats = statOf(Buffer.concat([prefix, name]));
    if (stats === undefined) return;
    putFacts(this.#rows, this.#entry * factsSize, factsOf(stats));
    this.#names.set(name, this.#nameAt);
    this.#nameSizes[this.#entry] = name.length;
    this.#nameAt += name.length;
    this.#entry++;
  }

  taken(): Pick<ListAnswer, 'names' | 'nameSizes' | 'rows'> {
    return { names: this.#names, nameSizes: this.#nameSizes, rows: this.#rows };
  }
}

/** @throws what is no failed system call */
function failureOf(error: unknown): ListFailure {
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  return { errno, message: (error as Error).message };
}
