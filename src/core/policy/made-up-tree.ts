import type { DatasetShape } from './data-shape.ts';

export type MadeUpFile = {
  /** Relative, with slashes. */
  readonly path: string;
  readonly size: number;
  /** Compression cannot shrink it. */
  readonly isDense: boolean;
};

export type MadeUpTree = {
  readonly files: readonly MadeUpFile[];
  readonly bytes: number;
  /** How many times larger the dataset is. At least 1. */
  readonly scale: number;
};

/** Fewer files show nothing: tripwires compare ten at least. */
const filesMin = 24;
const perDirectoryDefault = 20;
/** Of the logarithm of sizes where nobody has looked: most files are small, and most bytes lie in few. */
const spread = 1.6;

/**
 * Files that are like those of a dataset, in no more than these bounds. `draw`: numbers from 0 to below 1; the same
 * ones give the same tree.
 */
export function madeUpTree(
  shape: DatasetShape,
  bounds: { readonly bytesMax: number; readonly filesMax: number },
  draw: () => number,
): MadeUpTree {
  const share = Math.min(
    1,
    bounds.bytesMax / Math.max(1, shape.bytes),
    bounds.filesMax / Math.max(1, shape.files),
  );
  const files = Math.min(bounds.filesMax, Math.max(filesMin, Math.round(shape.files * share)));
  const bytes = Math.max(files, Math.round(shape.bytes * share));
  const sizes = sizesOf(shape, { files, bytes }, draw);
  const perDirectory =
    shape.directories === 0
      ? perDirectoryDefault
      : Math.max(1, Math.round(shape.files / shape.directories));
  const made = sizes.map((size, i) => ({
    path: pathOf(i, { perDirectory, depth: drawn(shape.depths, draw) }),
    size,
    isDense: draw() * 1000 < shape.densePermille,
  }));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return { files: made, bytes: total, scale: Math.max(1, shape.bytes / Math.max(1, total)) };
}

/** Drawn as the dataset has them, then brought to the sum that is wanted. */
function sizesOf(
  { sizes }: DatasetShape,
  wanted: { files: number; bytes: number },
  draw: () => number,
): number[] {
  const weights = Array.from({ length: wanted.files }, () => {
    const at = drawn(sizes, draw);
    return at === undefined ? Math.exp(spread * normal(draw)) : 2 ** at * (1 + draw());
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => Math.max(1, Math.round((weight / sum) * wanted.bytes)));
}

/** Files that follow each other lie together; the path of a file says nothing but its number. */
function pathOf(
  i: number,
  { perDirectory, depth = 2 }: { perDirectory: number; depth?: number | undefined },
): string {
  let group = Math.floor(i / perDirectory);
  const parts: string[] = [];
  for (let level = 0; level < Math.min(depth, 16); level++) {
    parts.unshift(`d${group % 16}`);
    group = Math.floor(group / 16);
  }
  return [...parts, `f${i}`].join('/');
}

/** An index with the chance of its count; undefined without counts. */
function drawn(counts: readonly number[] | undefined, draw: () => number): number | undefined {
  if (counts === undefined) return undefined;
  const total = counts.reduce((sum, count) => sum + count, 0);
  let left = draw() * total;
  for (const [i, count] of counts.entries()) {
    left -= count;
    if (left < 0) return i;
  }
  return counts.length - 1;
}

/** Box and Muller. */
function normal(draw: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
}
