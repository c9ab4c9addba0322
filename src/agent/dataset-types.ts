import type { CommandReport } from './coordinator-types.ts';

/** The part of the agent's API that is about which copy of a dataset is the real one. Keys in hexadecimal. */
export interface DatasetApi {
  /** All datasets of the cluster, as this host has applied the control log. */
  datasets(): Promise<IncarnationReport[]>;
  /**
   * This host's word that its copy is off: it writes the dataset no more. `dataset`: a name, or the beginning
   * of an id. @throws not-found | ambiguous | not-permitted (this host does not hold it) | no-quorum
   */
  demote(request: { dataset: string }): Promise<CommandReport>;
}

export type IncarnationReport = {
  name: string;
  id: string;
  /** The member that backs it up, or did first. */
  source: string;
  /**
   * Live: the holder is the one live copy. Off: nobody writes. Contested: a promotion is being voted on.
   * Dead: that vote has failed. Open: no plan has named the dataset, so its source writes it.
   */
  state: 'live' | 'off' | 'contested' | 'dead' | 'open';
  /** 0: as its source made it; grows by one with every promotion. */
  incarnation: number;
  holder?: string;
  /** Former holders that may write a line of their own again. */
  reinstated: string[];
  /** Oldest first. */
  holders: { incarnation: number; agent: string; generation: number; index: number }[];
  /** While contested. */
  slot?: SlotReport & { abandons: number; isGivenUp: boolean };
  /** Of the newest promotion that was decided. */
  certificate?: SlotReport;
  /** Agents that operators have attested to be off, as far as it concerns this dataset. */
  isolated: { agent: string; agentKey: string; reason: string }[];
  /** Why nothing of it expires, and what its source signs there counts no more; undefined: all is well. */
  frozen?: string;
  /** The newest lease under which a copy has run. */
  lease?: {
    holder: string;
    incarnation: number;
    forMs: number;
    /** The live copy runs under it, as far as the log knows. */
    isHeld: boolean;
    /** Voters that have seen it run out. */
    lapsed: string[];
  };
  /** Whether this host may write it now, and why. */
  here: { mayWrite: boolean; reason: string };
};

export type SlotReport = {
  incarnation: number;
  generation: number;
  target: string;
  plan: string;
  run: number;
  step: string;
  /** How many of the voters have granted it. */
  grants: number;
  voters: string[];
};
