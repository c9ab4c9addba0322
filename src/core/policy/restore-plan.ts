import { dayMs, KiB } from '../../base/units.ts';
import type { AgentKey, DatasetId, StatementHash } from '../ids.ts';

/** Bounds of one plan. A person must be able to read what is signed; the rest follows from what a log entry may hold. */
export const planLimits = {
  sizeMax: 48 * KiB,
  stepsMax: 256,
  datasetsMax: 64,
  attemptsMax: 10,
  timeoutMaxMs: 7 * dayMs,
  argumentsMax: 64,
} as const;

/** A snapshot to restore. */
export type PlanDataset = {
  /** How steps name it: unique in the plan. */
  readonly name: string;
  readonly id: DatasetId;
  readonly writer: AgentKey;
  readonly snapshot: StatementHash;
  readonly sequence: number;
  /** Within the snapshot; empty: all of it. */
  readonly path: string;
};

/** A question whose answer tells whether what was restored works. */
export type Probe =
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | { readonly kind: 'http'; readonly url: string; readonly expect: number }
  | { readonly kind: 'tcp'; readonly address: string }
  | { readonly kind: 'digest'; readonly file: string; readonly sha256: string };

type StepFrame = {
  /** A label, unique in the plan. */
  readonly id: string;
  /** Steps that must be done before. */
  readonly after: readonly string[];
  /** Name of an agent, or of a site; the plan's target site when left out. */
  readonly on?: string;
  readonly timeoutMs: number;
  /** How often it is tried. */
  readonly attempts: number;
};

export type PlanStep = StepFrame &
  (
    | { readonly kind: 'restore'; readonly dataset: string; readonly to: string }
    | { readonly kind: 'check'; readonly probe: Probe }
    | {
        readonly kind: 'hook';
        readonly argv: readonly string[];
        readonly undo?: readonly string[];
      }
    | { readonly kind: 'promote'; readonly dataset: string }
  );

/** What operators sign: which snapshots come back where, in which order, and what to do when it fails. */
export type RestorePlan = {
  readonly version: 1;
  readonly name: string;
  readonly target: { readonly site: string };
  readonly datasets: readonly PlanDataset[];
  readonly steps: readonly PlanStep[];
  readonly onFailure: 'escalate' | 'roll-back';
  /** When and by whom, for people. */
  readonly created: string;
};
