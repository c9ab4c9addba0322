import type { Probe } from '../core/policy/restore-plan.ts';
import type { Cancel } from './runtime.ts';

export type ProbeResult = {
  readonly isHealthy: boolean;
  /** What was found, for people; of a command, also the end of what it wrote (at most 4 KiB). */
  readonly detail: string;
};

/** Asks this host whether what was restored on it works. */
export interface ProbeRunner {
  /**
   * One try, over within `timeoutMs`. A probe that fails, or is late, is a result and no error.
   * @throws the signal's reason
   */
  run(probe: Probe, options: Cancel & { readonly timeoutMs: number }): Promise<ProbeResult>;
}
