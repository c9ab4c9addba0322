import { secondMs } from '../base/units.ts';
import { codeOf } from '../core/errors.ts';
import { runbookOfAlarm } from '../core/runbooks.ts';
import type { HookRunner } from '../ports/hook.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
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

/** An alarm with what has become of it. */
export type KnownAlarm = Alarm & {
  readonly sinceMs: number;
  /** The trouble is over. Undefined: it is not, or nobody can tell by looking. */
  readonly clearedMs: number | undefined;
  readonly runbook: string | undefined;
};

export type AlarmsOptions = {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly hooks: HookRunner;
  /** The program that tells people, with its arguments; undefined: the log alone. */
  readonly command: readonly string[] | undefined;
  readonly log: Log;
  readonly audit?: Audit;
};

const hookTimeoutMs = 30 * secondMs;
/** Those that are remembered: a subject that comes again after so many others is told again. */
const knownMax = 4096;

/** Tells people: in the log, and by the program that the configuration names. */
export class Alarms {
  readonly #options: AlarmsOptions;
  readonly #known = new Map<string, KnownAlarm>();

  constructor(options: AlarmsOptions) {
    this.#options = options;
  }

  /** Resolves when the program has ended. One that fails is noted, and not called again for this. */
  async raise(alarm: Alarm, { signal }: Cancel = {}): Promise<void> {
    const { clock, log } = this.#options;
    const { kind, subject, text } = alarm;
    const runbook = runbookOfAlarm(kind);
    const facts = { ...alarm.facts, ...(runbook === undefined ? {} : { runbook }) };
    const name = `${kind} ${subject}`;
    const before = this.#known.get(name);
    if (before !== undefined && before.clearedMs === undefined) return;
    this.#remember(name, { ...alarm, sinceMs: clock.nowMs(), clearedMs: undefined, runbook });
    log.log('error', 'alarm', { ...facts, kind, subject, text });
    const event = { actor: 'this host', action: kind, subject, detail: text } as const;
    this.#options.audit?.({ ...event, kind: 'alarm', outcome: 'done' });
    await this.#tell({ ...alarm, facts }, 'raised', signal === undefined ? {} : { signal });
  }

  /** Newest last. */
  all(): KnownAlarm[] {
    return [...this.#known.values()];
  }

  /** Of this kind only these subjects are in trouble now: the others are over, and people are told so. */
  async settle(kind: string, subjects: Iterable<string>, options: Cancel = {}): Promise<void> {
    const { clock, log } = this.#options;
    const standing = new Set(subjects);
    for (const [name, known] of this.#known) {
      const { subject, text, clearedMs } = known;
      if (known.kind !== kind || clearedMs !== undefined || standing.has(subject)) continue;
      this.#known.set(name, { ...known, clearedMs: clock.nowMs() });
      log.log('info', 'alarm cleared', { ...known.facts, kind, subject });
      const { facts, runbook } = known;
      const told = { ...facts, ...(runbook === undefined ? {} : { runbook }) };
      const over = { kind, subject, text: `over: ${text}`, facts: told };
      await this.#tell(over, 'cleared', options);
    }
  }

  #remember(name: string, alarm: KnownAlarm): void {
    this.#known.delete(name);
    this.#known.set(name, alarm);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= knownMax) break;
      this.#known.delete(oldest);
    }
  }

  async #tell(
    { kind, subject, text, facts }: Alarm,
    state: 'raised' | 'cleared',
    { signal }: Cancel,
  ): Promise<void> {
    const { command, hooks, log } = this.#options;
    if (command === undefined) return;
    const variables = Object.entries({ ...facts, alarm: kind, subject, text, state }).map(
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
