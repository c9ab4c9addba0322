import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { HoldfastError } from '../errors.ts';
import { type idBytes, idOf } from '../ids.ts';

type AnyId = Parameters<typeof idBytes>[0];

/** The error of bytes that are not what they claim to be. `what` names the thing and the rule. */
export function malformed(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('bad-encoding', what, cause === undefined ? {} : { cause });
}

/**
 * Decodes a message of at most `sizeMax` bytes, ignoring fields that a later version may have added.
 * Its byte fields are views of `bytes`. @throws HoldfastError bad-encoding
 */
export function decodeMessage<Schema extends DescMessage>(
  schema: Schema,
  bytes: Uint8Array,
  sizeMax: number,
): MessageShape<Schema> {
  if (bytes.length > sizeMax) {
    throw malformed(`${schema.name} of ${bytes.length} bytes is over the limit of ${sizeMax}`);
  }
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw malformed(`${schema.name} is not a valid message`, cause);
  }
}

/** A copy of a field that must have exactly `size` bytes: a view would keep the whole message in memory. */
export function exactBytes(bytes: Uint8Array, size: number, what: string): Uint8Array {
  if (bytes.length !== size) {
    throw malformed(`${what} has ${bytes.length} bytes instead of ${size}`);
  }
  return bytes.slice();
}

/** A copy of a field of `min` to `max` bytes. @throws HoldfastError bad-encoding */
export function boundedBytes(
  bytes: Uint8Array,
  bounds: { min: number; max: number },
  what: string,
): Uint8Array {
  integer(bytes.length, bounds, `size of ${what}`);
  return bytes.slice();
}

/** The id in a field of exactly `size` bytes. @throws HoldfastError bad-encoding */
export function idField<Id extends AnyId>(bytes: Uint8Array, size: number, what: string): Id {
  if (bytes.length !== size) {
    throw malformed(`${what} has ${bytes.length} bytes instead of ${size}`);
  }
  return idOf(bytes);
}

/** A whole number in its range. @throws HoldfastError bad-encoding */
export function integer(
  value: number | bigint,
  bounds: { min: number; max: number },
  what: string,
): number {
  if (value < bounds.min || value > bounds.max) {
    throw malformed(`${what} is ${value}, allowed are ${bounds.min} to ${bounds.max}`);
  }
  return Number(value);
}

/** A message field that must be there. @throws HoldfastError bad-encoding */
export function required<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw malformed(`${what} is missing`);
  return value;
}

const labelPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** A name that is safe in paths, terminals and configuration: of agents, sites and regions. */
export function isLabel(text: string): boolean {
  return labelPattern.test(text);
}

/** The label itself. @throws HoldfastError bad-encoding */
export function label(text: string, what: string): string {
  if (!isLabel(text)) {
    throw malformed(`${what} must be lower-case letters, digits, ".", "_" or "-", at most 63`);
  }
  return text;
}

// Listed, not \p{C}: what that class holds differs between Unicode versions, and members must agree.
const unprintable =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
  /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/;

/** True when a terminal shows the text as it is: no control, direction or invisible characters. */
export function isPrintable(text: string): boolean {
  return !unprintable.test(text) && text.isWellFormed();
}

/** A text of `min` to `max` UTF-16 units that a terminal shows as it is. @throws HoldfastError bad-encoding */
export function printableText(
  text: string,
  bounds: { min: number; max: number },
  what: string,
): string {
  integer(text.length, bounds, `length of ${what}`);
  if (!isPrintable(text)) throw malformed(`${what} has characters that cannot be shown`);
  return text;
}

/** A text of a given form. @throws HoldfastError bad-encoding */
export function textLike(text: string, pattern: RegExp, what: string): string {
  if (!pattern.test(text)) throw malformed(`${what} does not have the form it must have`);
  return text;
}

/** A list of at most `countMax` items. @throws HoldfastError bad-encoding */
export function atMost<Item>(items: Item[], countMax: number, what: string): Item[] {
  integer(items.length, { min: 0, max: countMax }, `count of ${what}`);
  return items;
}
