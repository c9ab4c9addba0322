import type { DrillReport } from '../core/policy/drill-report.ts';
import type { DrillState } from '../core/policy/drill-due.ts';
import type { Probe } from '../core/policy/restore-plan.ts';

/** The part of the agent's API that is about rehearsals of restores. */
export interface DrillApi {
  /** What a report says of this host, and what the policy says of a dataset. @throws not-found | ambiguous */
  drillTerms(request: { dataset?: string }): Promise<DrillTerms>;
  /** Signs a report of a drill that was run on this host. Durable here when resolved. */
  recordDrill(request: { report: string }): Promise<{ id: string }>;
  /** Newest last. */
  drills(): Promise<DrillEntry[]>;
  /** What proves the reports to anybody who knows the cluster's id. Statements are base64. */
  drillEvidence(): Promise<{ genesis: string; statements: string[] }>;
}

export type DrillTerms = {
  cluster: { id: string; name: string };
  agent: { name: string; site: string; key: string };
  policyVersion: number;
  objectives: { rpoMs?: number; rtoMs?: number };
  approvals: { needed: number; by: string[] };
  checks: Probe[];
};

export type DrillEntry = {
  /** Envelope hash of the statement. */
  id: string;
  /** Of whoever has signed it. */
  agent: string;
  sequence: number;
  timeMs: number;
  isAnchored: boolean;
  report: DrillReport;
};

/** Of one dataset, in `status`. */
export type DrillStatus = {
  state: DrillState;
  everyMs?: number;
  last?: {
    id: string;
    timeMs: number;
    outcome: DrillReport['outcome'];
    scope: DrillReport['scope'];
    rtoMs?: number;
    rpoMs?: number;
    isRtoReckoned: boolean;
    agent: string;
  };
  objectives: { rpoMs?: number; rtoMs?: number };
};

/** A drill with the recovery kit, in the process of the command. */
export type DrillRequest = {
  snapshot: string;
  /** Inside the snapshot; `/` is all of it. */
  path: string;
  kind: 'dataset' | 'file';
  terms: DrillTerms;
  sampleBytes?: number;
  /** Absolute. */
  stagingDir: string;
  bytesMax: number;
  checks: Probe[];
  runsCommands: boolean;
  keeps: boolean;
  /** Absolute; of live files that should be the same. */
  compareWith?: string;
};

export type DrillRunEvent =
  | { type: 'phase'; phase: 'restore' | 'verify' | 'check' }
  | {
      type: 'status';
      phase: 'restore' | 'verify';
      filesDone: number;
      filesTotal: number;
      bytesDone: number;
      bytesTotal: number;
      current: string;
    }
  | { type: 'problem'; path: string; reason: string; isLost: boolean }
  | { type: 'notice'; message: string }
  | { type: 'report'; report: DrillReport; staged: string; isKept: boolean };
