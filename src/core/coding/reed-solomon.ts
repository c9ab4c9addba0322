import { assert } from '../../base/assert.ts';
import { addMultiple, invert, multiply } from './gf256.ts';
import { type Combine, combineAll } from './linear-combination.ts';

/** One shard, or the same byte range of it as of the others in a call. */
export type PresentShard = { readonly index: number; readonly bytes: Uint8Array };

/**
 * The parity rows of the code: m rows of k factors, as in "Shards" of proto/README.md. Row 0 and column 0
 * are ones, so that the first parity shard is a plain exclusive or, and k = 1 gives copies.
 * @param k data shards, at least 1. @param m parity shards; k + m is at most 255.
 */
export function codingMatrix(k: number, m: number): Uint8Array[] {
  checkCode(k, m);
  const cauchy = (row: number, column: number): number => invert((k + row) ^ column);
  return Array.from({ length: m }, (_, row) => {
    const scaled = Uint8Array.from({ length: k }, (_, column) =>
      multiply(cauchy(row, column), invert(cauchy(0, column))),
    );
    const rowScale = invert(scaled[0] as number);
    return scaled.map((factor) => multiply(factor, rowScale));
  });
}

/** The m parity shards of k data shards of equal length; all arrays are fresh. @param combine in place of the fastest. */
export function encodeParity(
  data: readonly Uint8Array[],
  m: number,
  combine: Combine = combineAll,
): Uint8Array[] {
  return combine(codingMatrix(data.length, m), data, commonSize(data));
}

/**
 * Rebuilds shards, data or parity, from k others.
 * @param job.present at least k different shards of equal length; k of them are read, data shards first.
 * @param job.wanted indexes, in the order of the result.
 * @returns fresh arrays.
 */
export function reconstruct(job: {
  readonly k: number;
  readonly m: number;
  readonly present: readonly PresentShard[];
  readonly wanted: readonly number[];
  /** In place of the fastest. */
  readonly combine?: Combine;
}): Uint8Array[] {
  const { k, m, combine = combineAll } = job;
  const coding = codingMatrix(k, m);
  const chosen = choose(job.present, k, m);
  const sources = chosen.map((shard) => shard.bytes);
  const size = commonSize(sources);
  const generatorRow = (index: number): Uint8Array => coding[index - k] ?? unitRow(index, k);
  const fromPresent = invertMatrix(chosen.map((shard) => generatorRow(shard.index)));
  const rows = job.wanted.map((index) => {
    assert(isShardIndex(index, k + m), 'a wanted shard belongs to the code');
    return rowTimesMatrix(generatorRow(index), fromPresent);
  });
  return combine(rows, sources, size);
}

function checkCode(k: number, m: number): void {
  assert(Number.isInteger(k) && k >= 1, 'a code has a data shard');
  assert(
    Number.isInteger(m) && m >= 0 && k + m <= 255,
    'a code over GF(2^8) has at most 255 shards',
  );
}

function isShardIndex(index: number, count: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < count;
}

/** Data shards first: their rows of the matrix are trivial, which saves work. */
function choose(present: readonly PresentShard[], k: number, m: number): PresentShard[] {
  const indexes = new Set(present.map((shard) => shard.index));
  assert(indexes.size === present.length, 'present shards are different');
  for (const index of indexes) assert(isShardIndex(index, k + m), 'a shard belongs to the code');
  assert(present.length >= k, 'k shards are needed to rebuild');
  return present.toSorted((a, b) => a.index - b.index).slice(0, k);
}

function commonSize(shards: readonly Uint8Array[]): number {
  const size = shards[0]?.length ?? 0;
  for (const shard of shards)
    assert(shard.length === size, 'shards of one code have equal lengths');
  return size;
}

function unitRow(position: number, k: number): Uint8Array {
  const row = new Uint8Array(k);
  row[position] = 1;
  return row;
}

function rowTimesMatrix(row: Uint8Array, matrix: readonly Uint8Array[]): Uint8Array {
  const product = new Uint8Array(row.length);
  for (const [i, other] of matrix.entries()) addMultiple(product, other, row[i] as number);
  return product;
}

/** Gauss-Jordan on a square matrix; every one that this code makes has an inverse. */
function invertMatrix(matrix: readonly Uint8Array[]): Uint8Array[] {
  const left = matrix.map((row) => row.slice());
  const right = left.map((_, index) => unitRow(index, left.length));
  for (let column = 0; column < left.length; column++) {
    const pivot = left.findIndex((row, index) => index >= column && row[column] !== 0);
    assert(pivot >= 0, 'any k rows of the generator are independent');
    swap(left, column, pivot);
    swap(right, column, pivot);
    const scale = invert((left[column] as Uint8Array)[column] as number);
    left[column] = (left[column] as Uint8Array).map((factor) => multiply(factor, scale));
    right[column] = (right[column] as Uint8Array).map((factor) => multiply(factor, scale));
    for (const [index, row] of left.entries()) {
      const factor = row[column] as number;
      if (index === column || factor === 0) continue;
      addMultiple(row, left[column] as Uint8Array, factor);
      addMultiple(right[index] as Uint8Array, right[column] as Uint8Array, factor);
    }
  }
  return right;
}

function swap(rows: Uint8Array[], a: number, b: number): void {
  const kept = rows[a] as Uint8Array;
  rows[a] = rows[b] as Uint8Array;
  rows[b] = kept;
}
