import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { hourMs, secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import { repeat } from '../control/duty.ts';

export type ReadBookOptions = {
  readonly records: RecordStore;
  /** Conservative time; undefined: not known yet. */
  readonly nowMs: () => number | undefined;
  readonly clock: Clock;
  readonly log: Log;
};

/** Bytes by account, of each hour in which there were any: [hour, bytes], ascending. */
type Accounts = Map<string, [number, number][]>;

/** By reader. */
export type ReadUsage = ReadonlyMap<string, Accounts>;

const prefix = 'reads-';
const flushMs = 5 * secondMs;
const hours = 24;
/** Grants and plans are accounts, too; the log bounds those that are open. */
const accountsMax = 256;

/**
 * What each reader has been given here within a day, by what for. The day rolls on by the hour, and by a time
 * that nobody can push forward: no clock makes room sooner.
 */
export class ReadBook {
  readonly #options: ReadBookOptions;
  readonly #usage: Map<string, Accounts>;
  readonly #dirty = new Set<string>();

  /** `usage`: what `readReads` has read. */
  constructor(options: ReadBookOptions, usage: ReadUsage) {
    this.#options = options;
    this.#usage = new Map(usage);
  }

  /** Bytes within a day. */
  bytesOf(reader: string, account: string): number {
    const since = this.#hour() - hours;
    const spans = this.#usage.get(reader)?.get(account) ?? [];
    return spans.reduce((sum, [hour, bytes]) => (hour > since ? sum + bytes : sum), 0);
  }

  add(reader: string, account: string, bytes: number): void {
    const hour = this.#hour();
    const accounts = this.#usage.get(reader) ?? new Map<string, [number, number][]>();
    this.#usage.set(reader, accounts);
    const kept = (accounts.get(account) ?? []).filter(([past]) => past > hour - hours);
    const last = kept.at(-1);
    if (last?.[0] === hour) last[1] += bytes;
    else kept.push([hour, bytes]);
    accounts.set(account, kept);
    if (accounts.size > accountsMax) forgetOld(accounts, hour);
    this.#dirty.add(reader);
  }

  /** Keeps it on disk until the signal. */
  async run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: trustMessages.readsNotWrittenDown } as const;
    await repeat({ ...this.#options, periodMs: flushMs, failure }, () => this.flush(), options);
    await this.flush();
  }

  async flush(): Promise<void> {
    for (const reader of [...this.#dirty]) {
      this.#dirty.delete(reader);
      const accounts = this.#usage.get(reader) ?? new Map<string, [number, number][]>();
      forgetOld(accounts, this.#hour());
      const record = utf8(JSON.stringify(Object.fromEntries(accounts)));
      await this.#options.records.write(`${prefix}${reader}`, record);
    }
  }

  #hour(): number {
    return Math.floor((this.#options.nowMs() ?? 0) / hourMs);
  }
}

function forgetOld(accounts: Accounts, hour: number): void {
  for (const [account, spans] of accounts) {
    if (!spans.some(([past]) => past > hour - hours)) accounts.delete(account);
  }
}

/** What readers were given, as it was last written down. @throws HoldfastError io-error */
export async function readReads(records: RecordStore, log: Log): Promise<ReadUsage> {
  const all = new Map<string, Accounts>();
  for (const name of await records.names()) {
    if (!name.startsWith(prefix)) continue;
    const accounts = await readAccounts(records, name);
    if (accounts !== undefined) all.set(name.slice(prefix.length), accounts);
    else log.log('warn', trustMessages.readsCountedAnew, { name });
  }
  return all;
}

/** A damaged record costs a day's count, and no data. */
async function readAccounts(records: RecordStore, name: string): Promise<Accounts | undefined> {
  try {
    const record = await records.read(name);
    const value: unknown = JSON.parse(fromUtf8(record ?? new Uint8Array()) ?? '');
    if (typeof value !== 'object' || value === null) return undefined;
    const entries = Object.entries(value as Record<string, unknown>);
    return entries.every(([, spans]) => areSpans(spans))
      ? new Map(entries as [string, [number, number][]][])
      : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError) && codeOf(error) !== 'corrupt') throw error;
  }
  return undefined;
}

function areSpans(value: unknown): boolean {
  const isSpan = (one: unknown): boolean =>
    Array.isArray(one) && one.length === 2 && one.every((part) => Number.isSafeInteger(part));
  return Array.isArray(value) && value.every(isSpan);
}
