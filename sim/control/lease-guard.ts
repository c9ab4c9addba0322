import { HoldfastError } from '../../src/core/errors.ts';
import type { GuardState, LeaseGuard } from '../../src/ports/lease-guard.ts';
import type { Prng } from '../prng.ts';
import type { World } from '../world.ts';
import type { HostTime } from './clock.ts';
import { datasets } from './datasets.ts';

/** The part of the shortest lease in which programs must be gone, and less. */
const stopTimes = [10, 1000, 4500];

type Programs = {
  /** By the host's time; undefined: without a limit. */
  readonly untilMs: number | undefined;
  readonly isStarted: boolean;
  /** How long they take to stop at the end. */
  readonly stopMs: number;
};

/** Programs of a host under leases. They outlive its agent, as those of the real guard do. */
export class SimLeaseGuard implements LeaseGuard {
  readonly datasets = datasets.map(({ name }) => name);
  readonly #world: World;
  readonly #time: HostTime;
  readonly #random: Prng;
  readonly #onStart: (dataset: string) => void;
  readonly #programs = new Map<string, Programs>();
  #readMs = 0;
  #ownMs = 0;

  constructor(options: {
    readonly world: World;
    readonly time: HostTime;
    readonly random: Prng;
    readonly onStart: (dataset: string) => void;
  }) {
    this.#world = options.world;
    this.#time = options.time;
    this.#random = options.random;
    this.#onStart = options.onStart;
  }

  nowMs(): number {
    const passedMs = this.#world.nowMs - this.#readMs;
    this.#readMs = this.#world.nowMs;
    this.#ownMs += (passedMs * this.#time.ratePerMille) / 1000;
    return this.#ownMs;
  }

  /** They are there, or on their way out. */
  isUsed(dataset: string): boolean {
    const programs = this.#programs.get(dataset);
    if (programs?.isStarted !== true) return false;
    const { untilMs, stopMs } = programs;
    return untilMs === undefined || this.nowMs() < untilMs + stopMs;
  }

  /** A lease has bound them, and they are gone. */
  hasStopped(dataset: string): boolean {
    return this.#programs.has(dataset) && !this.isUsed(dataset);
  }

  state(dataset: string): GuardState {
    if (!this.isUsed(dataset)) return 'stopped';
    const untilMs = this.#programs.get(dataset)?.untilMs ?? Number.POSITIVE_INFINITY;
    return this.nowMs() < untilMs ? 'running' : 'stopping';
  }

  problem(): undefined {
    return undefined;
  }

  async extend(dataset: string, untilMs: number): Promise<void> {
    const state = this.state(dataset);
    if (state === 'stopping') throw new HoldfastError('failed', 'the programs are being stopped');
    const isStarted = this.nowMs() < untilMs;
    const stopMs = this.#random.pick(stopTimes);
    this.#programs.set(dataset, { untilMs, isStarted, stopMs });
    if (isStarted && state === 'stopped') this.#onStart(dataset);
  }

  async shorten(dataset: string, untilMs: number): Promise<void> {
    const programs = this.#programs.get(dataset);
    if (programs === undefined) return;
    const known = programs.untilMs ?? Number.POSITIVE_INFINITY;
    this.#programs.set(dataset, { ...programs, untilMs: Math.min(known, untilMs) });
  }

  async release(dataset: string): Promise<void> {
    const programs = this.#programs.get(dataset);
    if (programs !== undefined) this.#programs.set(dataset, { ...programs, untilMs: undefined });
  }

  async stop(dataset: string): Promise<void> {
    this.#programs.set(dataset, { untilMs: 0, isStarted: false, stopMs: 0 });
  }
}
