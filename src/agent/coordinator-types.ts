import type { ExpulsionReport } from './expelled.ts';

/** The part of the agent's API that is about the control log. Keys in hexadecimal. */
export interface CoordinatorApi {
  /** As this host sees it; `isConfirmed` tells whether a quorum has just agreed. */
  coordinator(): Promise<CoordinatorReport>;
  /** `to`: name of the voter that shall lead. @throws no-quorum | not-found */
  stepDown(request: { to?: string }): Promise<CoordinatorReport>;
  /** Takes a command signed by operators (base64 of an Envelope) and waits until it has been applied. */
  submitCommand(request: { envelope: string }): Promise<CommandReport>;
}

export type CoordinatorReport = {
  clusterId: string;
  generation: number;
  term: number;
  /** What this host is in the control log. */
  role: 'leader' | 'candidate' | 'follower' | 'learner' | 'fenced';
  /** Name of the member that coordinates; undefined: nobody is known to. */
  leader?: string;
  isConfirmed: boolean;
  /** How many voters must answer, and how many of them this host reaches (itself included). */
  quorum: number;
  votersReachable: number;
  voters: VoterReport[];
  learners: string[];
  commit: number;
  applied: number;
  /** Entries before it are in the snapshot. */
  first: number;
  layout: { version: number; mode: 'auto' | 'pinned' };
  /** Log time, milliseconds since 1970; 0 until a majority of the voters has said what time it is. */
  logTimeMs: number;
  /** Of the log, in force: what later versions have added counts up to this one. */
  format: number;
  /** Each with the command that mends it. */
  warnings: { text: string; next: string }[];
  /** This host is no member any more. */
  expulsion?: ExpulsionReport;
};

export type VoterReport = {
  name: string;
  site: string;
  agentKey: string;
  isReachable: boolean;
  isWitness: boolean;
  /** The newest time that it has said in the control log. */
  saidMs?: number;
  /** Entries that it is known to lack; told by the leader only. */
  lag?: number;
};

export type CommandReport = {
  outcome: 'applied' | 'void';
  /** Of a void one. */
  reason?: string;
  index: number;
  generation: number;
  /** It is not in force yet: hash of the proposal that it became, and how it stands. */
  proposal?: { hash: string; state: 'open' | 'waiting'; signed: number; threshold: number };
};
