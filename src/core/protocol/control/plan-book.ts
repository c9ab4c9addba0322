import type {
  BodyOf,
  CommandId,
  Fence,
  Mark,
  PlanHash,
  RunGrant,
} from '../../format/control-records.ts';
import type { AgentKey } from '../../ids.ts';
import { runnableSteps } from '../../policy/plan-graph.ts';
import { decodePlan, planHash } from '../../policy/plan-text.ts';
import type { PlanStep, RestorePlan } from '../../policy/restore-plan.ts';
import { appendBounded, controlBounds } from './control-bounds.ts';
import { checkTransition } from './mark-rules.ts';
import type { ControlMember } from './member-book.ts';
import {
  closed,
  isOpen,
  isWorker,
  marked,
  newRun,
  type PlanRecord,
  type PlanRun,
  type RunState,
  resumed,
  rollingBack,
  stepOf,
} from './plan-run.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';
import type { TimeBook, TimeWait } from './time-book.ts';

/** What is left of a plan that was finished long ago. */
export type FinishedPlan = {
  readonly hash: PlanHash;
  readonly run: number;
  readonly state: RunState;
  readonly commands: readonly CommandId[];
};

/** A run with its plan. */
export type RunRecord = { readonly record: PlanRecord; readonly run: PlanRun };

type RunName = { readonly plan: PlanHash; readonly run: number };

/** Restore plans, their runs, and how far each step is. */
export class PlanBook {
  readonly #plans = new Map<PlanHash, PlanRecord>();
  readonly #finished = new Map<PlanHash, FinishedPlan>();

  /** In the order in which they first came. */
  all(): readonly PlanRecord[] {
    return [...this.#plans.values()];
  }

  of(hash: PlanHash): PlanRecord | undefined {
    return this.#plans.get(hash);
  }

  finished(): readonly FinishedPlan[] {
    return [...this.#finished.values()];
  }

  /** Runs in which something may still happen. */
  open(): readonly RunRecord[] {
    return this.all().flatMap((record) =>
      record.runs.filter(isOpen).map((run) => ({ record, run })),
    );
  }

  runOf({ plan, run }: RunName): RunRecord | undefined {
    const record = this.#plans.get(plan);
    const found = record?.runs.find((one) => one.run === run);
    return record === undefined || found === undefined ? undefined : { record, run: found };
  }

  /** Steps that a coordinator may start now, as the plan lists them. */
  runnable(name: RunName): readonly PlanStep[] {
    const found = this.runOf(name);
    if (found === undefined || found.run.state !== 'running') return [];
    return runnableSteps(found.record.plan, found.run.steps);
  }

  /** The plan in a command, whose hash fits. @throws HoldfastError bad-encoding | not-permitted */
  read(body: BodyOf<'plan'>): RestorePlan {
    if (planHash(body.plan) !== body.hash) throw refusal('the hash is not that of the plan');
    return decodePlan(body.plan);
  }

  /** A new run, unless this plan has one that is open or done. @throws HoldfastError not-permitted */
  checkPlan(
    body: BodyOf<'plan'>,
    plan: RestorePlan,
    context: {
      readonly place: CommandPlace;
      readonly authors: readonly AgentKey[];
      readonly id: CommandId;
    },
  ): Change {
    const before = this.#plans.get(body.hash);
    const last = before?.runs.at(-1) ?? this.#finished.get(body.hash);
    if (last !== undefined && last.state !== 'failed' && last.state !== 'cancelled') {
      throw refusal(`run ${last.run} of this plan is ${last.state}`);
    }
    const commands = (before ?? this.#finished.get(body.hash))?.commands ?? [];
    if (commands.includes(context.id)) throw refusal('the command is known already');
    if (commands.length >= controlBounds.runsMax) throw refusal('this plan was run too often');
    if (this.open().length >= controlBounds.openRunsMax) throw refusal('too many plans are open');
    const { authors, id, place } = context;
    const { index, timeMs } = place;
    const run = newRun(plan, { run: (last?.run ?? 0) + 1, authors, index, timeMs });
    return () => {
      const runs = [...(before?.runs ?? []), run].slice(-controlBounds.runsKeptMax);
      const record = { hash: body.hash, bytes: body.plan, plan, runs };
      this.#finished.delete(body.hash);
      this.#plans.set(body.hash, { ...record, commands: [...commands, id] });
      this.#makeRoom();
    };
  }

  /** @throws HoldfastError not-permitted */
  checkGrant(body: RunGrant, place: CommandPlace, time: TimeBook): Change {
    const found = this.#openRun(body);
    const { plan, run, agent, sealed, lastsMs } = body;
    const { grants } = found.run;
    if (!grants.has(agent) && grants.size >= controlBounds.grantsPerRunMax) {
      throw refusal('the run has too many grants');
    }
    const wait = time.begin(place, lastsMs);
    const grant = { grant: { plan, run, agent, sealed, lastsMs }, index: place.index, wait };
    return () => this.#setRun(found, { ...found.run, grants: new Map(grants).set(agent, grant) });
  }

  /** The signer, a voter, takes over: older fences of the run are worth nothing from here on. */
  checkAssign(body: BodyOf<'assign'>, signer: ControlMember, place: CommandPlace): Change {
    const found = this.#openRun(body);
    if (body.coordinator !== signer.agent) throw refusal('a coordinator must sign for itself');
    const { generation, index } = place;
    const assignment = { coordinator: signer.agent, fence: { generation, index } };
    const state = found.run.state === 'ready' ? 'running' : found.run.state;
    return () => this.#setRun(found, { ...found.run, state, assignment });
  }

  /** `isPromoted`: whether the promotion that a step asked for has been decided. */
  checkMark(
    mark: Mark,
    context: {
      readonly signer: ControlMember;
      readonly worker: ControlMember | undefined;
      readonly place: CommandPlace;
      readonly isPromoted: boolean;
    },
  ): Change {
    const found = this.requireFence(mark, mark.fence);
    const { plan } = found.record;
    const step = stepOf(plan, mark.step);
    if (step === undefined) throw refusal(`there is no step "${mark.step}"`);
    const { signer, worker, place } = context;
    if (worker === undefined || !isWorker(plan, step, worker)) {
      throw refusal(`step "${step.id}" is not for this worker`);
    }
    if (signer.agent !== worker.agent && signer.agent !== found.run.assignment?.coordinator) {
      throw refusal(`"${signer.name}" is neither the coordinator nor the worker`);
    }
    checkTransition(plan, found.run, mark);
    if (step.kind === 'promote' && mark.outcome === 'done' && !context.isPromoted) {
      throw refusal(`"${step.dataset}" is not promoted yet`);
    }
    return () => this.#setRun(found, marked({ plan, run: found.run }, mark, place));
  }

  /** `isPromoted`: whether a step's promotion was decided or still may be. @throws HoldfastError not-permitted */
  checkDecision(
    body: BodyOf<'plan-decision'>,
    isPromoted: (step: RunName & { readonly step: string }) => boolean,
  ): Change {
    const found = this.#openRun(body);
    const { record, run } = found;
    if (body.decision === 'cancel') return () => this.#setRun(found, closed(run, 'cancelled'));
    if (body.decision === 'resume') {
      if (run.state !== 'escalated') throw refusal(`the run is ${run.state}, not escalated`);
      return () => this.#setRun(found, resumed(record.plan, run));
    }
    if (run.state === 'rolling-back') throw refusal('the run is rolling back already');
    // Undoing what came before a promotion would take the ground from under the live copy.
    const { plan: hash } = body;
    const name = { plan: hash, run: run.run };
    const promoted = record.plan.steps.find(
      ({ id, kind }) => kind === 'promote' && isPromoted({ ...name, step: id }),
    );
    if (promoted !== undefined) {
      throw refusal(`step "${promoted.id}" has promoted, or is being voted on: give it up first`);
    }
    return () => this.#setRun(found, rollingBack(run));
  }

  /** An open run whose current fence this is. @throws HoldfastError not-permitted */
  requireFence(name: RunName, fence: Fence): RunRecord {
    const found = this.#openRun(name);
    const current = found.run.assignment?.fence;
    if (current === undefined) throw refusal('the run has no coordinator');
    if (current.generation !== fence.generation || current.index !== fence.index) {
      throw refusal(`the fence is ${current.generation}/${current.index} by now`);
    }
    return found;
  }

  /** An operator has given up what this step has asked for: its run, if it is open, waits for a decision. */
  stopPromotion(
    name: RunName & { readonly step: string },
    place: { readonly index: number; readonly timeMs: number; readonly detail: string },
  ): void {
    const found = this.runOf(name);
    const before = found?.run.steps.get(name.step);
    if (found === undefined || before === undefined || !isOpen(found.run)) return;
    if (before.state === 'done' || found.run.state === 'rolling-back') return;
    const step = { ...before, ...place, state: 'escalated' as const };
    const steps = new Map(found.run.steps).set(name.step, step);
    this.#setRun(found, { ...found.run, state: 'escalated', steps });
  }

  /** A promotion has been asked for: its step has begun, whatever its coordinator marks. */
  beginPromotion(
    name: RunName & { readonly step: string },
    mark: {
      readonly worker: AgentKey;
      readonly index: number;
      readonly timeMs: number;
    },
  ): void {
    const found = this.#openRun(name);
    const before = found.run.steps.get(name.step);
    if (before === undefined || before.state === 'started') return;
    const step = { ...before, ...mark, state: 'started' as const, attempt: before.attempt + 1 };
    this.#setRun(found, { ...found.run, steps: new Map(found.run.steps).set(name.step, step) });
  }

  /** Open runs wait for a new coordinator: fences of an older generation bind nobody. */
  dropAssignments(): void {
    for (const found of this.open()) this.#setRun(found, { ...found.run, assignment: undefined });
  }

  /** Of grants in runs that are open. */
  waits(): readonly TimeWait[] {
    return this.open().flatMap(({ run }) => [...run.grants.values()].map(({ wait }) => wait));
  }

  /** Lets the time of grants begin. To be called after each command. */
  settleGrants(time: TimeBook): void {
    for (const found of this.open()) {
      const grants = [...found.run.grants].map(
        ([agent, grant]) => [agent, { ...grant, wait: time.settled(grant.wait) }] as const,
      );
      const isSame = grants.every(
        ([agent, { wait }]) => found.run.grants.get(agent)?.wait === wait,
      );
      if (!isSame) this.#setRun(found, { ...found.run, grants: new Map(grants) });
    }
  }

  load(plans: readonly PlanRecord[], finished: readonly FinishedPlan[]): void {
    for (const plan of plans) this.#plans.set(plan.hash, plan);
    for (const plan of finished) this.#finished.set(plan.hash, plan);
  }

  #openRun(name: RunName): RunRecord {
    const found = this.runOf(name);
    if (found === undefined) throw refusal('there is no such run of a plan');
    if (!isOpen(found.run)) throw refusal(`the run is ${found.run.state}`);
    return found;
  }

  #setRun({ record }: RunRecord, next: PlanRun): void {
    const runs = record.runs.map((run) => (run.run === next.run ? next : run));
    this.#plans.set(record.hash, { ...record, runs });
  }

  #makeRoom(): void {
    for (const { hash, runs, commands } of this.all()) {
      if (this.#plans.size <= controlBounds.plansMax) return;
      const last = runs.at(-1);
      if (last === undefined || isOpen(last)) continue;
      this.#plans.delete(hash);
      const left = [...this.#finished.values()];
      appendBounded(
        left,
        { hash, run: last.run, state: last.state, commands },
        controlBounds.finishedPlansMax,
      );
      this.#finished.clear();
      for (const plan of left) this.#finished.set(plan.hash, plan);
    }
  }
}
