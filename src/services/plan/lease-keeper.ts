import { secondMs } from '../../base/units.ts';
import type { DatasetId } from '../../core/ids.ts';
import { planMessages } from '../../core/log-messages/plan.ts';
import type { Incarnation } from '../../core/protocol/control/incarnation-book.ts';
import type { LeaseGuard } from '../../ports/lease-guard.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Alarms } from '../alarms.ts';
import type { ControlAccess } from '../control/control-access.ts';
import { problemIn } from './run-view.ts';

export type LeaseKeeperOptions = {
  readonly control: ControlAccess;
  /** Undefined on a host that guards nothing. */
  readonly guard: LeaseGuard | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly alarms?: Pick<Alarms, 'raise'>;
};

const lookMs = 1 * secondMs;
/** Renewed this often within a lease: one that is lost, and one that is late, cost nothing. */
const renewalsPerLease = 4;
/** The part of a lease in which programs are stopped: they must be gone when it ends. */
const stoppingPart = 4;

/**
 * Holds the leases of the live copies on this host: renews them in the log, and lets the guard run their programs
 * for as long as a renewal that the log has taken allows, counted from before it was signed.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  /** Until when the copy may be written here, by the guard's time. */
  readonly #untilMs = new Map<DatasetId, number>();
  readonly #renewedMs = new Map<DatasetId, number>();
  readonly #told = new Map<string, string>();
  /** Copies that this host is about to call off: nothing of them is started. */
  readonly #suspended = new Set<string>();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** Whether this host may write the dataset, as far as leases go. */
  allows(dataset: DatasetId): boolean {
    const { control, guard } = this.#options;
    const lease = control.state.leases.of(dataset);
    if (lease === undefined || lease.holder !== control.self) return true;
    return guard !== undefined && guard.nowMs() < (this.#untilMs.get(dataset) ?? 0);
  }

  /** Stops the programs of a copy before it is called off, and starts none until `resume`. @throws HoldfastError failed */
  async suspend(name: string, options: Cancel = {}): Promise<void> {
    const { guard } = this.#options;
    if (guard?.datasets.includes(name) !== true) return;
    this.#suspended.add(name);
    if (guard.state(name) !== 'stopped') await guard.stop(name, options);
  }

  /** The log has the word, or has refused it: from here on it decides. */
  resume(name: string): void {
    this.#suspended.delete(name);
  }

  /** Looks on until the signal. */
  async run({ signal }: Cancel): Promise<void> {
    const options = signal === undefined ? {} : { signal };
    while (signal?.aborted !== true) {
      await this.look(options);
      await this.#options.clock.sleep(lookMs, options).catch(() => {});
    }
  }

  /** One look at all datasets with programs, and at leases that nobody guards any more. */
  async look(options: Cancel = {}): Promise<void> {
    const { control, guard } = this.#options;
    for (const name of guard?.datasets ?? []) {
      this.#tellOf(name);
      if (this.#suspended.has(name)) continue;
      await this.#attempt(name, options, () => this.#tend(name, options));
    }
    for (const { dataset, holder } of control.state.leases.all()) {
      const known = control.state.incarnations.of(dataset);
      if (holder !== control.self || known === undefined) continue;
      if (guard?.datasets.includes(known.name) === true) continue;
      if (control.state.leases.of(dataset) === undefined) continue;
      await this.#attempt(known.name, options, () => this.#giveUp(known, options));
    }
  }

  /** A program that fails is a person's matter: once for each problem. */
  #tellOf(name: string): void {
    const { guard, alarms, log } = this.#options;
    const problem = guard?.problem(name);
    if (problem === undefined || this.#told.get(name) === problem) return;
    this.#told.set(name, problem);
    const text = `a program of dataset ${name} failed: ${problem}. Mend it on this host (leases.${name} of its config.json names it); whether the copy is live here: holdfast dataset show ${name}`;
    log.log('error', planMessages.leaseProgramFailed, { dataset: name, problem });
    const alarm = {
      kind: 'lease-program',
      subject: `${name} ${problem}`,
      text,
      facts: { dataset: name },
    };
    void alarms?.raise(alarm);
  }

  async #attempt(name: string, options: Cancel, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const problem = problemIn(error, options);
      if (problem === undefined) return;
      const context = { dataset: name, code: problem.code, problem: problem.message };
      this.#options.log.log('warn', planMessages.leaseNotTended, context);
    }
  }

  async #tend(name: string, options: Cancel): Promise<void> {
    const { control, guard } = this.#options;
    const known = this.#held(name);
    if (known === undefined) {
      // Another host has the live copy, or nobody: nothing may run here.
      if (guard?.state(name) !== 'stopped' && this.#isNamed(name)) await this.#stop(name, options);
      return;
    }
    const { rules } = control.state.policy.current.failover;
    const leaseMs = rules.find((rule) => rule.dataset === known.dataset)?.leaseMs;
    if (leaseMs !== undefined) return this.#renew(known, leaseMs, options);
    if (control.state.leases.of(known.dataset) !== undefined) await this.#giveUp(known, options);
    if (guard?.state(name) !== 'stopped') await guard?.release(name, options);
  }

  async #renew({ name, dataset, incarnation }: Incarnation, leaseMs: number, options: Cancel) {
    const { control, guard } = this.#options;
    const nowMs = guard?.nowMs() ?? 0;
    const renewedMs = this.#renewedMs.get(dataset);
    if (renewedMs !== undefined && nowMs - renewedMs < leaseMs / renewalsPerLease) return;
    this.#renewedMs.set(dataset, nowMs);
    const untilMs = nowMs + leaseMs - leaseMs / stoppingPart;
    // The log may take it without this host ever hearing so: of a lease that became shorter, the new end counts.
    await guard?.shorten(name, untilMs, options);
    this.#untilMs.set(dataset, Math.min(this.#untilMs.get(dataset) ?? 0, untilMs));
    const body = { kind: 'lease', dataset, incarnation, forMs: leaseMs } as const;
    const timeoutMs = leaseMs / renewalsPerLease;
    const { outcome } = await control.submit(body, { ...options, timeoutMs });
    if (outcome !== 'applied' || this.#suspended.has(name)) return;
    await guard?.extend(name, untilMs, options);
    this.#untilMs.set(dataset, untilMs);
  }

  /** The dataset of this name whose live copy is here. */
  #held(name: string): Incarnation | undefined {
    const { control } = this.#options;
    return control.state.incarnations
      .all()
      .find((one) => one.name === name && one.state === 'live' && one.holder === control.self);
  }

  /** Of a dataset that no plan has named, this host cannot say that it lives elsewhere. */
  #isNamed(name: string): boolean {
    return this.#options.control.state.incarnations.all().some((one) => one.name === name);
  }

  async #stop(name: string, options: Cancel): Promise<void> {
    const { guard, log } = this.#options;
    log.log('warn', planMessages.programsStopped, {
      dataset: name,
    });
    await guard?.stop(name, options);
  }

  /** The configuration guards it no more: silence of this host shall prove nothing from here on. */
  async #giveUp({ dataset, incarnation }: Incarnation, options: Cancel): Promise<void> {
    const { control } = this.#options;
    await control.submit({ kind: 'lease', dataset, incarnation, forMs: 0 }, options);
  }
}
