import { decodeCommand, encodeCommand } from '../../format/control-command.ts';
import { wordFrom } from '../../format/control-field.ts';
import { commandIn } from '../../format/control-peek.ts';
import { idField, required } from '../../format/field.ts';
import {
  type ProposalImage,
  ProposalImageSchema,
} from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, type ClusterId, idBytes } from '../../ids.ts';
import { commandHash } from './evidence.ts';
import { type Proposal, proposalStates } from './proposal.ts';
import { imageOnce } from './record-image.ts';
import type { TimeWait } from './time-book.ts';

const nothing = new Uint8Array();

export const proposalImage = imageOnce(ProposalImageSchema, (one: Proposal) => ({
  envelope: one.envelope,
  approvals: one.approvals.map(({ operator, index, timeMs, envelope = nothing }) => ({
    operator: idBytes(operator),
    index: BigInt(index),
    timeMs: BigInt(timeMs),
    envelope,
  })),
  denials: one.denials.map(({ operator, index, reason }) => ({
    operator: idBytes(operator),
    index: BigInt(index),
    reason,
  })),
  state: one.state,
  wait: waitImage(one.wait),
  generation: BigInt(one.generation),
  index: BigInt(one.index),
  endIndex: BigInt(one.endIndex),
  reason: one.reason,
  endedBy: one.endedBy === undefined ? nothing : idBytes(one.endedBy),
}));

/** The proposal in an image. @throws HoldfastError bad-encoding */
export function proposalFrom(image: ProposalImage, cluster: ClusterId): Proposal {
  const generation = Number(image.generation);
  const envelope = image.envelope.slice();
  const outer = commandIn(envelope);
  const payload = outer.body.kind === 'propose' ? outer.body.command : encodeCommand(outer);
  const { reason } = image;
  return {
    hash: commandHash(payload, { cluster, generation }),
    command: decodeCommand(payload),
    envelope,
    generation,
    index: Number(image.index),
    state: wordFrom(image.state, proposalStates, 'state of a proposal'),
    approvals: image.approvals.map((one) => ({
      operator: idField<AgentKey>(one.operator, 32, 'operator'),
      index: Number(one.index),
      timeMs: Number(one.timeMs),
      envelope: one.envelope.length === 0 ? undefined : one.envelope.slice(),
    })),
    denials: image.denials.map((one) => ({
      operator: idField<AgentKey>(one.operator, 32, 'operator'),
      index: Number(one.index),
      reason: one.reason,
    })),
    wait: waitFrom(required(image.wait, 'wait of a proposal')),
    endIndex: Number(image.endIndex),
    reason,
    endedBy: image.endedBy.length === 0 ? undefined : idField(image.endedBy, 32, 'agent'),
  };
}

/** The message of a wait. */
export function waitImage({ generation, index, lengthMs, sinceMs = 0 }: TimeWait) {
  return {
    generation: BigInt(generation),
    index: BigInt(index),
    lengthMs: BigInt(lengthMs),
    sinceMs: BigInt(sinceMs),
  };
}

/** The wait in a message. */
export function waitFrom(image: {
  readonly generation: bigint;
  readonly index: bigint;
  readonly lengthMs: bigint;
  readonly sinceMs: bigint;
}): TimeWait {
  return {
    generation: Number(image.generation),
    index: Number(image.index),
    lengthMs: Number(image.lengthMs),
    sinceMs: image.sinceMs === 0n ? undefined : Number(image.sinceMs),
  };
}
