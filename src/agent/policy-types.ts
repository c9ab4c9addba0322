import type { PolicyDocument } from '../core/policy/policy-document.ts';

/** The part of the agent's API that is about what the cluster promises and does by itself. */
export interface PolicyApi {
  /** As this host has applied the control log. */
  policy(): Promise<PolicyReport>;
  /** The control log up to a checkpoint that a majority of its voters has signed; nothing: there is none yet. */
  logProof(): Promise<LogProofReport>;
}

/** Base64 but for the note. */
export type LogProofReport = {
  note?: string;
  image?: string;
  /** Envelope of the decree that has begun the generation, where one has. */
  decree?: string;
};

export type PolicyReport = PolicyVersion & {
  /** Oldest first, the version in force last. */
  history: PolicyVersion[];
};

export type PolicyVersion = {
  version: number;
  /** As it was signed. */
  document: PolicyDocument;
  /** What it means for this cluster, with what holds where it says nothing. */
  surviveSites: number;
  failover: {
    /** Silence after which voters report a site as lost, in milliseconds. */
    siteLostAfterMs: number;
    action: 'alert' | 'repair' | 'restore';
    rules: FailoverRuleReport[];
  };
  /** How long a decree must be announced before it counts, in milliseconds. */
  decreeNoticeMs: number;
  /** How long commands that cannot be undone wait for a veto, in milliseconds. */
  destructiveDelayMs: number;
  /** Index of the entry in the control log that it began with; 0 for the first version. */
  index: number;
  /** Names of the operators who signed it; none for the first version. */
  authors: string[];
  /** By the first author's clock; 0 for the first version. */
  timeMs: number;
  /** Envelopes that together hold the command and its signatures, base64; none for the first version. */
  evidence: string[];
  /** Keys of the authors, hexadecimal. */
  authorKeys: string[];
};

export type FailoverRuleReport = {
  /** Its name, as far as it is known here. */
  dataset: string;
  datasetId: string;
  standbySite: string;
  /** Hash of the plan that restores it there. */
  plan?: string;
  /** So long after it was last heard of, its live copy has stopped itself. */
  leaseMs?: number;
};
