import { systemHooks } from '../../adapters/system/hook.ts';
import type { RecoveryOptions } from '../../cli/backend.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Log } from '../../ports/runtime.ts';
import type { Stage, StagePrograms } from '../../services/stage-hooks.ts';
import { loadConfig, locateConfig } from '../config.ts';
import { hooksOf } from '../hook-config.ts';

/** Programs of this host around a stage of a command, by the configuration of the agent here. */
export type HostHooks = (stage: Stage) => StagePrograms;

/** @throws HoldfastError config-invalid, when there is a configuration and it cannot be read */
export function hostHooks(where: RecoveryOptions['hooks'], log: Log): HostHooks {
  const path = where === undefined ? undefined : locateConfig(where);
  const config = path === undefined ? undefined : configAt(path);
  const runner = systemHooks();
  return (stage) => {
    const none = { before: [], after: [] };
    const hooks = config === undefined ? none : hooksOf(config, stage, undefined);
    return { stage, hooks, runner, log };
  };
}

/** In an emergency it is no reason not to restore. */
function configAt(path: string): ReturnType<typeof loadConfig> {
  try {
    return loadConfig(path);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError(error.code, error.message, {
      next: `${error.next ?? 'mend it'}; or restore without its programs: --no-hooks`,
      cause: error,
    });
  }
}
