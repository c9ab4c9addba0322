import { assert, assertNever } from '../../base/assert.ts';
import { Semaphore } from '../../base/concurrency.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { planHashFrom } from '../../core/format/control-plan.ts';
import type { AgentKey } from '../../core/ids.ts';
import { planMessages } from '../../core/log-messages/plan.ts';
import { isOpen } from '../../core/protocol/control/plan-run.ts';
import type { AnswerInit, AskedValue } from '../../core/protocol/exchange-kinds.ts';
import type { FenceStore, StepStore } from '../../ports/fence-store.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ControlAccess } from '../control/control-access.ts';
import type { Caller, Serve } from '../serve.ts';
import { type Admitted, admit, isOfEndedRun, refused } from './admission.ts';
import type { RunKeys } from './run-keys.ts';
import type { StepActions } from './step-actions.ts';
import { failure, type StepOutcome } from './step-outcome.ts';
import { decodeMemory, encodeMemory, type StepMemory } from './step-record.ts';
import { StepRun } from './step-run.ts';
import { type RunName, runKey, stepKey, type WorkOrder, workOrderFrom } from './work-order.ts';

export type PlanWorkerOptions = {
  readonly control: ControlAccess;
  readonly fences: FenceStore;
  readonly steps: StepStore;
  readonly actions: StepActions;
  readonly keys: Pick<RunKeys, 'recipient' | 'forget'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** What a coordinator hears of a step. */
export type WorkAnswer = {
  readonly state: 'running' | 'done' | 'failed';
  readonly detail: string;
  readonly evidence: Uint8Array;
  /** 0 to 100. */
  readonly percent: number;
  /** Of the step, or of undoing it, that the answer is about. */
  readonly attempt: number;
};

/** How long a request waits for the log to arrive here: shorter than the coordinator waits for an answer. */
const arrivalTimeoutMs = 10 * secondMs;
/** Programs are given a moment to end after their time limit. */
const graceMs = 5 * secondMs;

/**
 * Carries out what the coordinator of a plan asks of this host.
 *
 * order -> wait for the log -> check it against the log -> remember its fence -> look at the step's memory
 *       -> begin, or say how far it is
 *
 * A coordinator is obeyed for what the log says, never for what it says itself: the run's fence, the attempt
 * and the worker must stand in the log. What this host remembers of a step is durable before it acts, so that
 * an agent that was restarted answers truthfully: a hook runs at most once for each attempt, while restores
 * and checks, which may be repeated, begin anew.
 */
export class PlanWorker implements AsyncDisposable {
  readonly #options: PlanWorkerOptions;
  readonly #running = new Map<string, StepRun>();
  /** What is read of a step must still hold when it is written: one order at a time. */
  readonly #turn = new Semaphore(1);
  #release: (() => void) | undefined;
  #isClosed = false;

  constructor(options: PlanWorkerOptions) {
    this.#options = options;
  }

  /** Stops what belongs to runs that end, until disposed. Removes what is remembered of runs that have ended. */
  async start(): Promise<void> {
    const { control, steps } = this.#options;
    this.#release = control.onApplied(({ body, outcome }) => {
      const endsRuns = body.kind === 'mark' || body.kind === 'plan-decision';
      if (endsRuns && outcome.outcome === 'applied') this.#endClosed(body);
    });
    for (const name of await steps.names()) {
      if (isOfEndedRun(control.state.plans, name)) await steps.remove(name);
    }
  }

  /** Lets other members ask: the coordinator for work, operators for the recipient of a run. */
  answerPeers(serve: Pick<Serve, 'register'>): void {
    serve.register('work', (value, caller) => this.answer(value, agentOf(caller), caller));
    serve.register('recipient', async ({ plan, run }, caller) => {
      agentOf(caller);
      return { recipient: await this.#options.keys.recipient({ plan: planHashFrom(plan), run }) };
    });
  }

  /** The answer to a request of this agent. @throws as `work` */
  async answer(
    value: AskedValue<'work'>,
    coordinator: AgentKey,
    options: Cancel = {},
  ): Promise<AnswerInit<'work'>> {
    return this.work(workOrderFrom(value), coordinator, options);
  }

  /**
   * Begins a step, or says how far it is.
   * @throws HoldfastError not-permitted (the log does not bear it out, or a newer fence is obeyed here)
   *   | timeout (the log has not arrived here) | corrupt | disk-full | io-error
   */
  async work(order: WorkOrder, coordinator: AgentKey, options: Cancel = {}): Promise<WorkAnswer> {
    const { control } = this.#options;
    const index = Math.max(order.fence.index, order.sinceIndex);
    await control.applied(index, { ...options, timeoutMs: arrivalTimeoutMs });
    const admitted = admit(control, order, coordinator);
    const release = await this.#turn.acquire();
    try {
      if (this.#isClosed) throw new HoldfastError('interrupted', 'the agent is stopping');
      await this.#raiseFences(order, admitted);
      return await this.#take(order, admitted);
    } finally {
      release();
    }
  }

  /** Before anything is done: what an earlier coordinator still asks for is refused from here on. */
  async #raiseFences(order: WorkOrder, { document, step }: Admitted): Promise<void> {
    const { fences } = this.#options;
    await fences.raise(`run-${runKey(order)}`, order.fence);
    if (!('dataset' in step)) return;
    const dataset = document.datasets.find(({ name }) => name === step.dataset);
    if (dataset !== undefined) await fences.raise(`dataset-${dataset.id}`, order.fence);
  }

  async #take(order: WorkOrder, admitted: Admitted): Promise<WorkAnswer> {
    const key = stepKey(order);
    const running = this.#running.get(key);
    if (running !== undefined) return this.#takeRunning(order, running);
    const record = await this.#options.steps.read(key);
    const memory = record === undefined ? undefined : decodeMemory(record);
    if (memory !== undefined && memory.attempt > order.attempt) {
      throw refused(`attempt ${memory.attempt} at "${order.step}" was begun here`);
    }
    switch (order.kind) {
      case 'perform':
        return this.#perform(order, admitted, memory);
      case 'undo':
        return this.#undo(order, admitted, memory);
      case 'cancel':
        return this.#settleUnbegun(order, memory);
      default:
        return assertNever(order.kind);
    }
  }

  /** Only the same order waits for it; any other ends it, and is taken when it is asked for again. */
  #takeRunning(order: WorkOrder, running: StepRun): WorkAnswer {
    const isUndo = order.kind === 'undo';
    const attempt = isUndo ? order.undoAttempt : order.attempt;
    const isSame = order.kind !== 'cancel' && running.isUndo === isUndo;
    if (!isSame || running.attempt < attempt) running.cancel('it was cancelled');
    const { percent } = running;
    return { state: 'running', detail: '', evidence: new Uint8Array(), percent, attempt };
  }

  async #perform(
    order: WorkOrder,
    admitted: Admitted,
    memory: StepMemory | undefined,
  ): Promise<WorkAnswer> {
    const { attempt } = order;
    const isKnown = memory?.attempt === attempt;
    if (isKnown && memory.outcome !== undefined) return answerOf(memory.outcome, attempt);
    if (isKnown && admitted.step.kind === 'hook') {
      const what = 'the agent stopped while the hook ran: it may have done a part of its work';
      return this.#keep(order, { ...memory, outcome: failure(what) });
    }
    const begun: StepMemory = { attempt, isBegun: true, outcome: undefined, undo: undefined };
    await this.#options.steps.write(stepKey(order), encodeMemory(begun));
    return this.#begin(order, admitted, begun);
  }

  async #undo(
    order: WorkOrder,
    admitted: Admitted,
    memory: StepMemory | undefined,
  ): Promise<WorkAnswer> {
    const { attempt, undoAttempt } = order;
    const isKnown = memory?.attempt === attempt;
    const last = isKnown ? memory.undo : undefined;
    if (last?.outcome?.state === 'done') return answerOf(last.outcome, last.attempt);
    const isRepeated = last !== undefined && last.attempt >= undoAttempt;
    if (isRepeated && last.outcome !== undefined) return answerOf(last.outcome, last.attempt);
    const undo = { attempt: Math.max(undoAttempt, last?.attempt ?? 0), outcome: undefined };
    const begun: StepMemory = {
      attempt,
      isBegun: memory?.isBegun ?? false,
      // An attempt that has not come here yet must not begin after it was undone.
      outcome: (isKnown ? memory.outcome : undefined) ?? failure('it was undone'),
      undo,
    };
    if (!begun.isBegun) return this.#keep(order, { ...begun, undo: { ...undo, outcome: unbegun } });
    if (isRepeated && admitted.step.kind === 'hook') {
      const outcome = failure('the agent stopped while the hook was being undone');
      return this.#keep(order, { ...begun, undo: { ...undo, outcome } });
    }
    await this.#options.steps.write(stepKey(order), encodeMemory(begun));
    return this.#begin(order, admitted, begun);
  }

  /** Nothing runs. An order to begin that is still on its way must find that this attempt is over. */
  async #settleUnbegun(order: WorkOrder, memory: StepMemory | undefined): Promise<WorkAnswer> {
    const { attempt } = order;
    const isBegun = memory?.isBegun ?? false;
    if (memory?.attempt !== attempt) {
      const outcome = failure('it was cancelled before it began');
      return this.#keep(order, { attempt, isBegun, outcome, undo: undefined });
    }
    if (memory.outcome !== undefined) return answerOf(memory.outcome, attempt);
    return this.#keep(order, { ...memory, outcome: failure('the agent stopped while it ran') });
  }

  async #keep(order: WorkOrder, memory: StepMemory): Promise<WorkAnswer> {
    await this.#options.steps.write(stepKey(order), encodeMemory(memory));
    const trial = order.kind === 'undo' ? memory.undo : memory;
    assert(trial?.outcome !== undefined, 'what is kept has ended');
    return answerOf(trial.outcome, trial.attempt);
  }

  #begin(order: WorkOrder, { document, step }: Admitted, begun: StepMemory): WorkAnswer {
    const { actions, clock } = this.#options;
    const isUndo = order.kind === 'undo';
    const attempt = (isUndo ? begun.undo?.attempt : undefined) ?? order.attempt;
    const { plan, run, fence } = order;
    const task = { plan, run, document, step, attempt: order.attempt, fence };
    const running = new StepRun({
      ...{ name: { plan, run }, isUndo, attempt, clock },
      timeoutMs: step.timeoutMs + graceMs,
      work: (inside) =>
        isUndo ? actions.undo({ ...task, ...inside }) : actions.perform({ ...task, ...inside }),
    });
    const key = stepKey(order);
    this.#running.set(key, running);
    running.finished = this.#finish(key, running, begun);
    return answerOf('running', attempt);
  }

  /** The outcome is durable before anybody hears of it. */
  async #finish(key: string, running: StepRun, begun: StepMemory): Promise<void> {
    const { steps, log } = this.#options;
    try {
      const outcome = await running.outcome();
      // Cut off by the end of this process: its memory says "begun", as after a crash.
      if (outcome === undefined) return;
      const undo = running.isUndo ? { attempt: running.attempt, outcome } : undefined;
      const memory = undo === undefined ? { ...begun, outcome } : { ...begun, undo };
      await steps.write(key, encodeMemory(memory));
    } catch (error) {
      // It will be asked for again, and begun again where that is safe.
      if (!(error instanceof HoldfastError)) throw error;
      log.log('error', planMessages.stepOutcomeNotKept, { key, code: error.code });
    } finally {
      this.#running.delete(key);
    }
  }

  #endClosed(name: RunName): void {
    const found = this.#options.control.state.plans.runOf(name);
    if (found === undefined || isOpen(found.run)) return;
    for (const running of this.#running.values()) {
      if (runKey(running.name) === runKey(name)) running.cancel(`the run is ${found.run.state}`);
    }
    void this.#forget(name);
  }

  async #forget(name: RunName): Promise<void> {
    try {
      await this.#options.keys.forget(name);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const context = { ...name, code: error.code };
      this.#options.log.log('warn', planMessages.runKeyNotForgotten, context);
    }
  }

  /** Cuts off what runs. It is begun again, or found cut off, when it is asked for after the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#release?.();
    const all = [...this.#running.values()];
    for (const running of all) running.stop();
    await Promise.all(all.map(({ finished }) => finished));
  }
}

const unbegun: StepOutcome = {
  state: 'done',
  detail: 'nothing to undo: it was never begun here',
  evidence: new Uint8Array(),
};

function answerOf(outcome: StepOutcome | 'running', attempt: number): WorkAnswer {
  if (outcome === 'running') {
    return { state: 'running', detail: '', evidence: new Uint8Array(), percent: 0, attempt };
  }
  return { ...outcome, percent: outcome.state === 'done' ? 100 : 0, attempt };
}

function agentOf({ member }: Caller): AgentKey {
  if (member !== undefined) return member.agentKey;
  throw new HoldfastError('not-permitted', 'only members coordinate plans');
}
