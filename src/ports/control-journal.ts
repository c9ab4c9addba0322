import type { RaftStored, RaftWrite } from '../core/protocol/raft/types.ts';

/**
 * The one place that a voter's memory lies: hard state, snapshot and entries of the control log, fsynced and
 * checksummed. Nothing of it can be rebuilt here; what is damaged is fetched from other voters, never guessed.
 */
export interface ControlJournal extends AsyncDisposable {
  /** What was found when it was opened. Entries end before the first damaged one. */
  readonly stored: RaftStored;
  /**
   * Set when an entry that had been durable is damaged or gone (a torn tail is not: it never was). Until the
   * log has grown past `lostUpTo` again, this agent must not vote for a log that may lack what is lost.
   */
  readonly damage:
    | {
        readonly lostUpTo: number;
        /** Not below the term of any entry up to there; undefined where that is not known. */
        readonly lostTerm?: number | undefined;
        readonly reason: string;
      }
    | undefined;
  /** Durable when resolved. @throws HoldfastError io-error | disk-full: the journal takes no more writes then. */
  write(write: RaftWrite): Promise<void>;
}
