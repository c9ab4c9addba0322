import type { DataSubset } from '../core/policy/data-subset.ts';

export type CheckRequest = {
  readData: boolean;
  /** With `readData`: which packs to read. */
  subset?: DataSubset;
  dataset?: string;
};

export type CheckEvent =
  | { type: 'status'; packsDone: number; packsTotal: number; peer: string }
  | {
      type: 'problem';
      peer: string;
      site: string;
      pack: string;
      index: number;
      problem: string;
      dataset: string;
    }
  /** What somebody has signed, and what is wrong with it. */
  | { type: 'bad-record'; record: string; problem: string }
  | { type: 'summary'; summary: CheckSummary };

export type CheckSummary = {
  snapshots: number;
  packs: number;
  /** Of these, of which every byte was read back. */
  packsRead: number;
  shards: number;
  badShards: number;
  /** Packs that fewer than k reachable good shards are left of. */
  unrecoverablePacks: number;
  /** Packs below what the policy asks for. */
  degradedPacks: number;
  /** Records on this host that are not as they were signed, and writers that contradict themselves. */
  badRecords: number;
  peersAsked: number;
  peersUnreachable: string[];
  durationMs: number;
};

/** A writer that has signed two histories, and that nobody has put out yet. */
export type Contradiction = {
  /** As people know it. */
  readonly writer: string;
  readonly writerKey: string;
  readonly text: string;
};
