import { BoundedCache } from '../../base/bounded-cache.ts';
import { formatSize } from '../../base/quantity.ts';
import { dayMs, secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { type PackId, shortId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import type { Clock, Log } from '../../ports/runtime.ts';
import type { Alarms } from '../alarms.ts';
import type { Audit } from '../audit/audit-log.ts';
import type { Caller } from '../serve.ts';
import type { ReadBook } from './read-book.ts';
import type { ReadRight } from './read-rights.ts';

export type ReadGuardOptions = {
  readonly book: Pick<ReadBook, 'bytesOf' | 'add'>;
  readonly alarms: Pick<Alarms, 'raise'>;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly log: Log;
};

/** What is asked for: of which shard, how many bytes, and how many it has. */
export type ReadAmount = {
  readonly pack: PackId;
  readonly index: number;
  readonly bytes: number;
  readonly shardBytes: number;
};

/** Shards of which repairs are remembered: more are read in a day only when whole sites are rebuilt. */
const repairsMax = 65_536;
/** A pull that waits longer than this would be given up by its reader. */
const delayMaxMs = 10 * secondMs;

/**
 * Lets nobody carry off what they have no right to: counts, slows down, refuses, and tells people. The recovery
 * kit is never refused, since it may be all that is left; but everybody hears that it was used.
 */
export class ReadGuard {
  readonly #options: ReadGuardOptions;
  /** By reader: until when what it has taken at once lasts. */
  readonly #busyUntilMs = new Map<string, number>();
  readonly #repairs = new BoundedCache<string, number>(repairsMax);

  constructor(options: ReadGuardOptions) {
    this.#options = options;
  }

  /** Resolves when it may be served. @throws HoldfastError not-permitted */
  async admit(caller: Caller, right: ReadRight, amount: ReadAmount): Promise<void> {
    const reader = nameOf(caller);
    const { book } = this.#options;
    if (right.account === 'kit') this.#tellOfKit();
    const used = book.bytesOf(keyOf(caller), right.account);
    if (right.bytesMax !== undefined && used + amount.bytes > right.bytesMax) {
      throw this.#refused(reader, right, `${formatSize(used)} within a day`);
    }
    if (right.timesPerShard !== undefined) this.#countRepair(caller, right, amount);
    // Before it is served: what runs at once must not pass the bound together.
    book.add(keyOf(caller), right.account, amount.bytes);
    const event = { actor: reader, action: right.words, subject: '' } as const;
    const isRoutine = right.isRoutine === true;
    this.#options.audit({ ...event, kind: 'read', outcome: 'done', isRoutine });
    if (right.isSlowed === true) await this.#slow(caller, amount.bytes);
  }

  /** By shard: a host that holds several of a pack gives each of them, where sites are few. */
  #countRepair(caller: Caller, right: ReadRight, amount: ReadAmount): void {
    const { pack, index, bytes, shardBytes } = amount;
    const key = `${keyOf(caller)}/${pack}/${index}/${this.#day()}`;
    const sum = (this.#repairs.get(key) ?? 0) + bytes;
    if (sum > (right.timesPerShard ?? 0) * shardBytes) {
      const what = `shard ${index} of pack ${shortId(pack)} more than ${right.timesPerShard} times`;
      throw this.#refused(nameOf(caller), right, `${what} within a day`);
    }
    this.#repairs.set(key, sum);
  }

  /** A steady trickle after the first burst. */
  async #slow(caller: Caller, bytes: number): Promise<void> {
    const { clock, audit } = this.#options;
    const { ungrantedBurst, ungrantedBytesPerSecond: rate } = limits;
    const nowMs = clock.monotonicMs();
    const key = keyOf(caller);
    const untilMs = Math.max(nowMs, this.#busyUntilMs.get(key) ?? 0) + (bytes / rate) * secondMs;
    this.#busyUntilMs.set(key, untilMs);
    const delayMs = untilMs - nowMs - (ungrantedBurst / rate) * secondMs;
    if (delayMs <= 0) return;
    const event = { actor: nameOf(caller), action: 'read shards fast', subject: '' } as const;
    audit({ ...event, kind: 'read', outcome: 'done', detail: 'slowed down' });
    await clock.sleep(Math.min(delayMs, delayMaxMs));
  }

  #refused(reader: string, right: ReadRight, amount: string): HoldfastError {
    const { objection, words } = right;
    const why = objection === undefined ? '' : `, and what it showed does not count: ${objection}`;
    const text = `${reader} has ${words} here, ${amount}${why}. It gets no more of that today. Look: holdfast audit show`;
    const event = { actor: reader, action: words, subject: '', detail: `${amount}${why}` } as const;
    this.#options.audit({ ...event, kind: 'refusal', outcome: 'refused' });
    this.#raise('bulk-read', `${reader} ${this.#day()}`, text, { reader, amount });
    return new HoldfastError('not-permitted', `${amount} were read here without a grant${why}`, {
      next: 'holdfast restore request SNAPSHOT --reason TEXT',
    });
  }

  #tellOfKit(): void {
    const text =
      'the recovery kit was used: shards were read here with it. If that was none of you, make a new one: holdfast key kit';
    this.#raise('kit-used', `day ${this.#day()}`, text, {});
  }

  #raise(kind: string, subject: string, text: string, facts: Record<string, string>): void {
    const { alarms, log } = this.#options;
    alarms.raise({ kind, subject, text, facts }).catch((error: unknown) => {
      log.log('error', trustMessages.alarmNotRaised, { kind, problem: String(error) });
    });
  }

  #day(): number {
    return Math.floor(this.#options.clock.nowMs() / dayMs);
  }
}

/** In the book. */
function keyOf({ member }: Caller): string {
  return member?.agentKey ?? 'kit';
}

function nameOf({ member }: Caller): string {
  return member?.name ?? 'recovery kit';
}
