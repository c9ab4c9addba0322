import { z } from 'zod';
import { parseDuration } from '../base/quantity.ts';
import { dayMs, secondMs } from '../base/units.ts';
import type { Stage, StageHook, StageHooks } from '../services/stage-hooks.ts';
import type { Config } from './config.ts';
import { argv } from './config-terms.ts';

const timeout = z
  .string()
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= secondMs && ms <= dayMs) return ms;
    context.addIssue({ code: 'custom', message: 'is no time from "1s" to "1d"' });
    return z.NEVER;
  })
  .prefault('5m');

const hookSchema = z.strictObject({
  command: argv,
  timeout,
  onFailure: z.enum(['abort', 'warn']).default('abort'),
});

const hooks = z.array(hookSchema).max(8).default([]);

/** Programs around a stage. */
export const stageSchema = z.strictObject({ before: hooks, after: hooks });

export const hooksSchema = z.strictObject({
  backup: stageSchema.prefault({}),
  restore: stageSchema.prefault({}),
  drill: stageSchema.prefault({}),
});

/** Those of this host around those of the dataset: what was stopped last is started first. */
export function hooksOf(
  { hooks: general, datasets }: Pick<Config, 'hooks' | 'datasets'>,
  stage: Stage,
  dataset: string | undefined,
): StageHooks {
  const own = dataset === undefined || stage !== 'backup' ? undefined : datasets[dataset]?.hooks;
  const { before, after } = general[stage];
  return {
    before: [...before, ...(own?.before ?? [])].map(stageHook),
    after: [...(own?.after ?? []), ...after].map(stageHook),
  };
}

type HookConfig = Config['hooks']['backup']['before'][number];

function stageHook({ command, timeout: timeoutMs, onFailure }: HookConfig): StageHook {
  return { command, timeoutMs, onFailure };
}
