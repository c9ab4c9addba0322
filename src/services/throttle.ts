import { charged, filled, passed, type TokenBucket, waitMs } from '../core/policy/token-bucket.ts';
import {
  nextTransfer,
  type TransferKind,
  transferKinds,
  type WaitingTransfer,
} from '../core/policy/transfer-order.ts';
import type { Cancel, Clock } from '../ports/runtime.ts';

type Waiter = { readonly bytes: number; readonly go: () => void };
type Line = { readonly waiters: Waiter[]; passedBytes: number; movedBytes: number };

/** A limit may change while something waits for it. */
const lookMs = 250;

/** Lets transfers of one direction through at a rate, the most urgent first. */
export class Throttle {
  readonly #clock: Clock;
  readonly #bytesPerSecond: () => number;
  readonly #lines = new Map<TransferKind, Line>(
    transferKinds.map((kind) => [kind, { waiters: [], passedBytes: 0, movedBytes: 0 }]),
  );
  #bucket: TokenBucket;
  #messageBytes = 0;
  #isPumping = false;

  /** `bytesPerSecond` is asked each time; 0: no limit. */
  constructor(clock: Clock, bytesPerSecond: () => number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#bucket = { bytes: 0, atMs: clock.monotonicMs() };
  }

  /** Bytes moved so far, by kind; messages are what went without waiting. */
  get moved(): Readonly<Record<TransferKind | 'messages', number>> {
    const of = (kind: TransferKind): number => this.#line(kind).movedBytes;
    const messages = this.#messageBytes;
    return { restore: of('restore'), repair: of('repair'), backup: of('backup'), messages };
  }

  /** Waits for its turn. Rejects with the signal's reason. */
  async take(kind: TransferKind, bytes: number, { signal }: Cancel = {}): Promise<void> {
    signal?.throwIfAborted();
    const isFree = this.#bytesPerSecond() <= 0 && !this.#isPumping;
    if (!isFree) await this.#wait(kind, bytes, signal);
    this.#line(kind).movedBytes += bytes;
  }

  /** What was taken and not moved. */
  giveBack(kind: TransferKind, bytes: number): void {
    this.#line(kind).movedBytes -= bytes;
    this.#bucket = passed(this.#bucket, -bytes);
  }

  /** What passes at once: heartbeats and other messages, however much waits. It counts all the same. */
  charge(bytes: number): void {
    this.#messageBytes += bytes;
    const rate = this.#bytesPerSecond();
    if (rate <= 0) return;
    this.#bucket = charged(this.#filled(rate), bytes, rate);
  }

  #wait(kind: TransferKind, bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const { waiters } = this.#line(kind);
    const turn = new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        bytes,
        go: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = (): void => {
        const at = waiters.indexOf(waiter);
        if (at >= 0) waiters.splice(at, 1);
        reject(signal?.reason);
      };
      waiters.push(waiter);
      signal?.addEventListener('abort', leave, { once: true });
    });
    void this.#pump();
    return turn;
  }

  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (let kind = this.#next(); kind !== undefined; kind = this.#next()) {
      const rate = this.#bytesPerSecond();
      this.#bucket = rate <= 0 ? this.#emptied() : this.#filled(rate);
      const pauseMs = rate <= 0 ? 0 : waitMs(this.#bucket, rate);
      if (pauseMs > 0) await this.#clock.sleep(Math.min(pauseMs, lookMs));
      else this.#admit(kind);
    }
    this.#isPumping = false;
  }

  #admit(kind: TransferKind): void {
    const line = this.#line(kind);
    const waiter = line.waiters.shift();
    if (waiter === undefined) return;
    this.#bucket = passed(this.#bucket, waiter.bytes);
    line.passedBytes = 0;
    for (const [other, { waiters }] of this.#lines) {
      if (other !== kind && waiters.length > 0) this.#line(other).passedBytes += waiter.bytes;
    }
    waiter.go();
  }

  #next(): TransferKind | undefined {
    const waiting = new Map<TransferKind, WaitingTransfer>();
    for (const [kind, { waiters, passedBytes }] of this.#lines) {
      const [first] = waiters;
      if (first !== undefined) waiting.set(kind, { bytes: first.bytes, passedBytes });
    }
    return nextTransfer(waiting);
  }

  #filled(rate: number): TokenBucket {
    return filled(this.#bucket, rate, this.#clock.monotonicMs());
  }

  /** Without a limit nothing is owed when one comes. */
  #emptied(): TokenBucket {
    return { bytes: 0, atMs: this.#clock.monotonicMs() };
  }

  #line(kind: TransferKind): Line {
    return this.#lines.get(kind) as Line;
  }
}
