import type { RaftSnapshot } from './types.ts';

/** What a leader knows of another member, and how it sends to it. */
export type Progress = {
  /** Acknowledged as durable there; never falls. Commits count it. */
  matchIndex: number;
  /**
   * The next entry to send. May lie at or before matchIndex: a member whose journal was damaged asks for
   * entries again that it once acknowledged, and an old refusal looks the same.
   */
  nextIndex: number;
  /** The round of heartbeats in which a refusal last ended a stream of appends: one does so in each at most. */
  retreatRound: number;
  /** The newest round of heartbeats that it answered. */
  answeredRound: number;
  /** Since its last answer; does not grow beyond the longest election timeout. */
  silentTicks: number;
  sending: Sending;
};

export type Sending =
  /** Where the logs part is not known: one append at a time, `isWaiting` for its answer. */
  | { readonly kind: 'probing'; readonly isWaiting: boolean }
  /** The logs agree before nextIndex: appends follow one another without waiting. */
  | { readonly kind: 'replicating' }
  | Snapshotting;

/** It needs what was compacted away: one piece at a time of the snapshot that was begun. */
export type Snapshotting = {
  readonly kind: 'snapshotting';
  readonly snapshot: RaftSnapshot;
  readonly offset: number;
  readonly isWaiting: boolean;
};

/** Of a member about which nothing is known yet, in a log whose next entry is `nextIndex`. */
export function newProgress(nextIndex: number): Progress {
  return {
    matchIndex: 0,
    nextIndex,
    retreatRound: 0,
    answeredRound: 0,
    silentTicks: 0,
    sending: { kind: 'probing', isWaiting: false },
  };
}

/** Entries sent and not answered yet. */
export function inFlight(progress: Progress): number {
  return Math.max(0, progress.nextIndex - 1 - progress.matchIndex);
}
