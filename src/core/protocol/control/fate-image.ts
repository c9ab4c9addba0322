import type { MessageInitShape } from '@bufbuild/protobuf';
import { headFrom, headMessage } from '../../format/anchor-head.ts';
import { hexBytes, reasonFrom, wordFrom } from '../../format/control-field.ts';
import { commandIdFrom, rangeMessage, rangesFrom } from '../../format/control-keeping.ts';
import { idField, required } from '../../format/field.ts';
import {
  type ExpiryImage,
  type FateImage,
  FateImageSchema,
  type SequenceRange as RangeMessage,
} from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, type DatasetId, idBytes } from '../../ids.ts';
import type { SequenceRanges } from '../../policy/sequence-ranges.ts';
import type { Expiry, Fate } from './fate.ts';
import { waitFrom, waitImage } from './proposal-image.ts';
import { imageOnce } from './record-image.ts';

type Init = MessageInitShape<typeof FateImageSchema>;

const stages = ['proposed', 'veto', 'trash', 'emptying'] as const;

/** The images of fates, in their order. */
export function fateImages(fates: readonly Fate[]): Init[] {
  return fates.map(fateImage);
}

const fateImage = imageOnce(
  FateImageSchema,
  ({ dataset, writer, quarantine, expiries, ...sets }: Fate) => ({
    dataset: idBytes(dataset),
    writer: idBytes(writer),
    forgotten: sets.forgotten.map(rangeMessage),
    pinned: sets.pinned.map(rangeMessage),
    gone: sets.gone.map(rangeMessage),
    unlocked: sets.unlocked.map(rangeMessage),
    expiries: expiries.map((expiry) => ({
      id: hexBytes(expiry.id),
      head: headMessage(expiry.head),
      ranges: expiry.ranges.map(rangeMessage),
      proposer: idBytes(expiry.proposer),
      stage: expiry.stage,
      ...(expiry.wait === undefined ? {} : { wait: waitImage(expiry.wait) }),
    })),
    ...(quarantine === undefined
      ? {}
      : {
          quarantine: {
            sequence: BigInt(quarantine.sequence),
            agent: idBytes(quarantine.agent),
            reason: quarantine.reason,
          },
        }),
  }),
);

/** The fates in images. @throws HoldfastError bad-encoding */
export function fatesFrom(images: readonly FateImage[]): Fate[] {
  return images.map((image) => ({
    dataset: idField<DatasetId>(image.dataset, 16, 'dataset'),
    writer: idField<AgentKey>(image.writer, 32, 'writer'),
    forgotten: setFrom(image.forgotten),
    pinned: setFrom(image.pinned),
    gone: setFrom(image.gone),
    unlocked: setFrom(image.unlocked),
    expiries: image.expiries.map(expiryFrom),
    quarantine:
      image.quarantine === undefined
        ? undefined
        : {
            sequence: Number(image.quarantine.sequence),
            agent: idField<AgentKey>(image.quarantine.agent, 32, 'agent'),
            reason: reasonFrom(image.quarantine.reason),
          },
  }));
}

function expiryFrom(image: ExpiryImage): Expiry {
  return {
    id: commandIdFrom(image.id),
    head: headFrom(required(image.head, 'head')),
    ranges: setFrom(image.ranges),
    proposer: idField<AgentKey>(image.proposer, 32, 'proposer'),
    stage: wordFrom(image.stage, stages, 'stage of an expiry'),
    wait: image.wait === undefined ? undefined : waitFrom(image.wait),
  };
}

/** The size of the whole image bounds them. */
function setFrom(messages: RangeMessage[]): SequenceRanges {
  return rangesFrom(messages, Number.MAX_SAFE_INTEGER);
}
