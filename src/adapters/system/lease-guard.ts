import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { GuardState, LeaseGuard } from '../../ports/lease-guard.ts';
import type { Cancel } from '../../ports/runtime.ts';
import {
  bootName,
  type LeaseOrder,
  type LeasePrograms,
  type LeaseReport,
  readOrder,
  readReport,
  uptimeMs,
  writeLease,
} from './lease-file.ts';

export type LeaseGuardOptions = {
  /** Of two small files for each dataset; made when it is missing. */
  readonly directory: string;
  readonly programs: ReadonlyMap<string, LeasePrograms>;
};

const pollMs = 100;
const startTimeoutMs = 20 * secondMs;
const stopTimeoutMs = 60 * secondMs;

/**
 * Guards the programs of each dataset by a process of its own, which outlives the agent and stops them when their
 * time is up. Agent and guard speak through two files alone, so either may be started anew.
 */
export class ProcessLeaseGuard implements LeaseGuard {
  readonly #options: LeaseGuardOptions;

  constructor(options: LeaseGuardOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  }

  get datasets(): readonly string[] {
    return [...this.#options.programs.keys()];
  }

  nowMs(): number {
    return uptimeMs();
  }

  state(dataset: string): GuardState {
    return this.#report(dataset)?.state ?? 'stopped';
  }

  problem(dataset: string): string | undefined {
    const problem = this.#report(dataset)?.problem ?? '';
    return problem === '' ? undefined : problem;
  }

  async extend(dataset: string, untilMs: number, options: Cancel = {}): Promise<void> {
    if (this.state(dataset) === 'stopping') {
      throw new HoldfastError('failed', `the programs of ${dataset} are being stopped`);
    }
    this.#order(dataset, untilMs);
    if (!this.#isAlive(dataset)) await this.#spawn(dataset, options);
  }

  async shorten(dataset: string, untilMs: number): Promise<void> {
    const order = readOrder(this.#path(dataset, 'order'));
    const isShorter = order?.untilMs === null || (order?.untilMs ?? 0) <= untilMs;
    if (order === undefined || isShorter || order.boot !== bootName()) return;
    this.#order(dataset, untilMs);
  }

  async release(dataset: string): Promise<void> {
    this.#order(dataset, undefined);
  }

  async stop(dataset: string, options: Cancel = {}): Promise<void> {
    this.#order(dataset, 0);
    if (!this.#isAlive(dataset)) await this.#spawn(dataset, options);
    const endMs = uptimeMs() + stopTimeoutMs;
    while (this.state(dataset) !== 'stopped') {
      if (uptimeMs() >= endMs) {
        const what = `the programs of ${dataset} do not stop: ${this.problem(dataset) ?? 'no answer'}`;
        throw new HoldfastError('failed', what, { next: 'stop them by hand, now' });
      }
      await after(pollMs, undefined, options);
    }
  }

  #order(dataset: string, untilMs: number | undefined): void {
    const programs = this.#options.programs.get(dataset);
    if (programs === undefined) throw new HoldfastError('failed', `${dataset} has no programs`);
    const { start, stop, watchdog } = programs;
    const until =
      untilMs === undefined
        ? { untilMs: null, untilWallMs: null }
        : { untilMs, untilWallMs: Date.now() + Math.max(0, untilMs - uptimeMs()) };
    const order: LeaseOrder = {
      boot: bootName(),
      ...until,
      programs: { start: start && [...start], stop: [...stop], watchdog },
    };
    writeLease(this.#path(dataset, 'order'), order);
  }

  /** Undefined when no guard has said anything since the host was started: that has stopped everything. */
  #report(dataset: string): LeaseReport | undefined {
    const report = readReport(this.#path(dataset, 'report'));
    return report?.boot === bootName() ? report : undefined;
  }

  #path(dataset: string, kind: 'order' | 'report'): string {
    return join(this.#options.directory, `${dataset}.${kind}`);
  }

  /** The guard is at work: its process, and not another that has its number now. */
  #isAlive(dataset: string): boolean {
    const report = this.#report(dataset);
    if (report === undefined || report.state === 'stopped') return false;
    try {
      const words = readFileSync(`/proc/${report.guard}/cmdline`, 'utf8').split('\0');
      return words.includes(this.#path(dataset, 'order'));
    } catch {
      return false;
    }
  }

  /** Resolves when the guard has said that it is there. */
  async #spawn(dataset: string, options: Cancel): Promise<void> {
    const main = fileURLToPath(new URL('./lease-guard-child.ts', import.meta.url));
    const files = [this.#path(dataset, 'order'), this.#path(dataset, 'report')];
    const child = spawn(process.execPath, [main, ...files], {
      // A session of its own: it must outlive the agent, and whatever ends the agent's group.
      detached: true,
      stdio: 'ignore',
      env: { PATH: process.env.PATH ?? '' },
      cwd: '/',
    });
    child.on('error', () => {});
    child.unref();
    const endMs = uptimeMs() + startTimeoutMs;
    while (this.#report(dataset)?.guard !== child.pid) {
      if (child.pid === undefined || child.exitCode !== null || uptimeMs() >= endMs) {
        throw new HoldfastError('failed', `the guard of ${dataset} cannot be started`);
      }
      await after(pollMs, undefined, options);
    }
  }
}
