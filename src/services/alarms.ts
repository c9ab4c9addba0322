import { codeOf, HoldfastError } from '../core/errors.ts';
import { alarmMessages } from '../core/log-messages/alarm.ts';
import { runbookOfAlarm } from '../core/runbooks.ts';
import type { KeyValueOperation } from '../ports/key-value.ts';
import type { Clock, Log } from '../ports/runtime.ts';
import { type AlarmBook, alarmId, type KnownAlarm } from './alarm-book.ts';
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
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly book: AlarmBook;
  /** Brings it to people: what is to be written with it, and what is to be done after that. */
  readonly news?: (alarm: KnownAlarm) => {
    readonly operations: readonly KeyValueOperation[];
    readonly add: () => void;
  };
  readonly log: Log;
  readonly audit?: Audit;
};

/** Tells people, once when trouble begins and once when it is over. */
export class Alarms {
  readonly #options: AlarmsOptions;
  /** Kinds of which somebody looks whether they are over. */
  readonly #watched = new Set<string>();

  constructor(options: AlarmsOptions) {
    this.#options = options;
  }

  /** Written down when resolved. */
  async raise(alarm: Alarm): Promise<void> {
    const { clock, log } = this.#options;
    const { kind, subject, text, facts } = alarm;
    if (this.stands(kind, subject)) return;
    const runbook = runbookOfAlarm(kind);
    log.log('error', alarmMessages.alarm, {
      ...facts,
      ...(runbook && { runbook }),
      kind,
      subject,
      text,
    });
    const event = { actor: 'this host', action: kind, subject, detail: text } as const;
    this.#options.audit?.({ ...event, kind: 'alarm', outcome: 'done' });
    await this.#become({ ...alarm, sinceMs: clock.nowMs(), clearedMs: undefined, runbook });
  }

  /** People were told, and not yet that it is over. */
  stands(kind: string, subject: string): boolean {
    const known = this.#options.book.of(kind, subject);
    return known !== undefined && known.clearedMs === undefined;
  }

  /** Newest last. */
  all(): KnownAlarm[] {
    return this.#options.book.all();
  }

  /** It clears itself when the trouble is over. */
  isWatched(kind: string): boolean {
    return this.#watched.has(kind);
  }

  /** Of this kind only these subjects are in trouble now: the others are over, and people are told so. */
  async settle(kind: string, subjects: Iterable<string>): Promise<void> {
    this.#watched.add(kind);
    const standing = new Set(subjects);
    for (const known of this.all()) {
      if (known.kind !== kind || known.clearedMs !== undefined) continue;
      if (!standing.has(known.subject)) await this.#end(known);
    }
  }

  /**
   * Ends by hand what nobody can look at. `id`: the beginning of one. Resolves to the alarm as it is then.
   * @throws HoldfastError not-found | ambiguous | usage, for one that clears itself
   */
  async clear(id: string): Promise<KnownAlarm> {
    const standing = this.all().filter(({ clearedMs }) => clearedMs === undefined);
    const found = standing.filter((alarm) => alarmId(alarm).startsWith(id.toLowerCase()));
    const [alarm, other] = found;
    const next = 'holdfast alerts';
    if (alarm === undefined)
      throw new HoldfastError('not-found', `no alarm ${id} stands`, { next });
    if (other !== undefined) {
      throw new HoldfastError('ambiguous', `several alarms begin with ${id}`, { next });
    }
    if (this.isWatched(alarm.kind)) {
      const why = 'it clears itself when the trouble is over';
      throw new HoldfastError('usage', `the alarm ${alarm.kind} cannot be cleared: ${why}`, {
        next,
      });
    }
    const event = {
      actor: 'this host',
      action: 'cleared by hand',
      subject: alarm.subject,
    } as const;
    this.#options.audit?.({ ...event, kind: 'alarm', outcome: 'done', detail: alarm.kind });
    return this.#end(alarm);
  }

  async #end(known: KnownAlarm): Promise<KnownAlarm> {
    const { clock, log } = this.#options;
    const { kind, subject, facts, sinceMs } = known;
    log.log('info', alarmMessages.alarmCleared, { ...facts, kind, subject, sinceMs });
    const cleared = { ...known, clearedMs: clock.nowMs() };
    await this.#become(cleared);
    return cleared;
  }

  /** A disk that takes nothing keeps nobody from hearing of it. */
  async #become(alarm: KnownAlarm): Promise<void> {
    const { book, log, news } = this.#options;
    const { operations = [], add } = news?.(alarm) ?? {};
    try {
      await book.put(alarm, operations);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      log.log('error', alarmMessages.alarmNotWrittenDown, { kind: alarm.kind, code });
    }
    add?.();
  }
}
