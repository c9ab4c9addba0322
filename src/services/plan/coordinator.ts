import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { AppliedCommand, ControlAccess } from '../control/control-access.ts';
import type { Peers } from '../peers.ts';
import { Bell } from './bell.ts';
import { RunDriver } from './run-driver.ts';
import { isHeld } from './standby.ts';
import { WorkClient } from './work-client.ts';
import { runKey } from './work-order.ts';
import type { PlanWorker } from './worker.ts';

export type PlanCoordinatorOptions = {
  readonly control: ControlAccess;
  readonly peers: Pick<Peers, 'ask' | 'isReachable'>;
  /** Of this host, which may have to work as well. */
  readonly worker: Pick<PlanWorker, 'work'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Leadership and new runs are looked for this often, beside being told of them. */
const lookMs = 1 * secondMs;

/**
 * Carries out restore plans while this host leads the control log; any other time it does nothing. It keeps
 * nothing to itself: a coordinator that falls silent is replaced by the next leader, which takes every open
 * run over with a higher fence and goes on with the same steps.
 */
export class PlanCoordinator {
  readonly #options: PlanCoordinatorOptions;
  readonly #work: WorkClient;
  readonly #drivers = new Map<string, { driver: RunDriver; done: Promise<void> }>();
  readonly #bell = new Bell();

  constructor(options: PlanCoordinatorOptions) {
    this.#options = options;
    this.#work = new WorkClient(options);
  }

  /** Coordinates, whenever it is this host's turn, until the signal. */
  async run({ signal }: Cancel): Promise<void> {
    const { control, clock } = this.#options;
    const options = signal === undefined ? {} : { signal };
    const release = [
      control.onStatus(() => this.#bell.ring()),
      control.onApplied((command) => this.#hear(command)),
    ];
    try {
      while (signal?.aborted !== true) {
        if (control.isLeading) await this.#holdOffice(options);
        else await this.#bell.wait(clock, lookMs, options);
      }
    } finally {
      for (const stop of release) stop();
    }
  }

  /** Resolves as soon as leadership is lost: what was under way is harmless by its fence. */
  async #holdOffice({ signal }: Cancel): Promise<void> {
    const { control, clock } = this.#options;
    const office = new AbortController();
    const both = signal === undefined ? office.signal : AbortSignal.any([signal, office.signal]);
    const { term } = control.status();
    const isOurs = (): boolean => control.isLeading && control.status().term === term;
    const release = control.onStatus(() => {
      if (!isOurs()) office.abort(new HoldfastError('interrupted', 'another leads by now'));
    });
    try {
      while (!both.aborted && isOurs()) {
        this.#beginAll(both);
        await this.#bell.wait(clock, lookMs, { signal: both });
      }
    } finally {
      release();
      office.abort(new HoldfastError('interrupted', 'another leads by now'));
      await Promise.all([...this.#drivers.values()].map(({ done }) => done));
    }
  }

  #beginAll(signal: AbortSignal): void {
    const { control, clock, log } = this.#options;
    for (const found of control.state.plans.open()) {
      const name = { plan: found.record.hash, run: found.run.run };
      const key = runKey(name);
      if (this.#drivers.has(key) || isHeld(control.state, found)) continue;
      const driver = new RunDriver({ name, control, work: this.#work, clock, log });
      const done = driver.run({ signal }).finally(() => {
        this.#drivers.delete(key);
        this.#bell.ring();
      });
      this.#drivers.set(key, { driver, done });
    }
  }

  #hear({ body, outcome }: AppliedCommand): void {
    this.#bell.ring();
    const isDecision = body.kind === 'plan-decision' && outcome.outcome === 'applied';
    for (const [key, { driver }] of this.#drivers) {
      driver.notice(isDecision && key === runKey(body));
    }
  }
}
