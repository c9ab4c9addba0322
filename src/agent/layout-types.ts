/** The part of the agent's API that is about who votes. Keys in hexadecimal. */
export interface LayoutApi {
  /** As this host has applied the control log. */
  layout(): Promise<LayoutReport>;
  /**
   * What another layout would bring; changes nothing. `pin`: names of the voters; without it, the leader
   * chooses. @throws not-found | not-permitted
   */
  planLayout(request: { pin?: string[] }): Promise<LayoutPlan>;
}

export type LayoutReport = {
  version: number;
  mode: 'auto' | 'pinned';
  /** Those that vote now. */
  now: VoterSet;
  /** Those that the layout wants; they change one at a time. */
  wanted: VoterSet;
  reasons: string[];
  /** Oldest first, the version in force last. */
  history: LayoutVersion[];
};

export type LayoutPlan = {
  /** In force now, and what it would be replaced by. */
  base: number;
  version: number;
  mode: 'auto' | 'pinned';
  now: VoterSet;
  wanted: VoterSet;
  reasons: string[];
};

export type VoterSet = {
  voters: LayoutVoter[];
  /** What they survive, in plain words. */
  words: string;
  /** Each with the command that mends it. */
  warnings: { text: string; next: string }[];
};

export type LayoutVoter = {
  name: string;
  site: string;
  region: string;
  agentKey: string;
  isReachable: boolean;
  isWitness: boolean;
};

export type LayoutVersion = {
  version: number;
  mode: 'auto' | 'pinned';
  /** Empty unless pinned. */
  voters: { name: string; agentKey: string }[];
  /** Names of the operators who signed it; none for the first version. */
  authors: string[];
  /** By the first author's clock; 0 for the first version. */
  timeMs: number;
  /** Of its entry in the control log. */
  index: number;
};
