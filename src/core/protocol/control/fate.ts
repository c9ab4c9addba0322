import type { AnchorHead, CommandId } from '../../format/control-records.ts';
import type { AgentKey, DatasetId } from '../../ids.ts';
import { hasSequence, type SequenceRanges, union } from '../../policy/sequence-ranges.ts';
import type { TimeWait } from './time-book.ts';

/** Snapshots on their way out. */
export type Expiry = {
  readonly id: CommandId;
  /** What was anchored when it was proposed: it fixes every manifest before it. */
  readonly head: AnchorHead;
  readonly ranges: SequenceRanges;
  readonly proposer: AgentKey;
  /**
   * proposed: one agent has reckoned so -> veto: another has reckoned alike, anybody may object -> trash: peers
   * put aside what nothing else needs, and can take it back -> emptying: gone, and peers delete, one shard a day.
   */
  readonly stage: 'proposed' | 'veto' | 'trash' | 'emptying';
  /** Of the stage; undefined while proposed. */
  readonly wait: TimeWait | undefined;
};

/** From this snapshot on, operators must decide; until then nothing of the dataset expires. */
export type Quarantine = {
  readonly sequence: number;
  /** The peer that has said so. */
  readonly agent: AgentKey;
  readonly reason: string;
};

/** What is decided of the snapshots of one writer's dataset. */
export type Fate = {
  readonly dataset: DatasetId;
  readonly writer: AgentKey;
  /** Operators want them to go, whatever retention says. */
  readonly forgotten: SequenceRanges;
  /** An operator or auditor wants them kept, whatever retention says. */
  readonly pinned: SequenceRanges;
  /** Their trash has been emptied. */
  readonly gone: SequenceRanges;
  /** Their governance locks have been ended. */
  readonly unlocked: SequenceRanges;
  /** Oldest first. */
  readonly expiries: readonly Expiry[];
  readonly quarantine: Quarantine | undefined;
};

/** Nothing is decided. */
export function noFate(dataset: DatasetId, writer: AgentKey): Fate {
  const nothing = { forgotten: [], pinned: [], gone: [], unlocked: [] };
  return { dataset, writer, ...nothing, expiries: [], quarantine: undefined };
}

/** All that is on its way out, and can still come back. */
export function expiring({ expiries }: Fate): SequenceRanges {
  return expiries
    .filter(({ stage }) => stage !== 'emptying')
    .reduce<SequenceRanges>((sum, { ranges }) => union(sum, ranges), []);
}

/** What peers no longer keep shards for: in the trash, or gone. */
export function discarded({ expiries, gone }: Fate): SequenceRanges {
  return expiries
    .filter(({ stage }) => stage === 'trash')
    .reduce((sum, { ranges }) => union(sum, ranges), gone);
}

/** Where a snapshot stands. */
export type SnapshotStage = 'live' | 'forgotten' | 'proposed' | 'veto' | 'trash' | 'gone';

/** Where one snapshot stands. */
export function stageOf(fate: Fate | undefined, sequence: number): SnapshotStage {
  if (fate === undefined) return 'live';
  if (hasSequence(fate.gone, sequence)) return 'gone';
  for (const { stage, ranges } of fate.expiries) {
    if (stage !== 'emptying' && hasSequence(ranges, sequence)) return stage;
  }
  return hasSequence(fate.forgotten, sequence) ? 'forgotten' : 'live';
}
