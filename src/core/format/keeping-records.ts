import type { AgentKey, DatasetId } from '../ids.ts';

/** Snapshots of one writer's dataset by their sequence, both included. */
export type SequenceRange = { readonly first: number; readonly last: number };

/** Some snapshots of one writer's dataset, and why. */
export type SnapshotSelection = {
  readonly dataset: DatasetId;
  readonly writer: AgentKey;
  /** Ascending, apart, at least one. */
  readonly ranges: readonly SequenceRange[];
  readonly reason: string;
};

/** Nothing of it expires: one snapshot, or a whole dataset. */
export type Hold = {
  readonly dataset: DatasetId;
  /** Undefined: the whole dataset, whoever writes it. */
  readonly snapshot: { readonly writer: AgentKey; readonly sequence: number } | undefined;
  readonly reason: string;
};

/** From this snapshot on, operators must decide. */
export type QuarantineMark = {
  readonly dataset: DatasetId;
  readonly writer: AgentKey;
  readonly sequence: number;
  readonly reason: string;
};
