import type { DatasetShape } from '../core/policy/data-shape.ts';
import type { DrillKind, DrillReport } from '../core/policy/drill-report.ts';
import type { Objectives } from '../core/policy/objectives.ts';
import type { DrillState } from '../core/policy/drill-due.ts';
import type { Probe } from '../core/policy/restore-plan.ts';

/** The part of the agent's API that is about rehearsals of restores. */
export interface DrillApi {
  /** What a report says of this host, and what the policy says of a dataset. @throws not-found | ambiguous */
  drillTerms(request: { dataset?: string; scenario?: DrillKind }): Promise<DrillTerms>;
  /** Which dataset it is, and what made-up data must be like to stand for it: counts and sizes, no names. @throws not-found | ambiguous */
  drillShape(request: { dataset: string }): Promise<ShapedDataset>;
  /** Signs a report of a drill that was run on this host. Durable here when resolved. */
  recordDrill(request: { report: string }): Promise<{ id: string }>;
  /** Newest last. */
  drills(): Promise<DrillEntry[]>;
  /** What proves the reports to anybody who knows the cluster's id. Statements are base64. */
  drillEvidence(): Promise<{ genesis: string; statements: string[] }>;
  /** The recipient of this host's drill key, which is made when it is asked for first. */
  drillKey(): Promise<{ recipient: string }>;
  /** What the policy wants drilled, and this host's part in it. */
  drillSchedule(): Promise<DrillPlanReport[]>;
  /** Drills with this host's drill key; the report is signed. @throws key-needed | wrong-key | not-permitted | ... */
  runDrill(request: AgentDrillRequest): AsyncIterable<DrillRunEvent>;
}

export type DrillPlanReport = {
  dataset: string;
  datasetId: string;
  source: string;
  everyMs: number;
  sampleBytes?: number;
  /** UTC. */
  window?: string;
  /** Members that drill without a person; none: a person does. */
  agents: string[];
  /** Of this host. Source: it is named, and never opens what it has backed up. */
  part: 'drills' | 'not' | 'source';
  state: DrillState;
  /** When this host would begin. */
  nextMs: number;
  /** Why its newest attempt came to nothing. */
  problem?: string;
};

/** The newest snapshot of a dataset, or a random part of it of about so many bytes. */
export type AgentDrillRequest = { dataset: string; sample?: number };

/** A dataset, as a report names it. */
export type DrillSubject = { name: string; id: string; source: string; sourceSite: string };

export type ShapedDataset = { dataset: DrillSubject; shape: DatasetShape };

export type DrillTerms = {
  cluster: { id: string; name: string };
  agent: { name: string; site: string; key: string };
  policyVersion: number;
  objectives: Objectives;
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
  objectives: Objectives;
};

/** A drill with the recovery kit, in the process of the command. */
export type DrillRequest = {
  snapshot: string;
  /** Inside the snapshot; `/` is all of it. */
  path: string;
  kind: 'dataset' | 'file' | 'site-loss' | 'key-loss';
  /** With what the backups were opened. */
  authority: 'kit' | 'shares' | 'grant';
  terms: DrillTerms;
  /** Sites that it must do without. */
  without?: string[];
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

/** A drill in a cluster of its own, on this machine. */
export type SandboxRequest = {
  scenario: DrillKind;
  terms: DrillTerms;
  /** Of the dataset that made-up data stands for. */
  dataset: DrillSubject;
  shape: DatasetShape;
  sites: number;
  surviveSites: number;
  /** Absolute: everything is below a new directory in it. */
  stagingDir: string;
  bytesMax: number;
  timeMaxMs: number;
  keeps: boolean;
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
  /** Of a scenario in a sandbox: what happens now. */
  | { type: 'step'; text: string }
  /** `id`: under which the agent has signed it. */
  | { type: 'report'; report: DrillReport; staged: string; isKept: boolean; id?: string };
