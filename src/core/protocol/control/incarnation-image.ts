import type { MessageInitShape } from '@bufbuild/protobuf';
import { fenceFrom, fenceMessage, hexBytes, wordFrom } from '../../format/control-field.ts';
import { planHashFrom } from '../../format/control-plan.ts';
import { idField, malformed } from '../../format/field.ts';
import {
  type CertificateImage,
  type CertificateImageSchema,
  type DatasetImage,
  DatasetImageSchema,
  type SlotImage,
  type SlotImageSchema,
} from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, idBytes, idOf } from '../../ids.ts';
import { type Incarnation, type IncarnationBook, incarnationStates } from './incarnation-book.ts';
import { imageOnce } from './record-image.ts';
import type { Certificate, Slot, SnapshotPlace } from './slot.ts';

/** The datasets of a book, sorted by id. */
export function datasetImages(
  book: IncarnationBook,
): MessageInitShape<typeof DatasetImageSchema>[] {
  return book.all().map(datasetImage);
}

const datasetImage = imageOnce(DatasetImageSchema, (one: Incarnation) => ({
  id: idBytes(one.dataset),
  name: one.name,
  incarnation: one.incarnation,
  state: one.state,
  holder: one.holder === undefined ? new Uint8Array() : idBytes(one.holder),
  reinstated: one.reinstated.map(idBytes),
  holders: one.holders.map(({ incarnation, agent, generation, index, from }) => ({
    ...placeImage(from),
    incarnation,
    agent: idBytes(agent),
    generation: BigInt(generation),
    index: BigInt(index),
  })),
  ...(one.slot === undefined ? {} : { slot: slotImage(one.slot) }),
  ...(one.certificate === undefined ? {} : { certificate: certificateImage(one.certificate) }),
}));

/** The other half of `datasetImages`. @throws HoldfastError bad-encoding */
export function datasetsFrom(images: readonly DatasetImage[]): Incarnation[] {
  return images.map((image) => ({
    dataset: idField(image.id, 16, 'dataset'),
    name: image.name,
    incarnation: image.incarnation,
    state: wordFrom(image.state, incarnationStates, 'state of an incarnation'),
    holder: image.holder.length === 0 ? undefined : agentFrom(image.holder),
    reinstated: image.reinstated.map(agentFrom),
    holders: image.holders.map(({ incarnation, agent, generation, index, ...rest }) => ({
      from: placeFrom(rest),
      incarnation,
      agent: agentFrom(agent),
      generation: Number(generation),
      index: Number(index),
    })),
    slot: image.slot === undefined ? undefined : slotFrom(image.slot),
    certificate: image.certificate === undefined ? undefined : certificateFrom(image.certificate),
  }));
}

function placeImage(from: SnapshotPlace | undefined): {
  fromWriter: Uint8Array;
  fromSequence: bigint;
} {
  const fromWriter = from === undefined ? new Uint8Array() : idBytes(from.writer);
  return { fromWriter, fromSequence: BigInt(from?.sequence ?? 0) };
}

function placeFrom(image: {
  readonly fromWriter: Uint8Array;
  readonly fromSequence: bigint;
}): SnapshotPlace | undefined {
  if (image.fromWriter.length === 0) return undefined;
  return { writer: agentFrom(image.fromWriter), sequence: Number(image.fromSequence) };
}

function slotImage(slot: Slot): MessageInitShape<typeof SlotImageSchema> {
  const votes = slot.votes.map(({ voter, isGrant, envelope }) => ({
    voter: idBytes(voter),
    isGrant,
    envelope,
  }));
  const { index, isGivenUp } = slot;
  return {
    ...candidateImage(slot),
    votes,
    index: BigInt(index),
    isGivenUp,
    ...placeImage(slot.from),
  };
}

function slotFrom(image: SlotImage): Slot {
  const votes = image.votes.map(({ voter, isGrant, envelope }) => ({
    voter: agentFrom(voter),
    isGrant,
    envelope: envelope.slice(),
  }));
  const { isGivenUp } = image;
  const from = placeFrom(image);
  if (from === undefined) throw malformed('a slot is of no snapshot');
  return { ...candidateFrom(image), votes, index: Number(image.index), isGivenUp, from };
}

function certificateImage(
  certificate: Certificate,
): MessageInitShape<typeof CertificateImageSchema> {
  const { incarnation, votes } = certificate;
  return { ...candidateImage(certificate), incarnation, votes: [...votes] };
}

function certificateFrom(image: CertificateImage): Certificate {
  const votes = image.votes.map((vote) => vote.slice());
  return { ...candidateFrom(image), incarnation: image.incarnation, votes };
}

type Candidate = Omit<Slot, 'votes' | 'index' | 'isGivenUp' | 'from'>;

function candidateImage(candidate: Candidate) {
  const { generation, target, fence, plan, run, step, voters } = candidate;
  return {
    generation: BigInt(generation),
    target: idBytes(target),
    fence: fenceMessage(fence),
    plan: hexBytes(plan),
    run,
    step,
    voters: voters.map(idBytes),
  };
}

function candidateFrom(image: SlotImage | CertificateImage): Candidate {
  const { run, step } = image;
  return {
    generation: Number(image.generation),
    target: agentFrom(image.target),
    fence: fenceFrom(image.fence),
    plan: planHashFrom(image.plan),
    run,
    step,
    voters: image.voters.map(agentFrom),
  };
}

function agentFrom(bytes: Uint8Array): AgentKey {
  return idOf(bytes);
}
