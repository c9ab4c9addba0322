import { formatSize } from '../base/quantity.ts';

/** What one look at the trash has done. Counts are of shards. */
export type TrashRound = {
  readonly discarded: number;
  readonly recovered: number;
  readonly purged: number;
  /** Nothing needs them, but their locks have not ended. */
  readonly locked: number;
  /** Their trash is over, and their turn has not come: one shard of a pack a day, and so much of a disk. */
  readonly waiting: number;
  /** Why something was left alone, for people. */
  readonly reasons: readonly string[];
};

/** The same while it is being done. */
export class TrashTally implements TrashRound {
  discarded = 0;
  recovered = 0;
  purged = 0;
  locked = 0;
  waiting = 0;
  readonly reasons: string[] = [];

  /** No more may be deleted today. */
  sayFull(bytesPerDay: number): void {
    const reason = `no more is deleted here today: ${formatSize(bytesPerDay)} a day at most`;
    if (!this.reasons.includes(reason)) this.reasons.push(reason);
  }
}
