import { toHex } from '../../../base/bytes.ts';
import { hexBytes } from '../../format/control-field.ts';
import type { CommandId } from '../../format/control-records.ts';
import {
  type ControlImage,
  EquivocationImageSchema,
  VoidImageSchema,
  WarningImageSchema,
} from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, idBytes, idOf } from '../../ids.ts';
import { appendBounded, controlBounds } from './control-bounds.ts';
import { imageOnce } from './record-image.ts';

type Place = { readonly generation: number; readonly index: number };

/** An entry that changed nothing, and why. */
export type VoidEntry = Place & {
  /** Empty when the envelope could not be opened. */
  readonly kind: string;
  readonly id: CommandId | '';
  readonly reason: string;
};

/** One agent has signed two words that contradict each other. */
export type Equivocation = Place & {
  readonly agent: AgentKey;
  readonly reason: string;
  /** Envelopes: of the second word last, of the first where the state still has it. */
  readonly evidence: readonly Uint8Array[];
};

/** Something that is valid and should not stay so. */
export type Warning = Place & { readonly text: string };

/**
 * What people should look at. Oldest first; voids and warnings forget their oldest. Of an agent that has contradicted
 * itself the first finding stays: nobody can have it forgotten by adding others.
 */
export class FindingBook {
  #voids: VoidEntry[] = [];
  #equivocations: Equivocation[] = [];
  #warnings: Warning[] = [];

  get voids(): readonly VoidEntry[] {
    return this.#voids;
  }

  get equivocations(): readonly Equivocation[] {
    return this.#equivocations;
  }

  get warnings(): readonly Warning[] {
    return this.#warnings;
  }

  addVoid(entry: VoidEntry): void {
    appendBounded(this.#voids, entry, controlBounds.voidsMax);
  }

  addEquivocation(found: Equivocation): void {
    if (this.#equivocations.some(({ agent }) => agent === found.agent)) return;
    const evidence = found.evidence.filter(({ length }) => length <= controlBounds.evidenceSizeMax);
    appendBounded(this.#equivocations, { ...found, evidence }, controlBounds.equivocationsMax);
  }

  addWarning(warning: Warning): void {
    appendBounded(this.#warnings, warning, controlBounds.warningsMax);
  }

  image(): FindingImage {
    return {
      voids: this.#voids.map(voidImage),
      equivocations: this.#equivocations.map(equivocationImage),
      warnings: this.#warnings.map(warningImage),
    };
  }

  /** The image without any words: another version may say otherwise what was found. */
  substance(): FindingImage {
    return {
      voids: this.#voids.map(voidSubstance),
      equivocations: this.#equivocations.map(equivocationSubstance),
      warnings: this.#warnings.map(warningSubstance),
    };
  }

  load(image: FindingImage): void {
    this.#voids = image.voids.map((one) => ({
      ...placeFrom(one),
      kind: one.kind,
      id: toHex(one.id) as CommandId | '',
      reason: one.reason,
    }));
    this.#equivocations = image.equivocations.map((one) => ({
      ...placeFrom(one),
      agent: idOf<AgentKey>(one.agent),
      reason: one.reason,
      evidence: one.evidence.map((envelope) => envelope.slice()),
    }));
    this.#warnings = image.warnings.map((one) => ({ ...placeFrom(one), text: one.text }));
  }
}

type FindingImage = Pick<ControlImage, 'voids' | 'equivocations' | 'warnings'>;

const voidImage = imageOnce(VoidImageSchema, (one: VoidEntry) => ({
  ...one,
  ...placeImage(one),
  id: hexBytes(one.id),
}));

const equivocationImage = imageOnce(EquivocationImageSchema, (one: Equivocation) => ({
  ...placeImage(one),
  agent: idBytes(one.agent),
  reason: one.reason,
  evidence: [...one.evidence],
}));

const warningImage = imageOnce(WarningImageSchema, (one: Warning) => ({
  ...placeImage(one),
  text: one.text,
}));

const voidSubstance = imageOnce(VoidImageSchema, (one: VoidEntry) => ({
  ...voidImage(one),
  reason: '',
}));

const equivocationSubstance = imageOnce(EquivocationImageSchema, (one: Equivocation) => ({
  ...equivocationImage(one),
  reason: '',
}));

const warningSubstance = imageOnce(WarningImageSchema, (one: Warning) => placeImage(one));

function placeImage({ generation, index }: Place): { generation: bigint; index: bigint } {
  return { generation: BigInt(generation), index: BigInt(index) };
}

function placeFrom(image: { readonly generation: bigint; readonly index: bigint }): Place {
  return { generation: Number(image.generation), index: Number(image.index) };
}
