import type { Probe, RestorePlan } from '../core/policy/restore-plan.ts';
import type { CommitState } from './api.ts';

/** The part of the agent's API that is about restore plans. Keys and hashes in hexadecimal. */
export interface PlanApi {
  /**
   * Makes a plan of a draft: names become ids, `latest` the newest anchored snapshot. Changes nothing.
   * @throws usage | not-found | ambiguous | not-committed (no snapshot is anchored yet)
   */
  resolvePlan(request: { draft: PlanDraft }): Promise<PlanProposal>;
  /** A plan that has been resolved, as JSON text in any form. @throws usage */
  readPlan(request: { text: string }): Promise<PlanProposal>;
  /** Plans that the control log knows, the oldest first, each with its newest run. */
  plans(): Promise<PlanReport[]>;
  /** `plan`: its name, or the beginning of its hash. @throws not-found | ambiguous */
  plan(plan: string): Promise<PlanReport>;
  /** Asks every agent that may restore something in a run to what its keys shall be sealed. @throws not-found */
  planRecipients(request: { plan: string; run: number }): Promise<PlanRecipient[]>;
  /** Keeps parts of a grant (base64) that did not fit its command, for the agents to fetch. */
  keepFacts(request: { facts: string[] }): Promise<void>;
}

/** What a person writes. Left out: what has an obvious value. */
export type PlanDraft = {
  name?: string;
  target: { site: string };
  datasets: (string | PlanDatasetDraft)[];
  /** Without steps: where datasets go, each into a directory of its own; /srv/restored. */
  dir?: string;
  /** Without steps: what must be well before anything is promoted. */
  checks?: Probe[];
  /** Without steps: whether restored copies become the live ones; true. */
  promote?: boolean;
  /** As in a plan; `after`, `timeoutMs` and `attempts` may be left out. */
  steps?: Record<string, unknown>[];
  onFailure?: RestorePlan['onFailure'];
};

export type PlanDatasetDraft = {
  /** Of the dataset, or the beginning of its id. */
  name: string;
  /** "latest", or the beginning of an id; "latest" when left out. */
  snapshot?: string;
  /** Within the snapshot; all of it when left out. */
  path?: string;
};

export type PlanProposal = {
  hash: string;
  /** The canonical text that operators sign. */
  text: string;
  plan: RestorePlan;
  estimate: PlanEstimate;
  /** What a person should know before signing. */
  notices: string[];
};

export type PlanEstimate = {
  datasets: DatasetEstimate[];
  /** To be written at the target. */
  bytes: number;
  /** To be fetched from peers at most: what is there already is not fetched. */
  fetchBytes: number;
  /** Sites whose reachable peers hold some of it. */
  sites: string[];
  /** As an earlier restore by a plan has measured it, and how long this one takes by it; undefined: never measured. */
  measured?: { bytesPerSecond: number; durationMs: number };
};

export type DatasetEstimate = {
  name: string;
  snapshot: string;
  /** Undefined when the snapshot is not known here. */
  known?: {
    source: string;
    state: CommitState;
    isAnchored: boolean;
    timeMs: number;
    ageMs: number;
    bytes: number;
    fetchBytes: number;
    sites: string[];
    isRestorableNow: boolean;
  };
};

export type PlanRunState =
  | 'ready'
  | 'running'
  | 'rolling-back'
  | 'escalated'
  | 'done'
  | 'failed'
  | 'cancelled';

export type PlanReport = {
  hash: string;
  name: string;
  site: string;
  /** The newest one, from 1. */
  run: number;
  state: PlanRunState;
  /** A rule of the policy keeps it for the day when a site is lost. */
  isHeld: boolean;
  /** Names of the operators who signed it. */
  authors: string[];
  /** When, by the first author's clock. */
  timeMs: number;
  coordinator?: string;
  /** What every effect of it carries now: later ones win. */
  fence?: { generation: number; index: number };
  /** Agents that have been granted keys. */
  granted: string[];
  /** In an order in which they can be done. */
  steps: PlanStepReport[];
};

export type PlanStepReport = {
  id: string;
  kind: 'restore' | 'check' | 'hook' | 'promote';
  /** Of a restore or a promotion. */
  dataset?: string;
  /** In words: "restore web to /srv/web". */
  words: string;
  after: string[];
  /** Agent or site. */
  on: string;
  state: 'waiting' | 'started' | 'done' | 'failed' | 'undone' | 'escalated';
  attempt: number;
  attemptsMax: number;
  /** Agent that did or does it. */
  worker?: string;
  /** Of the newest mark; undefined before the first. */
  timeMs?: number;
  detail: string;
};

export type PlanRecipient = {
  /** How long what is granted to it may last. */
  lastsMs: number;
  agent: string;
  agentKey: string;
  /** Snapshots whose keys it needs. */
  snapshots: string[];
  /** An age recipient; undefined: it could not be asked, see `problem`. */
  recipient?: string;
  problem?: string;
};
