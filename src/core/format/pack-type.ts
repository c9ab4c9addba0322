import { malformed } from './field.ts';
import type { PackType } from './frame.ts';
import { PackType as PackTypeNumber } from './gen/holdfast/v1/exchange_pb.js';

/** The number of a pack type in every layout and message. */
export function packTypeNumber(type: PackType): PackTypeNumber {
  return type === 'data' ? PackTypeNumber.DATA : PackTypeNumber.METADATA;
}

/** The pack type of a number. @throws HoldfastError bad-encoding */
export function packTypeFrom(value: number): PackType {
  if (value === PackTypeNumber.DATA) return 'data';
  if (value === PackTypeNumber.METADATA) return 'metadata';
  throw malformed(`pack type ${value} is unknown`);
}
