import { systemHooks } from '../../adapters/system/hook.ts';
import type { RecoveryOptions } from '../../cli/backend.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Log } from '../../ports/runtime.ts';
import type { Stage, StageHooks, StagePrograms } from '../../services/stage-hooks.ts';
import { locateConfig } from '../config-place.ts';

/** Programs of this host around a stage of a command, by the configuration of the agent here. */
export type HostHooks = (stage: Stage) => StagePrograms;

/** @throws HoldfastError config-invalid, when there is a configuration and it cannot be read */
export async function hostHooks(where: RecoveryOptions['hooks'], log: Log): Promise<HostHooks> {
  const path = where === undefined ? undefined : locateConfig(where);
  const runner = systemHooks();
  const hooksOf = path === undefined ? () => ({ before: [], after: [] }) : await hooksIn(path);
  return (stage) => ({ stage, hooks: hooksOf(stage), runner, log });
}

/** A configuration that cannot be read is no reason not to restore in an emergency. */
async function hooksIn(path: string): Promise<(stage: Stage) => StageHooks> {
  // What checks a configuration takes a while to load, and most hosts have none.
  const { loadConfig } = await import('../config.ts');
  const { hooksOf } = await import('../hook-config.ts');
  try {
    const config = loadConfig(path);
    return (stage) => hooksOf(config, stage, undefined);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError(error.code, error.message, {
      next: `${error.next ?? 'mend it'}; or restore without its programs: --no-hooks`,
      cause: error,
    });
  }
}
