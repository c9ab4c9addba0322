import type { Manifest } from '../format/records.ts';

/**
 * What a dataset is like, without a name and without content: made-up data of this shape stands for it where the
 * data itself may not be. Rates are per mille.
 */
export type DatasetShape = {
  readonly files: number;
  readonly directories: number;
  readonly bytes: number;
  /** Of the content: what compression cannot shrink. */
  readonly densePermille: number;
  /** Of the files, from one snapshot to the next. */
  readonly changedPermille: number;
  /** How many files have 2^i up to 2^(i+1) - 1 bytes (i = 0 also has the empty ones); undefined: nobody has looked. */
  readonly sizes?: readonly number[];
  /** How many files lie below i directories; undefined: nobody has looked. */
  readonly depths?: readonly number[];
};

/** Snapshots that are looked at for rates: of years, the last weeks say what is usual now. */
const countedMax = 64;

/** What the signed records of a dataset's snapshots (oldest first) tell of it; undefined: there are none. */
export function shapeOf(
  manifests: readonly Pick<Manifest, 'totals' | 'changes'>[],
): DatasetShape | undefined {
  const newest = manifests.at(-1);
  if (newest === undefined) return undefined;
  const { files, directories, bytes } = newest.totals;
  const sum = (pick: (one: (typeof manifests)[number]) => number): number =>
    manifests.slice(-countedMax).reduce((total, one) => total + pick(one), 0);
  // The first has nothing to compare with.
  const isCompared = ({ changes }: (typeof manifests)[number]): boolean =>
    changes.filesCompared > 0;
  const compared = sum(({ changes }) => changes.filesCompared);
  const changed = sum((one) => (isCompared(one) ? one.totals.filesChanged : 0));
  const isNew = sum(({ changes }) => changes.bytesNew);
  const dense = sum(({ changes }) => changes.bytesDense);
  return {
    ...{ files, directories, bytes },
    densePermille: permille(dense, isNew),
    changedPermille: permille(changed, compared),
  };
}

/** What the entries of a snapshot themselves show, counted one after the other. */
export class ShapeCounter {
  readonly #sizes: number[] = [];
  readonly #depths: number[] = [];

  /** Size in bytes. */
  add(entry: { readonly kind: string; readonly path: string; readonly size: number }): void {
    const { kind, path, size } = entry;
    if (kind !== 'file') return;
    count(this.#sizes, size < 2 ? 0 : Math.floor(Math.log2(size)));
    count(this.#depths, Math.min(64, path.split('/').filter((part) => part !== '').length - 1));
  }

  /** The shape with what was counted; as it is when no file was. */
  of(shape: DatasetShape): DatasetShape {
    if (this.#sizes.length === 0) return shape;
    return { ...shape, sizes: [...this.#sizes], depths: [...this.#depths] };
  }
}

function count(counts: number[], at: number): void {
  while (counts.length <= at) counts.push(0);
  counts[at] = (counts[at] ?? 0) + 1;
}

function permille(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.min(1000, Math.round((part * 1000) / whole));
}
