import { assert } from '../../base/assert.ts';
import type { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { integer } from './field.ts';

/** Writes a whole number up to 2^53 - 1 in 8 bytes, big-endian. */
export function putNumber(writer: LayoutWriter, value: number): LayoutWriter {
  assert(Number.isSafeInteger(value) && value >= 0, 'a number in 8 bytes is whole and exact');
  return writer.uint32(Math.floor(value / 2 ** 32)).uint32(value % 2 ** 32);
}

/** Reads what `putNumber` wrote. @throws HoldfastError bad-encoding, also when it is above 2^53 - 1 */
export function takeNumber(reader: LayoutReader): number {
  const value = reader.uint32() * 2 ** 32 + reader.uint32();
  return integer(value, { min: 0, max: Number.MAX_SAFE_INTEGER }, 'a number in 8 bytes');
}
