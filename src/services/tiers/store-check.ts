import { equal, toHex } from '../../base/bytes.ts';
import { mapLimit } from '../../base/concurrency.ts';
import { minuteMs, secondMs } from '../../base/units.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { Cancel, Clock, Entropy } from '../../ports/runtime.ts';
import { timesOf, type Times } from './check-times.ts';

export type StoreCheckOptions = {
  readonly objects: ObjectStore;
  /** Bytes of each object that is written. */
  readonly size: number;
  /** Objects that are written one after the other; as many again are written at once. */
  readonly count: number;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Called with what is done next. */
  readonly onStep?: (step: string) => void;
};

/** `good`: as it must be; `absent`: it cannot do this, and need not; `bad`: it must not be used. */
export type Finding = {
  readonly check: string;
  readonly state: 'good' | 'absent' | 'bad';
  readonly detail: string;
};

export type StoreCheck = {
  readonly name: string;
  readonly size: number;
  readonly count: number;
  readonly writes: Times;
  readonly reads: Times;
  /** Of 64 KiB from anywhere in an object, as questions of possession are. */
  readonly leafReads: Times;
  /** With several at once. */
  readonly writeBytesPerSecond: number;
  readonly readBytesPerSecond: number;
  readonly findings: readonly Finding[];
};

const atOnce = 4;
const racers = 8;
const leafReadsMax = 32;
const overwrites = 8;
/** Long enough to try to delete what is locked, also where clocks differ a little. */
const lockMs = 8 * secondMs;
const lockPatienceMs = minuteMs;

/**
 * Measures a store and puts it to the proof, with objects of its own below `check/`, which are removed at the end
 * whatever happens.
 */
export async function checkStore(
  options: StoreCheckOptions,
  { signal = new AbortController().signal }: Cancel = {},
): Promise<StoreCheck> {
  const check = new Check(options, signal);
  try {
    return await check.run();
  } finally {
    await check.clean();
  }
}

class Check {
  readonly #options: StoreCheckOptions;
  readonly #signal: AbortSignal;
  readonly #folder: string;
  readonly #keys = new Set<string>();
  readonly #findings: Finding[] = [];

  constructor(options: StoreCheckOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#folder = `check/${toHex(options.entropy.bytes(8))}/`;
  }

  async run(): Promise<StoreCheck> {
    const { objects, size, count } = this.#options;
    this.#step('asking what it can do');
    const { canLock, keepsVersions } = await objects.abilities({ signal: this.#signal });
    this.#step('writing');
    const written = this.#samples(count);
    const writes = await this.#timed(written, ({ key, bytes }) => this.#create(key, bytes));
    const many = this.#samples(count);
    const writeMs = await this.#lap(many, ({ key, bytes }) => this.#create(key, bytes));
    this.#step('reading');
    const reads = await this.#timed(written, (one) => this.#readBack(one));
    const readMs = await this.#lap(many, (one) => this.#readBack(one));
    this.#found('what is read is what was written', 'good', `${2 * count} objects, byte for byte`);
    const leafReads = await this.#timed(written.slice(0, leafReadsMax), (one) =>
      this.#readLeaf(one),
    );
    this.#step('writing over, and listing');
    await this.#fresh();
    await this.#listed(written);
    await this.#race();
    this.#step('deleting');
    await this.#deleted(written);
    if (canLock) await this.#locked();
    else
      this.#found(
        'a locked object cannot be deleted',
        'absent',
        'it has no object lock: whoever has its credentials can delete everything',
      );
    const versions = keepsVersions
      ? 'what is written over stays, until it is deleted too'
      : 'it keeps none';
    this.#found('versions', keepsVersions ? 'good' : 'absent', versions);
    return {
      ...{ name: objects.name, size, count, writes, reads, leafReads },
      writeBytesPerSecond: rate(size * count, writeMs),
      readBytesPerSecond: rate(size * count, readMs),
      findings: this.#findings,
    };
  }

  /** Nothing is left behind: also when it was interrupted. */
  async clean(): Promise<void> {
    const { objects } = this.#options;
    await mapLimit([...this.#keys], atOnce, async (key) => {
      await objects.remove(key).catch((error: unknown) => {
        if (codeOf(error) === undefined) throw error;
      });
    });
  }

  /** What is written over, and what was deleted, must not be seen again: not even for a moment. */
  async #fresh(): Promise<void> {
    const { objects, entropy } = this.#options;
    const key = this.#key('fresh');
    const name = 'a new version is read at once';
    for (let i = 0; i < overwrites; i++) {
      const bytes = entropy.bytes(1000 + i);
      await objects.replace(key, bytes, this.#cancel);
      const found = await this.#read(key, bytes.length + 1);
      const size = await objects.sizeOf(key, this.#cancel);
      if (found === undefined || !equal(found, bytes) || size !== bytes.length) {
        this.#found(name, 'bad', `after write ${i + 1} an older one was read`);
        return;
      }
    }
    this.#found(name, 'good', `${overwrites} times`);
  }

  async #listed(written: readonly Sample[]): Promise<void> {
    const { objects } = this.#options;
    const found = new Set<string>();
    for await (const { key } of objects.list(this.#folder, this.#cancel)) found.add(key);
    const missing = written.filter(({ key }) => !found.has(key)).length;
    const name = 'what was written is listed at once';
    if (missing > 0) this.#found(name, 'bad', `${missing} of ${written.length} were not`);
    else this.#found(name, 'good', `${found.size} objects`);
  }

  async #race(): Promise<void> {
    const { objects, entropy } = this.#options;
    const name = 'of several writers of one name, one wins';
    const key = this.#key('race');
    const tries = Array.from({ length: racers }, () => entropy.bytes(2000));
    const results = await Promise.all(
      tries.map((bytes) => objects.create(key, bytes, this.#cancel)),
    );
    const winners = results.filter((isCreated) => isCreated).length;
    const winner = tries[results.indexOf(true)];
    const found = await this.#read(key, 4000);
    if (winners !== 1) {
      const detail = `${winners} of ${racers} did: give each host a place of its own`;
      this.#found(name, 'absent', detail);
    } else if (found === undefined || winner === undefined || !equal(found, winner)) {
      this.#found(name, 'bad', 'what is stored is of one that lost');
    } else this.#found(name, 'good', `1 of ${racers}`);
  }

  async #deleted(written: readonly Sample[]): Promise<void> {
    const { objects } = this.#options;
    let seen = 0;
    for (const { key } of written) {
      await objects.remove(key, this.#cancel);
      if ((await objects.sizeOf(key, this.#cancel)) !== undefined) seen++;
    }
    for await (const { key } of objects.list(this.#folder, this.#cancel)) {
      if (written.some((one) => one.key === key)) seen++;
    }
    const name = 'what was deleted is gone at once';
    if (seen > 0) this.#found(name, 'bad', `${seen} times it was still there`);
    else this.#found(name, 'good', `${written.length} objects`);
  }

  async #locked(): Promise<void> {
    const { objects, clock, entropy } = this.#options;
    this.#step('locking, and waiting for the lock to end');
    const name = 'a locked object cannot be deleted';
    const key = this.#key('locked');
    const bytes = entropy.bytes(100);
    await objects.create(key, bytes, this.#cancel);
    const untilMs = clock.nowMs() + lockMs;
    await objects.retain(key, { mode: 'governance', untilMs }, this.#cancel);
    const refusal = await objects.remove(key, this.#cancel).then(
      () => undefined,
      (error: unknown) => codeOf(error),
    );
    const left = await this.#read(key, 200);
    if (refusal !== 'not-permitted' || left === undefined || !equal(left, bytes)) {
      this.#found(name, 'bad', 'it said yes to the lock, and deleted all the same');
      return;
    }
    const waitedMs = await this.#unlocked(key, untilMs);
    if (waitedMs === undefined) this.#found(name, 'bad', 'its lock did not end when it should');
    else
      this.#found(
        name,
        'good',
        `refused while locked, deleted ${Math.round(waitedMs / secondMs)} s later`,
      );
  }

  /** @returns how long it was locked; undefined: longer than can be waited for */
  async #unlocked(key: string, untilMs: number): Promise<number | undefined> {
    const { objects, clock } = this.#options;
    const startMs = clock.nowMs();
    while (clock.nowMs() < untilMs + lockPatienceMs) {
      await clock.sleep(Math.max(secondMs, untilMs - clock.nowMs()), { signal: this.#signal });
      try {
        await objects.remove(key, this.#cancel);
        return clock.nowMs() - startMs;
      } catch (error) {
        if (codeOf(error) !== 'not-permitted') throw error;
      }
    }
    return undefined;
  }

  async #create(key: string, bytes: Uint8Array): Promise<void> {
    if (await this.#options.objects.create(key, bytes, this.#cancel)) return;
    throw new HoldfastError('corrupt', `${key} was there before it was written`);
  }

  async #readBack({ key, bytes }: Sample): Promise<void> {
    const found = await this.#read(key, bytes.length + 1);
    if (found !== undefined && equal(found, bytes)) return;
    const what = found === undefined ? 'nothing' : 'something else';
    throw new HoldfastError(
      'corrupt',
      `${this.#options.objects.name} gave ${what} for an object that was just written`,
      { next: 'do not use this store' },
    );
  }

  async #readLeaf({ key, bytes }: Sample): Promise<void> {
    const { objects, entropy } = this.#options;
    const [high = 0, low = 0] = entropy.bytes(2);
    const from = Math.floor(((high * 256 + low) / 65_536) * bytes.length);
    const range = { from, size: limits.leafSize };
    const found = await objects.read(key, range, this.#cancel);
    const wanted = bytes.subarray(from, from + limits.leafSize);
    if (found !== undefined && equal(found, wanted)) return;
    throw new HoldfastError('corrupt', `${objects.name} gave other bytes than were asked for`, {
      next: 'do not use this store',
    });
  }

  #read(key: string, size: number): Promise<Uint8Array | undefined> {
    return this.#options.objects.read(key, { from: 0, size }, this.#cancel);
  }

  #samples(count: number): Sample[] {
    return Array.from({ length: count }, () => ({
      key: this.#key(String(this.#keys.size)),
      bytes: this.#options.entropy.bytes(this.#options.size),
    }));
  }

  async #timed(samples: readonly Sample[], work: (one: Sample) => Promise<void>): Promise<Times> {
    const { clock } = this.#options;
    const all: number[] = [];
    for (const one of samples) {
      this.#signal.throwIfAborted();
      const startMs = clock.monotonicMs();
      await work(one);
      all.push(clock.monotonicMs() - startMs);
    }
    return timesOf(all);
  }

  /** @returns how long all took, several at once */
  async #lap(samples: readonly Sample[], work: (one: Sample) => Promise<void>): Promise<number> {
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    await mapLimit(samples, atOnce, work);
    return clock.monotonicMs() - startMs;
  }

  #key(name: string): string {
    const key = this.#folder + name;
    this.#keys.add(key);
    return key;
  }

  get #cancel(): Cancel {
    return { signal: this.#signal };
  }

  #found(check: string, state: Finding['state'], detail: string): void {
    this.#findings.push({ check, state, detail });
  }

  #step(step: string): void {
    this.#signal.throwIfAborted();
    this.#options.onStep?.(step);
  }
}

type Sample = { readonly key: string; readonly bytes: Uint8Array };

function rate(bytes: number, ms: number): number {
  return Math.round((bytes / Math.max(1, ms)) * secondMs);
}
