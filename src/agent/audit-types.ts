import type { AuditEntry } from '../core/format/audit-entry.ts';

/** The part of the agent's API that is about its audit log. */
export interface AuditApi {
  auditHead(): Promise<AuditHead>;
  /** At most 512 entries from an index on, as they stand in the log (Base64). */
  auditEntries(request: { from: number; count: number }): Promise<{ entries: string[] }>;
  /** Reads the whole log again, and asks every member what it remembers of it. */
  verifyAudit(): Promise<AuditVerdict>;
}

export type AuditHead = {
  /** Of this log: it grows when a damaged one was put aside. */
  number: number;
  size: number;
  /** Signed by this agent and cosigned by others (C2SP signed note); undefined: not yet. */
  checkpoint?: string;
  agent: { name: string; agentKey: string };
  clusterId: string;
  members: { name: string; site: string; agentKey: string }[];
};

export type AuditVerdict = {
  size: number;
  /** The first entry that is not as it was written; undefined: all are. */
  changedAt?: number;
  /** Numbers of the earlier logs of this host that were put aside, and still lie in its state directory. */
  putAside: number[];
  /** What each other member remembers of this log. */
  members: {
    name: string;
    site: string;
    state: 'agrees' | 'knows-nothing' | 'contradicts' | 'no-answer';
    size: number;
  }[];
  /** Logs of others that this host has proof against. */
  proofs: {
    name: string;
    number: number;
    /** That log was put aside since, and another goes on. */
    isPast: boolean;
    first: string;
    second: string;
  }[];
};

export type AuditLine = AuditEntry & { index: number };
