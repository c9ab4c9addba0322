import { fromHex, fromUtf8, toHex, utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { StepOutcome } from './step-outcome.ts';

/** Begun, and how it ended if it did. */
type Trial = {
  /** From 1. */
  readonly attempt: number;
  /** Undefined: it was begun, and its end is not known. */
  readonly outcome: StepOutcome | undefined;
};

/** What a worker remembers of a step: the newest attempt, and the newest attempt at undoing it. */
export type StepMemory = Trial & {
  /** Some attempt was begun on this host: else there is nothing to undo. */
  readonly isBegun: boolean;
  readonly undo: Trial | undefined;
};

/** The record of a step, as JSON. */
export function encodeMemory({ isBegun, undo, ...trial }: StepMemory): Uint8Array {
  const undone = undo === undefined ? {} : { undo: plainOf(undo) };
  return utf8(JSON.stringify({ isBegun, ...plainOf(trial), ...undone }));
}

type PlainTrial = {
  readonly attempt: number;
  readonly state?: string;
  readonly detail?: string;
  readonly evidence?: string;
};

function plainOf({ attempt, outcome }: Trial): PlainTrial {
  if (outcome === undefined) return { attempt };
  const { state, detail, evidence } = outcome;
  return { attempt, state, detail, evidence: toHex(evidence) };
}

/** The other half of `encodeMemory`. @throws HoldfastError corrupt (written by another version) */
export function decodeMemory(bytes: Uint8Array): StepMemory {
  const value: unknown = parsed(fromUtf8(bytes) ?? '');
  const trial = trialFrom(value);
  const { isBegun, undo } = value as { readonly isBegun?: unknown; readonly undo?: unknown };
  if (typeof isBegun !== 'boolean') throw unknownForm();
  return { ...trial, isBegun, undo: undo === undefined ? undefined : trialFrom(undo) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unknownForm(cause);
  }
}

function trialFrom(value: unknown): Trial {
  if (typeof value !== 'object' || value === null) throw unknownForm();
  const { attempt, state, detail, evidence } = value as Record<string, unknown>;
  if (typeof attempt !== 'number' || !Number.isSafeInteger(attempt)) throw unknownForm();
  if (state === undefined) return { attempt, outcome: undefined };
  const bytes = typeof evidence === 'string' ? fromHex(evidence) : undefined;
  if ((state !== 'done' && state !== 'failed') || typeof detail !== 'string') throw unknownForm();
  if (bytes === undefined) throw unknownForm();
  return { attempt, outcome: { state, detail, evidence: bytes } };
}

function unknownForm(cause?: unknown): HoldfastError {
  const what = 'the record of a step of a plan has a form that is not known here';
  return new HoldfastError('corrupt', what, cause === undefined ? {} : { cause });
}
