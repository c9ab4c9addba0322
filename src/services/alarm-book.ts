import { concat, fromUtf8, toHex, utf8 } from '../base/bytes.ts';
import { hash } from '../core/crypto/hash.ts';
import { alarmMessages } from '../core/log-messages/alarm.ts';
import { runbookOfAlarm } from '../core/runbooks.ts';
import type { KeyValue, KeyValueOperation } from '../ports/key-value.ts';
import type { Log } from '../ports/runtime.ts';
import type { Alarm } from './alarms.ts';

/** An alarm with what has become of it. */
export type KnownAlarm = Alarm & {
  readonly sinceMs: number;
  /** The trouble is over. Undefined: it is not, or nobody can tell by looking. */
  readonly clearedMs: number | undefined;
  readonly runbook: string | undefined;
};

const prefix = utf8('alarms/');
const end = utf8('alarms0');
/** Those that are remembered: a subject that comes again after so many others is told again. */
const knownMax = 4096;

/** What people have been told of, over restarts of the agent. Losing it costs that they are told again. */
export class AlarmBook {
  readonly #index: KeyValue;
  readonly #known = new Map<string, KnownAlarm>();

  private constructor(index: KeyValue) {
    this.#index = index;
  }

  /** An entry that cannot be read is left out. @throws HoldfastError corrupt | io-error */
  static async open(index: KeyValue, log: Log): Promise<AlarmBook> {
    const book = new AlarmBook(index);
    const read: KnownAlarm[] = [];
    for await (const { key, value } of index.range(prefix, end)) {
      const alarm = decode(value);
      if (alarm === undefined) log.log('warn', alarmMessages.knownAlarmUnreadable, { key });
      else read.push(alarm);
    }
    read.sort((one, other) => one.sinceMs - other.sinceMs);
    for (const alarm of read) book.#known.set(nameOf(alarm), alarm);
    return book;
  }

  of(kind: string, subject: string): KnownAlarm | undefined {
    return this.#known.get(nameOf({ kind, subject }));
  }

  /** Newest last. */
  all(): KnownAlarm[] {
    return [...this.#known.values()];
  }

  /** Known at once; durable, together with the other operations, when resolved. */
  async put(alarm: KnownAlarm, others: readonly KeyValueOperation[] = []): Promise<void> {
    const name = nameOf(alarm);
    const isNew = this.#known.get(name)?.sinceMs !== alarm.sinceMs;
    if (isNew) this.#known.delete(name);
    this.#known.set(name, alarm);
    const forgotten = this.#surplus().map((one) => {
      this.#known.delete(nameOf(one));
      return { type: 'delete', key: keyOf(one) } as const;
    });
    const put = { type: 'put', key: keyOf(alarm), value: encode(alarm) } as const;
    await this.#index.batch([put, ...forgotten, ...others], { durable: true });
  }

  /** What is over goes first. */
  #surplus(): KnownAlarm[] {
    const count = this.#known.size - knownMax;
    if (count <= 0) return [];
    const all = this.all();
    const over = all.filter(({ clearedMs }) => clearedMs !== undefined);
    const standing = all.filter(({ clearedMs }) => clearedMs === undefined);
    return [...over, ...standing].slice(0, count);
  }
}

/** By which people and programs name it; the same when it comes again. 12 hexadecimal digits. */
export function alarmId({ kind, subject }: Pick<Alarm, 'kind' | 'subject'>): string {
  return toHex(hash('path', utf8(`alarm ${kind} ${subject}`))).slice(0, 12);
}

function nameOf({ kind, subject }: Pick<Alarm, 'kind' | 'subject'>): string {
  return `${kind} ${subject}`;
}

function keyOf(alarm: Pick<Alarm, 'kind' | 'subject'>): Uint8Array {
  return concat([prefix, utf8(nameOf(alarm))]);
}

function encode({ runbook: _, ...alarm }: KnownAlarm): Uint8Array {
  return utf8(JSON.stringify({ version: 1, ...alarm }));
}

function decode(value: Uint8Array): KnownAlarm | undefined {
  try {
    const stored = JSON.parse(fromUtf8(value) ?? '') as Partial<KnownAlarm> & { version?: number };
    const { version, kind, subject, text, facts, sinceMs, clearedMs } = stored;
    if (version !== 1 || typeof kind !== 'string' || typeof subject !== 'string') return undefined;
    if (typeof text !== 'string' || typeof sinceMs !== 'number') return undefined;
    return {
      kind,
      subject,
      text,
      facts: facts ?? {},
      sinceMs,
      clearedMs,
      runbook: runbookOfAlarm(kind),
    };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
