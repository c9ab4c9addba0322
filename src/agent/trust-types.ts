/** The part of the agent's API that is about operators and what they sign. Keys and hashes in hexadecimal. */
export interface TrustApi {
  /** As this host has applied the control log. */
  operators(): Promise<OperatorsReport>;
  /** Oldest first: all that are under way, and the newest that have ended. */
  proposals(): Promise<ProposalReport[]>;
  /** Members that were put out of the cluster. */
  removedPeers(): Promise<RemovedPeer[]>;
  /** This agent, which must be an auditor, stops a proposal that waits. */
  veto(request: { hash: string; reason: string }): Promise<ProposalReport>;
}

export type RemovedPeer = {
  name: string;
  site: string;
  agentKey: string;
  reason: string;
  /** Names of the operators who signed it. */
  by: string[];
  /** Of the entry in the control log. */
  index: number;
};

export type OperatorsReport = {
  version: number;
  /** How many must sign. */
  threshold: number;
  operators: OperatorReport[];
};

export type OperatorReport = {
  name: string;
  key: string;
  /** age recipient; empty: this operator cannot open data. */
  recipient: string;
};

export type ProposalReport = {
  hash: string;
  kind: string;
  /** What it does, in one line. */
  words: string;
  /** Payload that is signed, base64. */
  command: string;
  generation: number;
  state: 'open' | 'waiting' | 'done' | 'failed' | 'denied' | 'vetoed' | 'expired';
  /** How many must sign. */
  threshold: number;
  /** Of an open one: whose signatures are missing; not every operator's counts for everything. */
  lacks?: string;
  approvals: { name: string; key: string; timeMs: number }[];
  /** How many of them count for this, as the cluster is now. */
  counted: number;
  denials: { name: string; reason: string }[];
  /** Log time at which it expires, or takes effect; undefined: not known yet, or it has ended. */
  endsMs?: number;
  /** How long it lasts, or waits, in milliseconds of log time. */
  lengthMs: number;
  /** Of the entry that proposed it, and of that with which it ended. */
  index: number;
  endIndex?: number;
  /** Why it ended without effect. */
  reason?: string;
  /** Who has vetoed it. */
  vetoedBy?: string;
};
