import { secondMs } from '../base/units.ts';
import { codeOf } from '../core/errors.ts';
import { runbookOfAlarm } from '../core/runbooks.ts';
import type { HookRunner } from '../ports/hook.ts';
import type { Cancel, Log } from '../ports/runtime.ts';
import type { Audit } from './audit/audit-log.ts';

/** Something that a person must hear of. */
export type Alarm = {
  /** One word for programs. */
  readonly kind: string;
  /** What it is about: each subject of a kind is told once. */
  readonly subject: string;
  /** One sentence for people, with the next command. */
  readonly text: string;
  /** For programs; upper-cased, each becomes a variable HOLDFAST_.. of the hook. */
  readonly facts: Readonly<Record<string, string>>;
};

export type AlarmsOptions = {
  readonly hooks: HookRunner;
  /** The program that tells people, with its arguments; undefined: the log alone. */
  readonly command: readonly string[] | undefined;
  readonly log: Log;
  readonly audit?: Audit;
};

const hookTimeoutMs = 30 * secondMs;
/** Told ones that are remembered: a subject that comes again after so many others is told again. */
const toldMax = 4096;

/** Tells people: in the log, and by the program that the configuration names. */
export class Alarms {
  readonly #options: AlarmsOptions;
  readonly #told = new Set<string>();

  constructor(options: AlarmsOptions) {
    this.#options = options;
  }

  /** Resolves when the program has ended. One that fails is noted, and not called again for this. */
  async raise(alarm: Alarm, { signal }: Cancel = {}): Promise<void> {
    const { command, hooks, log } = this.#options;
    const { kind, subject, text } = alarm;
    const runbook = runbookOfAlarm(kind);
    const facts = { ...alarm.facts, ...(runbook === undefined ? {} : { runbook }) };
    const name = `${kind} ${subject}`;
    if (this.#told.has(name)) return;
    this.#told.add(name);
    for (const oldest of this.#told) {
      if (this.#told.size <= toldMax) break;
      this.#told.delete(oldest);
    }
    log.log('error', 'alarm', { ...facts, kind, subject, text });
    const event = { actor: 'this host', action: kind, subject, detail: text } as const;
    this.#options.audit?.({ ...event, kind: 'alarm', outcome: 'done' });
    if (command === undefined) return;
    const variables = Object.entries({ ...facts, alarm: kind, subject, text }).map(
      ([key, value]) => [`HOLDFAST_${key.toUpperCase()}`, value] as const,
    );
    const hook = { argv: command, environment: Object.fromEntries(variables) };
    const cancel = signal === undefined ? {} : { signal };
    const result = await hooks
      .run(hook, { timeoutMs: hookTimeoutMs, ...cancel })
      .catch((error: unknown) => {
        if (codeOf(error) === undefined) throw error;
        return { isDone: false, detail: (error as Error).message };
      });
    if (!result.isDone) log.log('error', 'the alarm program failed', { kind, ...result });
  }
}
