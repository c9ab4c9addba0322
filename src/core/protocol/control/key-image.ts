import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  epochFrom,
  kitFrom,
  kitMessage,
  setFrom,
  setMessage,
  splitFrom,
  splitMessage,
} from '../../format/control-keys.ts';
import { idField, required } from '../../format/field.ts';
import type {
  KeyEpochImage,
  KeyEpochImageSchema,
  KeysImage,
  KeysImageSchema,
  SplitImage,
  SplitImageSchema,
} from '../../format/gen/holdfast/v1/keys_pb.js';
import { epochKey } from '../../format/key-record.ts';
import { type AgentKey, idBytes, idOf } from '../../ids.ts';
import type { Escrow, EscrowBook } from './escrow-book.ts';
import { type DecidedEpoch, type KeyBook, ownerKey } from './key-book.ts';

/** Undefined before the first decision, so that a state without one stands as it always has. */
export function keysImage(
  keys: KeyBook,
  escrow: EscrowBook,
): MessageInitShape<typeof KeysImageSchema> | undefined {
  const { version, kit, sets, epochs } = keys.parts;
  const { current } = escrow;
  if (version === 1 && epochs.size === 0 && current === undefined) return undefined;
  return {
    version,
    kitVersion: kit.version,
    kit: kitMessage(kit),
    kitIndex: BigInt(kit.index),
    kitTimeMs: BigInt(kit.timeMs),
    sets: sorted(sets).map(setMessage),
    epochs: sorted(epochs).map(epochImage),
    ...(current === undefined ? {} : { split: splitImage(current) }),
  };
}

function sorted<Item>(map: ReadonlyMap<string, Item>): Item[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

function epochImage(one: DecidedEpoch): MessageInitShape<typeof KeyEpochImageSchema> {
  const { writer, dataset, epoch, authors, index, timeMs } = one;
  return {
    writer: idBytes(writer),
    dataset: idBytes(dataset),
    epoch,
    authors: authors.map(idBytes),
    index: BigInt(index),
    timeMs: BigInt(timeMs),
    ...(one.state === 'destroyed'
      ? { isDestroyed: true, reason: one.reason }
      : { record: idBytes(one.record), kitVersion: one.kitVersion }),
  };
}

function splitImage(escrow: Escrow): MessageInitShape<typeof SplitImageSchema> {
  const { index, timeMs, proofs } = escrow;
  return {
    split: splitMessage(escrow),
    index: BigInt(index),
    timeMs: BigInt(timeMs),
    proofs: [...proofs]
      .sort(([a], [b]) => a - b)
      .map(([share, said]) => ({
        share,
        index: BigInt(said.index),
        timeMs: BigInt(said.timeMs),
      })),
  };
}

/** The other half of `keysImage`. @throws HoldfastError bad-encoding */
export function loadKeys(
  { keys, escrow }: { readonly keys: KeyBook; readonly escrow: EscrowBook },
  image: KeysImage | undefined,
): void {
  if (image === undefined) return;
  const { parts } = keys;
  parts.version = image.version;
  parts.kit = {
    ...kitFrom(required(image.kit, 'kit')),
    version: image.kitVersion,
    index: Number(image.kitIndex),
    timeMs: Number(image.kitTimeMs),
  };
  parts.sets.clear();
  for (const set of image.sets.map(setFrom)) parts.sets.set(ownerKey(set.of), set);
  parts.epochs.clear();
  for (const one of image.epochs.map(epochOf)) parts.epochs.set(epochKey(one), one);
  if (image.split !== undefined) loadSplit(escrow, image.split);
}

function epochOf(image: KeyEpochImage): DecidedEpoch {
  const authors = image.authors.map((one) => idOf<AgentKey>(one));
  const { index, timeMs, reason, kitVersion } = image;
  const at = { ...epochFrom(image), authors, index: Number(index), timeMs: Number(timeMs) };
  if (image.isDestroyed) return { ...at, state: 'destroyed', reason };
  return { ...at, state: 'wrapped', record: idField(image.record, 32, 'key record'), kitVersion };
}

function loadSplit(escrow: EscrowBook, image: SplitImage): void {
  const split = splitFrom(required(image.split, 'split'));
  escrow.take(split, { index: Number(image.index), timeMs: Number(image.timeMs) });
  for (const { share, index, timeMs } of image.proofs) {
    escrow.current?.proofs.set(share, { index: Number(index), timeMs: Number(timeMs) });
  }
}
