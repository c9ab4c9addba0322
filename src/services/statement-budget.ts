import { fromUtf8, utf8 } from '../base/bytes.ts';
import { dayMs, secondMs } from '../base/units.ts';
import { codeOf } from '../core/errors.ts';
import { clusterStream, receiptStream } from '../core/format/statement.ts';
import type { AgentKey } from '../core/ids.ts';
import { storageMessages } from '../core/log-messages/storage.ts';
import type { WriterBudget } from '../core/policy/policy-terms.ts';
import type { RecordStore } from '../ports/record-store.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import { repeat } from './control/duty.ts';
import type { Ledger } from './ledger.ts';

export type StatementBudgetOptions = {
  readonly records: RecordStore;
  readonly ledger: Pick<Ledger, 'self' | 'roster' | 'manifestCount'>;
  /** What the signed policy allows a writer. */
  readonly budgetFor: (writer: AgentKey) => WriterBudget;
  /** Conservative time; undefined: not known yet. */
  readonly nowMs: () => number | undefined;
  /** Called once for a writer and a day, when something of it has to wait. */
  readonly onOver: (over: OverBudget) => void;
  readonly clock: Clock;
  readonly log: Log;
};

export type OverBudget = { readonly writer: AgentKey; readonly day: number; readonly why: string };

/** What one writer has said in a day, as far as it was taken here. */
export type Said = { day: number; statements: number; receipts: number; bytes: number };

/** What was written down: by writer, and the last day on which this host ran. */
export type SaidBefore = {
  readonly writers: ReadonlyMap<string, Said>;
  readonly lastDay: number | undefined;
};

const flushMs = 5 * secondMs;
const dayRecord = 'said-day';
/** Days that this host was away are allowed for, but no more than these at once. */
const awayDaysMax = 31;
/** A new member that has one other to learn from takes years at once: nobody else could have counted them. */
const freshDays = 400;
/** A member signs for each snapshot, and again when what it holds has changed. */
const receiptsPerManifest = 4;

/**
 * How much each writer may say. Whether a statement is valid must not depend on when it comes, so none is refused
 * for ever: over its budget, a writer's further statements are not asked for until the next day, and no receipt is
 * signed for what was not taken. Nothing that was taken goes. So whoever holds a writer's keys costs every member
 * a bounded part of its memory and disk each day, and is talked of.
 */
export class StatementBudget {
  readonly #options: StatementBudgetOptions;
  readonly #said: Map<string, Said>;
  readonly #dirty = new Set<string>();
  readonly #over = new Map<AgentKey, OverBudget>();
  readonly #lastDay: number | undefined;
  /** The day on which this host was started, once it is known. */
  #firstDay: number | undefined;
  #writtenDay: number;

  /** `before`: what `readSaid` has read. */
  constructor(options: StatementBudgetOptions, before: SaidBefore) {
    this.#options = options;
    this.#said = new Map(before.writers);
    this.#lastDay = before.lastDay;
    this.#writtenDay = before.lastDay ?? 0;
  }

  /** How many more statements of a writer may be taken now in this stream. */
  room(writer: AgentKey, stream: string): number {
    return this.#left(writer, stream).statements;
  }

  /** Whether more facts may be taken that a writer's statements name. */
  hasFactRoom(writer: AgentKey): boolean {
    if (this.#left(writer, clusterStream).bytes > 0) return true;
    this.delay(writer, clusterStream);
    return false;
  }

  /** Something of a writer has to wait. @returns why */
  delay(writer: AgentKey, stream: string): string {
    const { onOver, log } = this.#options;
    const { why } = this.#left(writer, stream);
    const over = { writer, day: this.#day(), why };
    if (this.#over.get(writer)?.day === over.day) return why;
    this.#over.set(writer, over);
    log.log('warn', storageMessages.memberOverBudget, { writer, why });
    onOver(over);
    return why;
  }

  #left(writer: AgentKey, stream: string): { statements: number; bytes: number; why: string } {
    const { ledger, budgetFor } = this.#options;
    const all = Number.POSITIVE_INFINITY;
    // What this host has said itself it must learn again after a loss, or it would say something else.
    if (writer === ledger.self) return { statements: all, bytes: all, why: '' };
    const said = this.#of(writer);
    const budget = budgetFor(writer);
    const days = this.#days(writer);
    const isReceipt = stream === receiptStream;
    const extra = isReceipt ? receiptsPerManifest * ledger.manifestCount : 0;
    const countMax = budget.statementsPerDay * days + extra;
    const bytesMax = budget.statementBytesPerDay * days;
    const count = isReceipt ? said.receipts : said.statements;
    const bytes = Math.max(0, bytesMax - said.bytes);
    const statements = bytes === 0 ? 0 : Math.max(0, countMax - count);
    const byBytes = `statements of ${said.bytes} bytes today, ${bytesMax} are allowed`;
    const why = bytes === 0 ? byBytes : `${count} statements today, ${countMax} are allowed`;
    return { statements, bytes, why };
  }

  /** Something of a writer was taken. */
  charge(
    writer: AgentKey,
    { statements, bytes, stream }: { statements: number; bytes: number; stream?: string },
  ): void {
    if (writer === this.#options.ledger.self) return;
    const said = this.#of(writer);
    if (stream === receiptStream) said.receipts += statements;
    else said.statements += statements;
    said.bytes += bytes;
    this.#dirty.add(writer);
  }

  /** Writers of which something waits today. */
  over(): readonly OverBudget[] {
    const day = this.#day();
    return [...this.#over.values()].filter((over) => over.day === day);
  }

  /** Keeps it on disk until the signal. */
  async run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: storageMessages.budgetsNotWrittenDown } as const;
    await repeat({ ...this.#options, periodMs: flushMs, failure }, () => this.flush(), options);
    await this.flush();
  }

  async flush(): Promise<void> {
    const { records } = this.#options;
    const day = this.#day();
    if (day > this.#writtenDay) {
      this.#writtenDay = day;
      await records.write(dayRecord, utf8(JSON.stringify({ day })));
    }
    for (const writer of [...this.#dirty]) {
      this.#dirty.delete(writer);
      await records.write(`said-${writer}`, utf8(JSON.stringify(this.#said.get(writer))));
    }
  }

  /** For how many days a writer may have been saying what comes now. */
  #days(writer: AgentKey): number {
    const { roster, self } = this.#options.ledger;
    const day = this.#day();
    if (day !== this.#firstDay) return 1;
    if (this.#lastDay !== undefined) {
      return 1 + Math.min(awayDaysMax, Math.max(0, day - this.#lastDay));
    }
    const others = roster.members().filter(({ agentKey }) => agentKey !== writer);
    return others.some(({ agentKey }) => agentKey !== self) ? 1 : freshDays;
  }

  #of(writer: AgentKey): Said {
    const day = this.#day();
    const none = { day, statements: 0, receipts: 0, bytes: 0 };
    const known = this.#said.get(writer) ?? none;
    if (day > known.day) Object.assign(known, none);
    this.#said.set(writer, known);
    return known;
  }

  #day(): number {
    const nowMs = this.#options.nowMs();
    const day = Math.floor((nowMs ?? 0) / dayMs);
    if (nowMs !== undefined) this.#firstDay ??= day;
    return day;
  }
}

/** What writers have said, as it was last written down. @throws HoldfastError io-error */
export async function readSaid(records: RecordStore): Promise<SaidBefore> {
  const writers = new Map<string, Said>();
  let lastDay: number | undefined;
  for (const name of await records.names()) {
    if (!name.startsWith('said-')) continue;
    const said = await readOne(records, name);
    if (said === undefined) continue;
    if (name === dayRecord) lastDay = said.day;
    else writers.set(name.slice('said-'.length), said);
  }
  return { writers, lastDay };
}

/** A damaged record costs a day's count. */
async function readOne(records: RecordStore, name: string): Promise<Said | undefined> {
  try {
    const record = await records.read(name);
    const said = JSON.parse(fromUtf8(record ?? new Uint8Array()) ?? '') as Said;
    if (Object.values(said).every((one) => Number.isSafeInteger(one))) return said;
  } catch (error) {
    if (!(error instanceof SyntaxError) && codeOf(error) !== 'corrupt') throw error;
  }
  return undefined;
}
