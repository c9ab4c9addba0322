import { assert } from '../../../base/assert.ts';
import { type AgentKey, idBytes, idOf } from '../../ids.ts';
import { refusal } from './refusal.ts';

/** A version with those who signed it. */
export type Versioned<Value> = {
  readonly value: Value;
  /** Operators; none for the version that the genesis gives. */
  readonly authors: readonly AgentKey[];
  readonly index: number;
  /** By the first author's clock, for people. */
  readonly timeMs: number;
};

/** Refuses what was made on top of another version than the current one. @throws HoldfastError not-permitted */
export function requireNext(
  next: { readonly version: number; readonly base: number },
  current: number,
): void {
  if (next.base === current && next.version === current + 1) return;
  throw refusal(`it replaces version ${next.base} by ${next.version}, but ${current} is current`);
}

type VersionMarks = Omit<Versioned<unknown>, 'value'>;

/** The newest of a history, which has one always. */
export function newest<Item>(history: readonly Item[]): Item {
  const last = history.at(-1);
  assert(last !== undefined, 'a history begins with the genesis');
  return last;
}

/** What the images of all versions have. */
export function versionImage({ authors, index, timeMs }: VersionMarks): {
  authors: Uint8Array[];
  index: bigint;
  timeMs: bigint;
} {
  return { authors: authors.map(idBytes), index: BigInt(index), timeMs: BigInt(timeMs) };
}

/** The other half of `versionImage`. */
export function versionFrom(image: {
  readonly authors: readonly Uint8Array[];
  readonly index: bigint;
  readonly timeMs: bigint;
}): VersionMarks {
  const authors = image.authors.map((one) => idOf<AgentKey>(one));
  return { authors, index: Number(image.index), timeMs: Number(image.timeMs) };
}
