import { addMultiple, multiply } from './gf256.ts';
import { type Kernel, kernel } from './kernels/kernel.ts';

/**
 * For each row, the sum over all sources of the row's factor times the source, over GF(2^8); fresh arrays of `size`
 * bytes, as each source has.
 */
export type Combine = (
  rows: readonly Uint8Array[],
  sources: readonly Uint8Array[],
  size: number,
) => Uint8Array[];

/** By compiled code where there is some and the code is not too wide for its memory. */
export const combineAll: Combine = (rows, sources, size) => {
  const fast = kernel();
  const isNarrow = rows.length > 0 && rows.length + sources.length <= shardsMax;
  if (fast === undefined || !isNarrow) return plainCombine(rows, sources, size);
  return kernelCombine(fast)(rows, sources, size);
};

/** Plain code: what compiled code is held to. */
export const plainCombine: Combine = (rows, sources, size) =>
  rows.map((row) => {
    const sum = new Uint8Array(size);
    for (const [i, source] of sources.entries()) addMultiple(sum, source, row[i] as number);
    return sum;
  });

const tableSize = 32;
/** More than any code that this project makes. */
const shardsMax = 44;
/** Of each shard, at a time: small enough that the shards of one step stay in the processor's nearest caches. */
const blockSize = 16 * 1024;
const tablesAt = 0;
/** After the tables of 22 rows of 22 columns, the most for shardsMax. */
const blocksAt = 32 * 1024;

/** The same with 16 bytes at a time, in the kernel's memory. */
export function kernelCombine({ combine, memory }: Kernel): Combine {
  return (rows, sources, size) => {
    const [columns, lines] = [even(sources.length), even(rows.length)];
    writeTables(memory, rows, columns, lines);
    const targetsAt = blocksAt + columns * blockSize;
    // A column that is not there has factors of 0, but its bytes are read.
    const targets = rows.map(() => new Uint8Array(size));
    for (let at = 0; at < size; at += blockSize) {
      const length = Math.min(blockSize, size - at);
      for (const [i, source] of sources.entries()) {
        memory.set(source.subarray(at, at + length), blocksAt + i * blockSize);
      }
      combine(tablesAt, blocksAt, targetsAt, columns, lines, roundUp(length), blockSize);
      for (const [i, target] of targets.entries()) {
        const start = targetsAt + i * blockSize;
        target.set(memory.subarray(start, start + length), at);
      }
    }
    return targets;
  };
}

function even(count: number): number {
  return count + (count & 1);
}

function roundUp(size: number): number {
  return (size + 15) & ~15;
}

/** For each factor the products with 0 to 15, then with 0, 16, .. 240: a byte is the sum of its halves. */
function writeTables(
  memory: Uint8Array,
  rows: readonly Uint8Array[],
  columns: number,
  lines: number,
): void {
  for (let line = 0; line < lines; line++) {
    for (let column = 0; column < columns; column++) {
      const factor = rows[line]?.[column] ?? 0;
      const at = tablesAt + (line * columns + column) * tableSize;
      for (let half = 0; half < 16; half++) {
        memory[at + half] = multiply(factor, half);
        memory[at + 16 + half] = multiply(factor, half << 4);
      }
    }
  }
}
