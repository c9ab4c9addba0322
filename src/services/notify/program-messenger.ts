import { secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import type { HookRunner } from '../../ports/hook.ts';
import type { Delivery, Messenger, Notice } from '../../ports/messenger.ts';
import type { Cancel } from '../../ports/runtime.ts';
import { hookEnvironment } from '../hook-environment.ts';

const timeoutMs = 30 * secondMs;

/** Tells people by a program, which finds everything in its environment. */
export class ProgramMessenger implements Messenger {
  readonly target: string;
  readonly #hooks: HookRunner;
  readonly #argv: readonly string[];

  constructor(hooks: HookRunner, argv: readonly string[]) {
    this.#hooks = hooks;
    this.#argv = argv;
    this.target = argv[0] ?? '';
  }

  /** Nobody knows what a program has done that has failed: it is not run twice for one notice. */
  async send(notice: Notice, { signal }: Cancel): Promise<Delivery> {
    const hook = { argv: this.#argv, environment: environmentOf(notice) };
    const cancel = signal === undefined ? {} : { signal };
    try {
      const result = await this.#hooks.run(hook, { timeoutMs, ...cancel });
      if (result.isDone) return { outcome: 'sent' };
      const output = result.output === '' ? '' : `: ${result.output}`;
      return { outcome: 'refused', reason: `${result.detail}${output}` };
    } catch (error) {
      signal?.throwIfAborted();
      if (codeOf(error) === undefined) throw error;
      return { outcome: 'refused', reason: (error as Error).message };
    }
  }
}

function environmentOf(notice: Notice): Record<string, string> {
  const { facts, state, alarm, subject, text, runbook, cluster, agent } = notice;
  return hookEnvironment({
    ...facts,
    ...{ alarm, subject, text, state, cluster: cluster.name, host: agent.name, site: agent.site },
    ...(runbook === undefined ? {} : { runbook }),
  });
}
