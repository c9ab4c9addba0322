import { isOpen } from '../../../src/core/protocol/control/plan-run.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

type Known = { readonly index: number; readonly state: string; readonly attempt: number };

/** A step never goes back: attempts grow, what is done stays done unless it is undone, a closed run stays closed. */
export class MarksGrow implements ControlChecker {
  readonly name = 'marks-grow';
  readonly #steps = new Map<string, Known>();
  readonly #closed = new Map<string, string>();

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied') return undefined;
    const { index } = seen.command;
    for (const { hash, runs, plan } of seen.control.state.plans.all()) {
      for (const run of runs) {
        const name = `${hash.slice(0, 8)}/${run.run}`;
        const closed = this.#closed.get(name);
        if (closed !== undefined && closed !== run.state && !this.#isOld(name, index)) {
          return `run ${name} was ${closed} and is ${run.state}`;
        }
        if (!isOpen(run) && closed === undefined) {
          this.#closed.set(name, run.state);
          this.#steps.set(name, { index, state: run.state, attempt: 0 });
        }
        for (const { id } of plan.steps) {
          const { state = 'waiting', attempt = 0 } = run.steps.get(id) ?? {};
          const text = this.#step(`${name} ${id}`, { index, state, attempt });
          if (text !== undefined) return text;
        }
      }
    }
    return undefined;
  }

  /** An agent that applies late, or again after a restart, sees what others saw before. */
  #isOld(name: string, index: number): boolean {
    return index <= (this.#steps.get(name)?.index ?? 0);
  }

  #step(name: string, now: Known): string | undefined {
    const before = this.#steps.get(name);
    if (before !== undefined && before.index >= now.index) return undefined;
    this.#steps.set(name, now);
    if (before === undefined) return undefined;
    if (now.attempt < before.attempt) return `${name}: attempt ${before.attempt} is forgotten`;
    const isLost = before.state === 'done' && now.state !== 'done' && now.state !== 'undone';
    return isLost ? `${name} was done and is ${now.state}` : undefined;
  }
}
