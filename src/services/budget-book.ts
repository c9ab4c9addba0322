import { fromUtf8, utf8 } from '../base/bytes.ts';
import { formatSize } from '../base/quantity.ts';
import { dayMs, secondMs } from '../base/units.ts';
import { codeOf, HoldfastError } from '../core/errors.ts';
import type { ShardHead } from '../core/format/shard.ts';
import type { AgentKey, DatasetId } from '../core/ids.ts';
import { storageMessages } from '../core/log-messages/storage.ts';
import type { Budget } from '../core/policy/policy-terms.ts';
import type { RecordStore } from '../ports/record-store.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import { repeat } from './control/duty.ts';

export type BudgetBookOptions = {
  readonly records: RecordStore;
  /** What the signed policy allows a dataset, by the first name that it had. */
  readonly budgetFor: (writer: AgentKey, dataset: DatasetId) => Budget | undefined;
  /** What it allows a source, all its datasets together: another name for a dataset makes no more room. */
  readonly writerBudgetFor?: (writer: AgentKey) => Pick<Budget, 'perDay' | 'total'>;
  /** Conservative time; undefined: not known yet. */
  readonly nowMs: () => number | undefined;
  /** Something is over a budget: told once a day of each dataset, and again when no more of it is taken. */
  readonly onOver: (excess: Excess) => void;
  readonly clock: Clock;
  readonly log: Log;
};

/** A dataset that is over a budget. */
export type Excess = {
  readonly writer: AgentKey;
  readonly dataset: DatasetId;
  readonly reason: string;
  /** It is taken all the same, for now. */
  readonly isTaken: boolean;
};

type Stream = Pick<Excess, 'writer' | 'dataset'>;

/** With the day, and the size of the pack that was too much. */
type Told = Omit<Excess, 'reason'> & { readonly day: number; readonly more: number };

/** What one writer's dataset has had stored here: sizes of packs before coding, each once. */
export type Usage = { day: number; dayBytes: number; totalBytes: number };

/** By writer and dataset. */
export type BudgetUsage = ReadonlyMap<string, Usage>;

type Asked = {
  /** Bytes that are to come. */
  readonly more: number;
  readonly factor: number;
  /** Where in the policy. */
  readonly rule: 'datasets' | 'writers';
};

const flushMs = 5 * secondMs;
/** In quarantine a dataset may take as much again as its budget, and no more: disks are not endless. */
const quarantineFactor = 2;
/** Told ones that are remembered: a source that invents datasets must not fill the memory. */
const saidMax = 4096;

/**
 * What sources may store at this host. Over budget means that new shards are refused, or taken under quarantine;
 * what is stored already is never touched: otherwise a thief could make room by writing.
 */
export class BudgetBook {
  readonly #options: BudgetBookOptions;
  readonly #usage: Map<string, Usage>;
  readonly #dirty = new Set<string>();
  readonly #said = new Map<string, Told>();

  /** `usage`: what `readBudgets` has read. */
  constructor(options: BudgetBookOptions, usage: BudgetUsage) {
    this.#options = options;
    this.#usage = new Map(usage);
  }

  /** @throws HoldfastError over-budget */
  require({ writer, dataset, packSize }: ShardHead): void {
    const excess = this.#judge({ writer, dataset }, packSize);
    if (excess === undefined) return;
    this.#tell(excess, packSize);
    if (excess.isTaken) return;
    throw new HoldfastError('over-budget', excess.reason, {
      next: 'operators raise the budget in the policy, or find out who writes so much',
      details: { dataset },
    });
  }

  /** Undefined: so much more is within all budgets. */
  #judge({ writer, dataset }: Stream, more: number): Excess | undefined {
    const budget = this.#options.budgetFor(writer, dataset);
    const ofWriter = this.#options.writerBudgetFor?.(writer) ?? {};
    const whole = { ...ofWriter, more, factor: 1, rule: 'writers' } as const;
    const all = this.#excess(this.#ofWriter(writer), whole);
    const usage = this.#of(writer, dataset);
    const limit = { ...budget, more, factor: quarantineFactor, rule: 'datasets' } as const;
    const reason = all ?? this.#excess(usage, { ...limit, factor: 1 });
    if (reason === undefined) return undefined;
    const mayTake = all === undefined && budget?.over === 'quarantine';
    const isTaken = mayTake && this.#excess(usage, limit) === undefined;
    return { writer, dataset, reason, isTaken };
  }

  /** What was over a budget today, and would be with the same again. */
  over(): readonly Excess[] {
    const day = this.#day();
    const today = [...this.#said.values()].filter((one) => one.day === day);
    const newest = new Map(today.map((one) => [nameOf(one.writer, one.dataset), one]));
    return [...newest.values()].flatMap((one) => {
      const excess = this.#judge(one, one.more);
      return excess === undefined ? [] : [{ ...excess, isTaken: one.isTaken }];
    });
  }

  #tell(excess: Excess, more: number): void {
    const { writer, dataset, reason, isTaken } = excess;
    const day = this.#day();
    const news = `${nameOf(writer, dataset)}/${day}/${isTaken}`;
    if (this.#said.has(news)) return;
    if (this.#said.size >= saidMax) this.#said.clear();
    this.#said.set(news, { writer, dataset, isTaken, day, more });
    this.#options.log.log('warn', storageMessages.sourceOverBudget, { writer, dataset, reason });
    this.#options.onOver(excess);
  }

  /** The first shard of a pack is being stored here. */
  charge({ writer, dataset, packSize }: ShardHead): void {
    const usage = this.#of(writer, dataset);
    usage.dayBytes += packSize;
    usage.totalBytes += packSize;
    this.#dirty.add(nameOf(writer, dataset));
  }

  /** A pack that was charged did not come. */
  giveBack({ writer, dataset, packSize }: ShardHead): void {
    const usage = this.#of(writer, dataset);
    usage.dayBytes = Math.max(0, usage.dayBytes - packSize);
    this.refund(writer, dataset, packSize);
  }

  /** A pack is stored here no more. */
  refund(writer: AgentKey, dataset: DatasetId, packSize: number): void {
    const usage = this.#of(writer, dataset);
    usage.totalBytes = Math.max(0, usage.totalBytes - packSize);
    this.#dirty.add(nameOf(writer, dataset));
  }

  /** Keeps it on disk until the signal. */
  async run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: storageMessages.budgetsNotWrittenDown } as const;
    await repeat({ ...this.#options, periodMs: flushMs, failure }, () => this.flush(), options);
    await this.flush();
  }

  async flush(): Promise<void> {
    for (const name of [...this.#dirty]) {
      this.#dirty.delete(name);
      await this.#options.records.write(name, utf8(JSON.stringify(this.#usage.get(name))));
    }
  }

  /** Why so many bytes more would be too many; undefined: they are not. */
  #excess(
    { dayBytes, totalBytes }: Pick<Usage, 'dayBytes' | 'totalBytes'>,
    { perDay, total, more, factor, rule }: Partial<Budget> & Asked,
  ): string | undefined {
    const whose = rule === 'writers' ? 'the budget of its source' : 'its budget';
    const asked = `, and a pack of ${formatSize(more)} is to come`;
    if (perDay !== undefined && dayBytes + more > perDay * factor) {
      const limit = `${whose} is ${formatSize(perDay)} a day (${rule}[].budget.perDay)`;
      const end = more > perDay * factor ? 'It alone is too much' : 'The day ends at 0:00 UTC';
      return `${limit}; ${formatSize(dayBytes)} were stored today${asked}. ${end}`;
    }
    if (total !== undefined && totalBytes + more > total * factor) {
      const limit = `${whose} is ${formatSize(total)} in all (${rule}[].budget.total)`;
      return `${limit}; ${formatSize(totalBytes)} are stored${asked}`;
    }
    return undefined;
  }

  /** All datasets together, also those that nobody has heard of. */
  #ofWriter(writer: AgentKey): Pick<Usage, 'dayBytes' | 'totalBytes'> {
    const day = this.#day();
    const sum = { dayBytes: 0, totalBytes: 0 };
    for (const [name, usage] of this.#usage) {
      if (!name.startsWith(`budget-${writer}-`)) continue;
      sum.totalBytes += usage.totalBytes;
      if (usage.day >= day) sum.dayBytes += usage.dayBytes;
    }
    return sum;
  }

  #of(writer: AgentKey, dataset: DatasetId): Usage {
    const name = nameOf(writer, dataset);
    const day = this.#day();
    const known = this.#usage.get(name) ?? { day, dayBytes: 0, totalBytes: 0 };
    // Conservative time never goes back: no clock begins the same day twice.
    if (day > known.day) Object.assign(known, { day, dayBytes: 0 });
    this.#usage.set(name, known);
    return known;
  }

  #day(): number {
    return Math.floor((this.#options.nowMs() ?? 0) / dayMs);
  }
}

function nameOf(writer: AgentKey, dataset: DatasetId): string {
  return `budget-${writer}-${dataset}`;
}

/** What sources have had stored here, as it was last written down. @throws HoldfastError io-error */
export async function readBudgets(records: RecordStore, log: Log): Promise<BudgetUsage> {
  const all = new Map<string, Usage>();
  for (const name of await records.names()) {
    if (!name.startsWith('budget-')) continue;
    const usage = await readUsage(records, name);
    if (usage !== undefined) all.set(name, usage);
    else log.log('warn', storageMessages.storedCountedAnew, { name });
  }
  return all;
}

/** A damaged record costs a day's count, and no promise: budgets guard space, not data. */
async function readUsage(records: RecordStore, name: string): Promise<Usage | undefined> {
  try {
    const record = await records.read(name);
    const value = JSON.parse(fromUtf8(record ?? new Uint8Array()) ?? '') as Usage;
    const { day, dayBytes, totalBytes } = value;
    if ([day, dayBytes, totalBytes].every((one) => Number.isSafeInteger(one))) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError) && codeOf(error) !== 'corrupt') throw error;
  }
  return undefined;
}
