import type { Cancel } from './runtime.ts';

export type Hook = {
  /** The program and its arguments; no shell reads them. */
  readonly argv: readonly string[];
  /** Variables that it finds beside PATH. The agent's own are kept from it. */
  readonly environment: Readonly<Record<string, string>>;
};

export type HookResult = {
  /** It ended by itself, with exit code 0. */
  readonly isDone: boolean;
  /** How it ended, for people. */
  readonly detail: string;
  /** The end of what it wrote to both outputs, at most 4 KiB, fit for a terminal. */
  readonly output: string;
};

/** Runs programs that a restore plan names. */
export interface HookRunner {
  /**
   * Runs it to its end; after `timeoutMs` it is killed with all that it has started. Failing is a result.
   * @throws the signal's reason, once the program is gone
   */
  run(hook: Hook, options: Cancel & { readonly timeoutMs: number }): Promise<HookResult>;
}
