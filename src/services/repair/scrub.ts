import { compare, fromUtf8, toHex, utf8 } from '../../base/bytes.ts';
import { dayMs, minuteMs } from '../../base/units.ts';
import { hash } from '../../core/crypto/hash.ts';
import { codeOf } from '../../core/errors.ts';
import { type PackId, shortId } from '../../core/ids.ts';
import { storageMessages } from '../../core/log-messages/storage.ts';
import type { RecordStore } from '../../ports/record-store.ts';
import type { Cancel, Clock, Entropy, Log } from '../../ports/runtime.ts';
import type { ShardStore } from '../../ports/shard-store.ts';
import type { ShardTiers } from '../../ports/shard-tiers.ts';
import type { Alarms } from '../alarms.ts';
import { repeat } from '../control/duty.ts';
import type { Pace } from '../pace.ts';
import { Bell } from '../plan/bell.ts';

/** Shards in the order of ids are in no order on the disk: parts of them are read at random, each whole. */
const bucketCount = 256;
/** A round takes this long. What is read first in one and last in the next is then read within 30 days. */
export const roundMs = 14 * dayMs;
/** Whoever backs up or restores is let pass, unless something has not been looked at for so long. */
const patienceMs = 25 * dayMs;
/** Each shard in a cold store is read whole in one of so many rounds: every half year. */
const coldRounds = 13;
const busyWaitMs = 10 * minuteMs;
const lookMs = minuteMs;
const recordName = 'scrub';

export type ScrubOptions = {
  readonly store: ShardStore;
  /** Undefined: everything is on this host's disk. */
  readonly tiers?: Pick<ShardTiers, 'cold' | 'glance'> | undefined;
  readonly records: RecordStore;
  readonly pace: Pace;
  /** A backup, a restore or a repair uses this host's disk now. */
  readonly isBusy: () => boolean;
  /** What was signed for is not there any more. */
  readonly onDamage: () => void;
  readonly alarms: Pick<Alarms, 'raise'>;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
};

/** What a host remembers of its reading back; times are of its wall clock. */
type ScrubRecord = {
  round: number;
  startMs: number;
  /** Hexadecimal: decides the order. */
  seed: string;
  bucketsDone: number;
  /** When each part was read whole; 0: never. */
  readMs: number[];
  /** Of this round. */
  shards: number;
  bytes: number;
  /** Since this host was set up. */
  damaged: number;
};

export type ScrubState = {
  readonly round: number;
  /** Of this round: 0 to 1. */
  readonly share: number;
  readonly shards: number;
  readonly bytes: number;
  readonly damaged: number;
  /** No shard has gone unread for longer; undefined: there is none. */
  readonly oldestMs: number | undefined;
  /** It reads without waiting for its time. */
  readonly isHurried: boolean;
};

/**
 * Reads every shard here back, again and again, in an order that nobody can foresee, slowly: one part of them
 * after another, each when its time has come. A damaged one is put aside by the store; its receipt is taken back,
 * and repair does the rest. Goes on after a restart with the part that it was at.
 */
export class Scrub {
  readonly #options: ScrubOptions;
  #record: ScrubRecord;
  #isHurried = false;
  #ordered: { readonly seed: string; readonly buckets: readonly number[] } | undefined;
  /** Rung when somebody asks for it now. */
  readonly #bell = new Bell();

  private constructor(options: ScrubOptions, record: ScrubRecord) {
    this.#options = options;
    this.#record = record;
  }

  static open(options: ScrubOptions, record: unknown): Scrub {
    return new Scrub(options, isRecord(record) ? record : freshRecord(options));
  }

  run(options: Cancel): Promise<void> {
    const failure = { level: 'warn', message: storageMessages.shardsNotReadBack } as const;
    const clock = this.#bell.over(this.#options.clock);
    const duty = { ...this.#options, clock, periodMs: lookMs, failure };
    return repeat(duty, (cancel) => this.advance(cancel), options);
  }

  /** Begins a round and reads all of it without waiting; one that is hurried already goes on. */
  begin(): void {
    if (this.#isHurried) return;
    this.#isHurried = true;
    this.#nextRound();
    this.#bell.ring();
  }

  get state(): ScrubState {
    const { round, bucketsDone, shards, bytes, damaged } = this.#record;
    return {
      ...{ round, shards, bytes, damaged, isHurried: this.#isHurried },
      share: bucketsDone / bucketCount,
      oldestMs: this.#oldestMs(),
    };
  }

  /** How long ago the part was read that has waited longest. */
  #oldestMs(): number | undefined {
    if (this.#options.store.usage().shards === 0) return undefined;
    return Math.max(0, this.#options.clock.nowMs() - Math.min(...this.#record.readMs));
  }

  /** Reads the parts whose time has come. */
  async advance({ signal = new AbortController().signal }: Cancel = {}): Promise<void> {
    while (this.#isDue()) {
      signal.throwIfAborted();
      const bucket = this.#order()[this.#record.bucketsDone] as number;
      await this.#read(bucket, signal);
      this.#record.readMs[bucket] = this.#options.clock.nowMs();
      this.#record.bucketsDone++;
      if (this.#record.bucketsDone === bucketCount) this.#isHurried = false;
      await this.#save();
    }
  }

  #isDue(): boolean {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    // A clock that was set back would let everything wait.
    if (nowMs < this.#record.startMs) this.#record.startMs = nowMs;
    const elapsedMs = nowMs - this.#record.startMs;
    if (this.#record.bucketsDone === bucketCount) {
      if (elapsedMs < roundMs) return false;
      this.#nextRound();
    }
    return this.#isHurried || elapsedMs >= (this.#record.bucketsDone / bucketCount) * roundMs;
  }

  #nextRound(): void {
    const { clock, entropy } = this.#options;
    const { round, readMs, damaged } = this.#record;
    this.#record = {
      ...{ round: round + 1, readMs, damaged, shards: 0, bytes: 0, bucketsDone: 0 },
      startMs: clock.nowMs(),
      seed: toHex(entropy.bytes(16)),
    };
  }

  /** Drawn once a round. */
  #order(): readonly number[] {
    const { seed } = this.#record;
    if (this.#ordered?.seed === seed) return this.#ordered.buckets;
    const key = (bucket: number): Uint8Array => hash('path', utf8(`${seed} ${bucket}`));
    const all = Array.from({ length: bucketCount }, (_, bucket) => ({ bucket, key: key(bucket) }));
    const buckets = all.sort((a, b) => compare(a.key, b.key)).map(({ bucket }) => bucket);
    this.#ordered = { seed, buckets };
    return buckets;
  }

  async #read(bucket: number, signal: AbortSignal): Promise<void> {
    const { store, pace } = this.#options;
    const names: { pack: PackId; index: number; size: number; key: Uint8Array }[] = [];
    for await (const { pack, index, size } of store.list(bucket)) {
      const key = hash('path', utf8(`${this.#record.seed} ${pack} ${index}`));
      names.push({ pack, index, size, key });
    }
    for (const { pack, index, size } of names.sort((a, b) => compare(a.key, b.key))) {
      await this.#letPass(signal);
      const isGlance = this.#isCold(pack, index) && !this.#isWholeTurn(pack, index);
      if (!isGlance) await pace.take(size, { signal });
      await this.#verify(pack, index, isGlance);
      this.#record.shards++;
      if (!isGlance) this.#record.bytes += size;
    }
  }

  async #letPass(signal: AbortSignal): Promise<void> {
    const { clock, isBusy } = this.#options;
    while (isBusy() && !this.#isHurried && (this.#oldestMs() ?? 0) < patienceMs) {
      await clock.sleep(busyWaitMs, { signal });
    }
    signal.throwIfAborted();
  }

  #isCold(pack: PackId, index: number): boolean {
    return this.#options.tiers?.cold(pack).includes(index) === true;
  }

  /** Reading a cold store is paid for: each round takes some, and looks whether the others are there. */
  #isWholeTurn(pack: PackId, index: number): boolean {
    const turn = Number.parseInt(pack.slice(0, 8), 16) + index + this.#record.round;
    return this.#isHurried || turn % coldRounds === 0;
  }

  async #verify(pack: PackId, index: number, isGlance: boolean): Promise<void> {
    const { store, tiers, alarms, log, onDamage } = this.#options;
    // Let go of meanwhile: nobody misses it.
    if (!store.indexes(pack).includes(index)) return;
    const problem = await this.#problem(() =>
      isGlance && tiers !== undefined ? tiers.glance(pack, index) : store.verify(pack, index),
    );
    if (problem === undefined || store.indexes(pack).includes(index)) return;
    this.#record.damaged++;
    log.log('error', storageMessages.shardDamaged, { pack, index, problem });
    void alarms.raise({
      kind: 'shard-damaged',
      subject: `${pack}/${index}`,
      text: `shard ${index} of pack ${shortId(pack)} was damaged on this host's disk; it is put aside and made anew from others. Look at the disk: holdfast repair --dry-run`,
      facts: { pack, index: String(index), problem },
    });
    onDamage();
  }

  /** A cold store that is away has lost nothing, and must not keep all others from being read. */
  async #problem(look: () => Promise<string | undefined>): Promise<string | undefined> {
    try {
      return await look();
    } catch (error) {
      if (codeOf(error) !== 'store-unreachable') throw error;
      return undefined;
    }
  }

  async #save(): Promise<void> {
    await this.#options.records.write(recordName, utf8(JSON.stringify(this.#record)));
  }
}

/** What was written down; a record that cannot be read costs a round. @throws HoldfastError io-error | corrupt */
export async function readScrub(records: RecordStore): Promise<unknown> {
  const record = await records.read(recordName);
  const text = record === undefined ? undefined : fromUtf8(record);
  return text === undefined ? undefined : JSON.parse(text);
}

function isRecord(value: unknown): value is ScrubRecord {
  const record = value as Partial<ScrubRecord> | undefined;
  return record?.readMs?.length === bucketCount && typeof record.seed === 'string';
}

/** What is there already counts as read when this host first looks: it was, as it was written. */
function freshRecord({ clock, entropy }: ScrubOptions): ScrubRecord {
  const nowMs = clock.nowMs();
  return {
    ...{ round: 1, startMs: nowMs, bucketsDone: 0, shards: 0, bytes: 0, damaged: 0 },
    seed: toHex(entropy.bytes(16)),
    readMs: new Array<number>(bucketCount).fill(nowMs),
  };
}
