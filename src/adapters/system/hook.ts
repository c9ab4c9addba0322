import type { HookRunner } from '../../ports/hook.ts';
import { runChild } from './hook-child.ts';

/** Runs hooks as programs of this host, with the rights of the agent. */
export function systemHooks(): HookRunner {
  return { run: runChild };
}
