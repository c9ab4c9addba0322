import type { CommandId, Fence, Mark, PlanHash, RunGrant } from '../../format/control-records.ts';
import type { AgentKey } from '../../ids.ts';
import { isTouched, type stepStates } from '../../policy/plan-graph.ts';
import type { PlanStep, RestorePlan } from '../../policy/restore-plan.ts';
import type { TimeWait } from './time-book.ts';

/** The first four are open; the others are final. */
export const runStates = [
  'ready',
  'running',
  'rolling-back',
  'escalated',
  'done',
  'failed',
  'cancelled',
] as const;

/** Where a run stands. */
export type RunState = (typeof runStates)[number];

/** What is known of one step in one run. */
export type StepRecord = {
  readonly state: (typeof stepStates)[number];
  readonly attempt: number;
  readonly attemptsMax: number;
  /** Of the newest attempt. */
  readonly worker: AgentKey | undefined;
  /** Of the newest mark; 0 before the first. */
  readonly index: number;
  readonly timeMs: number;
  readonly detail: string;
  readonly evidence: Uint8Array;
};

/** Keys that an agent was granted, and until when. */
export type HeldGrant = {
  readonly grant: RunGrant;
  readonly index: number;
  readonly wait: TimeWait;
};

/** One execution of a plan. */
export type PlanRun = {
  /** From 1. */
  readonly run: number;
  readonly state: RunState;
  /** The operators who signed it into being. */
  readonly authors: readonly AgentKey[];
  readonly index: number;
  readonly timeMs: number;
  /** Undefined until somebody coordinates, and again after a decree. */
  readonly assignment: { readonly coordinator: AgentKey; readonly fence: Fence } | undefined;
  /** One for each step of the plan. */
  readonly steps: ReadonlyMap<string, StepRecord>;
  /** The newest for each agent; none once the run is over. */
  readonly grants: ReadonlyMap<AgentKey, HeldGrant>;
};

/** A plan with its runs. */
export type PlanRecord = {
  readonly hash: PlanHash;
  /** Canonical text, as signed. */
  readonly bytes: Uint8Array;
  readonly plan: RestorePlan;
  /** Oldest first, at least one. */
  readonly runs: readonly PlanRun[];
  /** Of the commands that began its runs. */
  readonly commands: readonly CommandId[];
};

/** True while something may still happen in it. */
export function isOpen({ state }: PlanRun): boolean {
  return ['ready', 'running', 'rolling-back', 'escalated'].includes(state);
}

/** A run before its first mark. */
export function newRun(
  plan: RestorePlan,
  begin: Pick<PlanRun, 'run' | 'authors' | 'index' | 'timeMs'>,
): PlanRun {
  const steps = plan.steps.map(({ id, attempts }) => [id, waiting(attempts)] as const);
  return {
    ...begin,
    state: 'ready',
    assignment: undefined,
    steps: new Map(steps),
    grants: new Map(),
  };
}

function waiting(attemptsMax: number): StepRecord {
  const nobody = { worker: undefined, index: 0, timeMs: 0, detail: '', evidence: new Uint8Array() };
  return { state: 'waiting', attempt: 0, attemptsMax, ...nobody };
}

/** open -> a final state: what agents needed for it is forgotten. */
export function closed(run: PlanRun, state: 'done' | 'failed' | 'cancelled'): PlanRun {
  return { ...run, state, grants: new Map() };
}

/** True when a step of this run has begun to promote: that is never undone. */
export function hasPromoted(plan: RestorePlan, run: PlanRun): boolean {
  return plan.steps.some(({ id, kind }) => kind === 'promote' && isTouched(run.steps.get(id)));
}

/**
 * running | escalated | ready -> rolling-back, or failed at once when nothing has been begun.
 * A run that has promoted must not come here.
 */
export function rollingBack(run: PlanRun): PlanRun {
  const isClean = [...run.steps.values()].every((step) => !isTouched(step));
  return isClean ? closed(run, 'failed') : { ...run, state: 'rolling-back' };
}

/** escalated -> running, when an operator says so: every step that stopped may be tried as often again. */
export function resumed(plan: RestorePlan, run: PlanRun): PlanRun {
  const steps = new Map(run.steps);
  for (const { id, attempts } of plan.steps) {
    const step = steps.get(id);
    if (step === undefined || ['waiting', 'started', 'done'].includes(step.state)) continue;
    steps.set(id, { ...step, state: 'waiting', attemptsMax: step.attempt + attempts });
  }
  return { ...run, state: 'running', steps };
}

/** The run after a mark that has been found valid. */
export function marked(
  record: { readonly plan: RestorePlan; readonly run: PlanRun },
  mark: Mark,
  place: { readonly index: number; readonly timeMs: number },
): PlanRun {
  const { plan, run } = record;
  const before = run.steps.get(mark.step) as StepRecord;
  const { worker, detail, evidence, outcome, attempt } = mark;
  // What was being undone has been done all the same, until it is undone.
  const isStuckUndo = run.state === 'rolling-back' && outcome === 'escalated';
  const state = isStuckUndo ? before.state : outcome;
  const marks = { index: place.index, timeMs: place.timeMs, worker, detail, evidence };
  const step = {
    ...before,
    ...marks,
    state,
    attempt: state === 'escalated' ? before.attempt : attempt,
  };
  const next = { ...run, steps: new Map(run.steps).set(mark.step, step) };
  return settled(plan, next, { step, outcome });
}

/**
 * running -> escalated | rolling-back, when a step has failed for the last time; running -> done, when
 * everything is; rolling-back -> failed, when everything begun is undone.
 */
function settled(
  plan: RestorePlan,
  run: PlanRun,
  last: { readonly step: StepRecord; readonly outcome: Mark['outcome'] },
): PlanRun {
  const { step, outcome } = last;
  if (outcome === 'escalated') return { ...run, state: 'escalated' };
  if (outcome === 'failed' && step.attempt >= step.attemptsMax && run.state === 'running') {
    const canRollBack = plan.onFailure === 'roll-back' && !hasPromoted(plan, run);
    return canRollBack ? rollingBack(run) : { ...run, state: 'escalated' };
  }
  const steps = [...run.steps.values()];
  if (outcome === 'done' && steps.every(({ state }) => state === 'done'))
    return closed(run, 'done');
  if (outcome === 'undone' && !steps.some(isTouched)) return closed(run, 'failed');
  return run;
}

/** The step of this id. */
export function stepOf(plan: RestorePlan, id: string): PlanStep | undefined {
  return plan.steps.find((step) => step.id === id);
}

/** True when the plan wants this step done by such an agent. */
export function isWorker(
  plan: RestorePlan,
  step: PlanStep,
  agent: { readonly name: string; readonly site: string },
): boolean {
  const on = step.on ?? plan.target.site;
  return agent.name === on || agent.site === on;
}
