/** The part of the agent's API that is about suspect snapshots. */
export interface TripwireApi {
  /** Suspect snapshots first, then those that were cleared; the newest first. */
  tripwires(): Promise<SuspectReport[]>;
}

/** What is to be thought of a snapshot that is not simply clean. */
export type SuspicionReport = {
  state: 'suspect' | 'cleared' | 'after-suspect';
  /** One sentence each. */
  reasons: string[];
  /** Of `after-suspect`: the first suspect snapshot of its line. */
  suspect?: string;
  clearedBy?: { operators: string[]; reason: string; timeMs: number };
};

export type SuspectReport = SuspicionReport & {
  snapshot: string;
  dataset: string;
  source: string;
  timeMs: number;
  wires: string[];
  files: { compared: number; changed: number; new: number; deleted: number };
  bytesNew: number;
  /** The newest snapshot from before the first suspect one of its line, while it is suspect. */
  lastClean?: { snapshot: string; timeMs: number };
};
