import { concat } from '../../base/bytes.ts';
import { KiB, MiB } from '../../base/units.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { malformed } from './field.ts';
import { putNumber, takeNumber } from './layout-number.ts';
import { MerkleRange } from './merkle-range.ts';

/** The control log up to an entry: the tree over all its entries, and the state to which they lead. */
export type LogImage = {
  readonly tree: MerkleRange;
  /** Encoded ControlState. */
  readonly state: Uint8Array;
};

const rootSize = 32;

/** A control state of the largest size, and the tree before it. */
export const logImageSizeMax = 64 * MiB + 4 * KiB;

/** Bytes of an image: what a snapshot of the control log holds. */
export function encodeLogImage({ tree, state }: LogImage): Uint8Array {
  const { roots, size } = tree;
  const writer = new LayoutWriter(4 + 1 + 8 + 1 + roots.length * rootSize).text('HFLI').byte(1);
  putNumber(writer, size).byte(roots.length);
  for (const root of roots) writer.put(root);
  return concat([writer.done(), state]);
}

/** @throws HoldfastError bad-encoding */
export function decodeLogImage(bytes: Uint8Array): LogImage {
  const reader = new LayoutReader(bytes, 'an image of the control log');
  reader.magic('HFLI');
  reader.versionOne();
  const size = takeNumber(reader);
  const count = reader.byte();
  const roots = Array.from({ length: count }, () => reader.take(rootSize));
  const tree = MerkleRange.from(size, roots);
  if (tree === undefined) throw malformed('the tree of the control log does not fit its size');
  return { tree, state: bytes.slice(14 + count * rootSize) };
}
