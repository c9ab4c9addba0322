import { hexBytes, wordFrom } from '../../format/control-field.ts';
import {
  restoreKeysFrom,
  restoreKeysMessage,
  restoreRequestFrom,
  restoreRequestMessage,
} from '../../format/control-restore.ts';
import { commandHashFrom } from '../../format/control-trust.ts';
import { idField, required } from '../../format/field.ts';
import {
  type RestoreGrantImage,
  RestoreGrantImageSchema,
} from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, idBytes } from '../../ids.ts';
import { waitFrom, waitImage } from './proposal-image.ts';
import { imageOnce } from './record-image.ts';
import { grantStates, type RestoreGrant } from './restore-grant.ts';

export const restoreGrantImage = imageOnce(RestoreGrantImageSchema, (one: RestoreGrant) => {
  const { grant } = one;
  return {
    id: hexBytes(one.id),
    request: restoreRequestMessage(one.request),
    state: one.state,
    approvals: one.approvals.map(idBytes),
    index: BigInt(one.index),
    timeMs: BigInt(one.timeMs),
    wait: waitImage(one.wait),
    ...(grant?.keys === undefined ? {} : { grant: restoreKeysMessage(grant.keys) }),
    grantedBy: grant === undefined ? new Uint8Array() : idBytes(grant.by),
    grantIndex: BigInt(grant?.index ?? 0),
    useIndex: BigInt(one.useIndex),
    endIndex: BigInt(one.endIndex),
    reason: one.reason,
  };
});

/** The grant in an image. @throws HoldfastError bad-encoding */
export function restoreGrantFrom(image: RestoreGrantImage): RestoreGrant {
  const { grant: message, grantedBy } = image;
  const keys = message === undefined ? undefined : restoreKeysFrom(message);
  return {
    id: commandHashFrom(image.id),
    request: restoreRequestFrom(required(image.request, 'request')),
    state: wordFrom(image.state, grantStates, 'state of a grant'),
    approvals: image.approvals.map((key) => idField<AgentKey>(key, 32, 'operator')),
    index: Number(image.index),
    timeMs: Number(image.timeMs),
    wait: waitFrom(required(image.wait, 'wait of a grant')),
    grant:
      grantedBy.length === 0
        ? undefined
        : {
            keys,
            by: idField<AgentKey>(grantedBy, 32, 'operator'),
            index: Number(image.grantIndex),
          },
    useIndex: Number(image.useIndex),
    endIndex: Number(image.endIndex),
    reason: image.reason,
  };
}
