import { setTimeout as sleep } from 'node:timers/promises';
import { noQuorum } from '../../agent/coordinator-quorum.ts';
import type { PlanReport, PlanStepReport } from '../../agent/plan-types.ts';
import { formatElapsed } from '../../base/quantity.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { message } from '../json-fields.ts';
import { clean, counted } from '../terminal-text.ts';
import type { CliContext } from '../world.ts';

/** One small question on a local socket. */
const pollMs = secondMs / 2;
/** When nothing changes for this long, it may be that nobody can decide. */
const silenceMs = 10 * secondMs;

type Place = Pick<PlanReport, 'hash' | 'run'>;

/**
 * Shows how a run gets on, until it is over or needs a person. Interrupting ends the showing, not the plan.
 * @throws HoldfastError failed (it did not end well, or stopped for a decision) | no-quorum | interrupted
 */
export async function followPlan(context: CliContext, { hash, run }: Place): Promise<void> {
  const { backend, nowMs, output, signal, stateDir } = context;
  const agent = backend.control(stateDir);
  const shown = new Map<string, string>();
  const startMs = nowMs();
  let changedMs = startMs;
  let doubts = 0;
  for (;;) {
    if (signal.aborted) throw interrupted(context, hash);
    const report = await agent.plan(hash);
    if (report.run !== run)
      throw new HoldfastError('failed', `run ${run} is over: run ${report.run} has begun`);
    if (await printChanges(context, report, shown)) {
      changedMs = nowMs();
      doubts = 0;
    }
    if (isSettled(report)) return finish(context, report);
    if (output.isTty && !output.isJson && !output.isQuiet) {
      await output.redraw(lineOf(report, nowMs() - startMs, output.columns));
    }
    if (nowMs() - changedMs > silenceMs) {
      const quorum = await agent.coordinator();
      doubts = quorum.isConfirmed ? 0 : doubts + 1;
      // Once is an election.
      if (doubts >= 3) throw withNext(noQuorum(quorum), followAgain(context, hash));
      changedMs = nowMs();
    }
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

function isSettled({ state, isHeld }: PlanReport): boolean {
  return isHeld || ['done', 'failed', 'cancelled', 'escalated'].includes(state);
}

/** @returns true when something was new */
async function printChanges(
  { output }: CliContext,
  report: PlanReport,
  shown: Map<string, string>,
): Promise<boolean> {
  let isNew = false;
  for (const step of report.steps) {
    const { id, state, attempt, worker, detail } = step;
    const now = JSON.stringify([state, attempt, worker, detail]);
    const before = shown.get(id);
    shown.set(id, now);
    if (before === now || (before === undefined && state === 'waiting')) continue;
    isNew = true;
    if (output.isJson) {
      await output.json(message('step', { plan: report.hash, run: report.run, ...step }));
    } else if (!output.isQuiet) await output.print(stepLine(output, step));
  }
  return isNew;
}

function stepLine(output: CliContext['output'], step: PlanStepReport): string {
  const { id, words, state, attempt, attemptsMax, worker, detail } = step;
  const style = { done: 'green', failed: 'yellow', escalated: 'red' } as const;
  const colour = state in style ? style[state as keyof typeof style] : undefined;
  const told = colour === undefined ? state : output.style(state, colour);
  const where = worker === undefined ? '' : ` at ${clean(worker)}`;
  const which = attempt > 1 || state === 'failed' ? `, try ${attempt} of ${attemptsMax}` : '';
  // While it runs, the detail is of the try before.
  const why = clean(detail === '' || state === 'started' ? words : detail);
  return `${clean(id)}: ${told}${where}${which}: ${why}`;
}

function lineOf(
  { steps, state, coordinator }: PlanReport,
  elapsedMs: number,
  columns: number,
): string {
  const done = steps.filter((step) => step.state === 'done').length;
  const now = steps.filter((step) => step.state === 'started').map(({ id }) => id);
  const words = [
    formatElapsed(elapsedMs),
    `${done} of ${counted(steps.length, 'step')}`,
    now.length === 0 ? state : now.join(', '),
    coordinator === undefined ? 'waits for a coordinator' : `coordinator ${coordinator}`,
  ];
  return clean(words.join('  ')).slice(0, Math.max(0, columns - 1));
}

async function finish(context: CliContext, report: PlanReport): Promise<void> {
  const { output } = context;
  await output.endRedraw();
  const { name, hash, run, state, steps, isHeld } = report;
  if (output.isJson) await output.json(message('summary', report));
  const what = `plan ${clean(name)} (${hash.slice(0, 8)}), run ${run}`;
  if (isHeld) {
    await output.remark(
      `The ${what} is held: a rule of the policy keeps it for the day when its site is lost.`,
    );
    return;
  }
  const done = steps.filter((step) => step.state === 'done').length;
  if (state === 'done') {
    if (!output.isJson) await output.print(`Done: ${what}, ${counted(done, 'step')}.`);
    return;
  }
  throw outcomeError(context, report, `${what}: ${done} of ${counted(steps.length, 'step')} done`);
}

/** What is to be done about a run that did not end well. */
function outcomeError(
  { stateFlag }: CliContext,
  { state, hash, steps }: PlanReport,
  what: string,
): HoldfastError {
  const short = `${hash.slice(0, 8)}${stateFlag}`;
  const stuck = steps.filter((step) => ['escalated', 'failed'].includes(step.state));
  const why = stuck.map(({ id, detail }) => `${id}: ${detail}`).join('\n');
  const waiting = stuck.find(({ kind }) => kind === 'promote')?.dataset;
  if (state !== 'escalated') {
    const how = state === 'cancelled' ? 'was cancelled' : 'has failed, and was undone';
    return new HoldfastError('failed', `${what}; it ${how}${why === '' ? '' : `\n${why}`}`, {
      next: `holdfast restore status ${short}`,
    });
  }
  const mend =
    waiting === undefined
      ? 'mend the cause'
      : `on the old host: holdfast dataset demote ${waiting}; or, when it is off for certain: holdfast dataset isolate --agent NAME --reason TEXT`;
  return new HoldfastError('failed', `${what}; it needs a decision\n${why}`, {
    next: `${mend}; then: holdfast restore resume ${short} (or rollback, or cancel)`,
  });
}

function followAgain({ stateFlag }: CliContext, hash: string): string {
  const short = `${hash.slice(0, 8)}${stateFlag}`;
  return `holdfast restore status ${short} --follow; to give it up: holdfast restore cancel ${short}`;
}

function interrupted(context: CliContext, hash: string): HoldfastError {
  return new HoldfastError('interrupted', 'no longer following; the plan goes on', {
    next: followAgain(context, hash),
  });
}

function withNext(error: HoldfastError, next: string): HoldfastError {
  return new HoldfastError(error.code, error.message, { next, details: error.details });
}
