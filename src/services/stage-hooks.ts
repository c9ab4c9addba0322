import { secondMs } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { HookResult, HookRunner } from '../ports/hook.ts';
import type { Cancel, Log } from '../ports/runtime.ts';
import { hookEnvironment } from './hook-environment.ts';
import { stoppable } from './stoppable.ts';

export type Stage = 'backup' | 'restore' | 'drill';

/** A program of the configuration. */
export type StageHook = {
  readonly command: readonly string[];
  readonly timeoutMs: number;
  /** Whether its failure is that of the stage, or is only told. */
  readonly onFailure: 'abort' | 'warn';
};

export type StageHooks = {
  readonly before: readonly StageHook[];
  readonly after: readonly StageHook[];
};

export type StageEnd = 'done' | 'failed' | 'interrupted';

/** What is run around a stage, and by whom. */
export type StagePrograms = {
  readonly stage: Stage;
  readonly hooks: StageHooks;
  readonly runner: HookRunner;
  readonly log: Log;
};

export type StageOrder<Event> = StagePrograms & {
  /** Upper-cased, each becomes a variable HOLDFAST_.. of the program. */
  readonly facts: Readonly<Record<string, string>>;
  /** Called when it begins; what it returns is called when the last program has ended. */
  readonly track?: () => () => void;
  /** What an event of the work adds to the facts; the last one: the work is through with it. */
  readonly learn: (event: Event) => { facts?: Readonly<Record<string, string>>; isLast?: boolean };
};

type Notice = { type: 'notice'; message: string };

/**
 * Does the work of a stage between the programs that belong to it. Those before may keep it from beginning; those
 * after run whenever one before has been started, however the work ended, so that what was stopped is started again.
 * Nobody can take back what was done: a program that fails after it makes the stage fail, and nothing more.
 * @throws HoldfastError hook-failed
 */
export function aroundStage<Event>(
  order: StageOrder<Event>,
  work: (signal: AbortSignal) => AsyncIterable<Event>,
): AsyncGenerator<Event | Notice> {
  return stoppable((signal) => run(order, work, signal));
}

async function* run<Event>(
  order: StageOrder<Event>,
  work: (signal: AbortSignal) => AsyncIterable<Event>,
  signal: AbortSignal,
): AsyncGenerator<Event | Notice> {
  const after = new AfterHooks(order);
  const settle = order.track?.();
  try {
    for (const hook of order.hooks.before) {
      const problem = await runHook(hook, 'before', order, order.facts, { signal });
      if (problem === undefined) continue;
      if (hook.onFailure === 'abort') throw failed(order.stage, 'before', problem);
      yield notice(order.stage, 'before', problem);
    }
    for await (const event of work(signal)) {
      after.learn(event);
      yield event;
    }
    yield* after.run();
  } catch (error) {
    if (after.end === 'interrupted' && !signal.aborted) after.end = 'failed';
    throw error;
  } finally {
    // Whoever listened has gone, or has an error already: what is wrong here is in the log.
    for await (const _ of after.runQuietly());
    settle?.();
  }
}

class AfterHooks<Event> {
  end: StageEnd = 'interrupted';
  readonly #order: StageOrder<Event>;
  #facts: Record<string, string>;
  #hasRun = false;

  constructor(order: StageOrder<Event>) {
    this.#order = order;
    this.#facts = { ...order.facts };
  }

  learn(event: Event): void {
    const { facts, isLast } = this.#order.learn(event);
    Object.assign(this.#facts, facts);
    if (isLast === true) this.end = 'done';
  }

  /** Without the signal: they put right what those before have changed. */
  async *run(): AsyncGenerator<Notice> {
    const { hooks, stage } = this.#order;
    if (this.#hasRun) return;
    this.#hasRun = true;
    const facts = { ...this.#facts, outcome: this.end };
    let fatal: string | undefined;
    for (const hook of hooks.after) {
      const problem = await runHook(hook, 'after', this.#order, facts, {});
      if (problem === undefined) continue;
      if (hook.onFailure === 'abort') fatal ??= problem;
      else yield notice(stage, 'after', problem);
    }
    if (fatal !== undefined) throw failed(stage, 'after', fatal);
  }

  async *runQuietly(): AsyncGenerator<Notice> {
    try {
      yield* this.run();
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
    }
  }
}

/** What went wrong, for people; undefined: nothing. @throws the signal's reason */
async function runHook<Event>(
  { command, timeoutMs }: StageHook,
  when: 'before' | 'after',
  { stage, runner, log }: StageOrder<Event>,
  facts: Readonly<Record<string, string>>,
  { signal }: Cancel,
): Promise<string | undefined> {
  const hook = { argv: command, environment: hookEnvironment({ ...facts, stage, when }) };
  const cancel = signal === undefined ? {} : { signal };
  const result = await runner
    .run(hook, { timeoutMs, ...cancel })
    .catch((error: unknown): HookResult => {
      signal?.throwIfAborted();
      if (codeOf(error) === undefined) throw error;
      return { isDone: false, detail: (error as Error).message, output: '' };
    });
  const about = { stage, when, program: command[0] ?? '', limitS: timeoutMs / secondMs };
  if (result.isDone) {
    log.log('info', backupMessages.stageProgramHasRun, about);
    return undefined;
  }
  const { detail, output } = result;
  log.log('error', backupMessages.stageProgramHasFailed, { ...about, detail, output });
  return output === '' ? detail : `${detail}: ${output}`;
}

function notice(stage: Stage, when: string, problem: string): Notice {
  return { type: 'notice', message: `the program ${when} the ${stage} has failed: ${problem}` };
}

function failed(stage: Stage, when: 'before' | 'after', problem: string): HoldfastError {
  const what = when === 'before' ? `; the ${stage} was not begun` : `; the ${stage} itself is done`;
  return new HoldfastError(
    'hook-failed',
    `the program ${when} the ${stage} has failed${what}: ${problem}`,
    {
      next: 'mend the program, or set "onFailure": "warn" in "hooks" of the configuration: holdfast config show',
    },
  );
}
