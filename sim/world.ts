import { assert } from '../src/base/assert.ts';
import type { Cancel, Clock } from '../src/ports/runtime.ts';
import { Prng } from './prng.ts';
import { Trace } from './trace.ts';

type Event = {
  readonly timeMs: number;
  /** Drawn from the seed: what happens first at one time. */
  readonly tie: number;
  readonly number: number;
  /** Emptied when the event is called off. */
  run: (() => void) | undefined;
};

/** Hosts do a few things at once when a message arrives; nobody does thousands without waiting. */
const callsOfTurnMax = 20_000;

/** Memory of native objects is given back by turns of the event loop. */
const ticksOfTurn = 256;

/** Wall time of every simulated host when the simulation starts. */
export const epochMs = Date.UTC(2026, 0, 1);

/**
 * Virtual time and the one queue of everything that will happen. Between two events all code that can run
 * runs to its next wait, so the order of events, which the seed decides, is the order of everything.
 */
export class World {
  readonly seed: number;
  readonly random: Prng;
  readonly trace = new Trace();
  /** How often each thing worth meeting was met: a simulator that never meets it proves nothing of it. */
  readonly met = new Map<string, number>();
  /** Called at every turn: whoever watches that there are turns. */
  onTurn: (() => void) | undefined;
  /** Once; what is wrong, in words. */
  onEndless: ((what: string) => void) | undefined;
  #callsOfTurn = 0;
  #ticks = 0;
  readonly #ties: Prng;
  readonly #heap: Event[] = [];
  #nowMs = 0;
  #count = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.random = new Prng(seed);
    this.#ties = this.random.fork();
  }

  /** Virtual milliseconds since the start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** How much is still to happen. */
  get pending(): number {
    return this.#heap.length;
  }

  note(text: string): void {
    this.trace.note(this.#nowMs, text);
  }

  meet(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1);
  }

  /**
   * A port was called. A loop that waits for nothing calls them over and over in one turn, and would take all
   * memory. @throws Error then: no part of an agent takes a bug for an answer, so that ends the loop
   */
  requireMoving(what: string): void {
    if (++this.#callsOfTurn <= callsOfTurnMax) return;
    const why = `a loop waits for nothing: ${callsOfTurnMax} times ${what} in one turn`;
    this.onEndless?.(why);
    throw new Error(why);
  }

  /** Runs `run` after `delayMs`. @returns what calls it off. */
  after(delayMs: number, run: () => void): () => void {
    assert(delayMs >= 0, 'nothing happens in the past');
    const timeMs = this.#nowMs + Math.round(delayMs);
    const event: Event = { timeMs, tie: this.#ties.next(), number: this.#count++, run };
    push(this.#heap, event);
    return () => {
      event.run = undefined;
    };
  }

  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /**
   * No continuation is left. A tick begins only then, but for those of ticks that stood before it in the queue: hence
   * two. A turn of the event loop would do as well, and takes several times as long; now and then it must come.
   */
  async #settled(): Promise<void> {
    const needsTurn = ++this.#ticks % ticksOfTurn === 0;
    await new Promise<void>((resolve) => {
      if (needsTurn) setImmediate(resolve);
      else process.nextTick(resolve);
    });
    await new Promise<void>((resolve) => process.nextTick(resolve));
  }

  /** Lets time pass: every event until then, in its order. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await this.#settled();
    for (let next = this.#heap[0]; next !== undefined && next.timeMs <= endMs; ) {
      pop(this.#heap);
      if (next.run !== undefined) {
        this.#nowMs = next.timeMs;
        this.#callsOfTurn = 0;
        this.onTurn?.();
        next.run();
        await this.#settled();
      }
      next = this.#heap[0];
    }
    this.#nowMs = endMs;
  }
}

function isBefore(a: Event, b: Event): boolean {
  if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs;
  return a.tie === b.tie ? a.number < b.number : a.tie < b.tie;
}

function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(event, heap[parent] as Event)) break;
    heap[at] = heap[parent] as Event;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop() as Event;
  if (heap.length === 0) return;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    const right = heap[child + 1];
    if (right !== undefined && isBefore(right, heap[child] as Event)) child++;
    if (!isBefore(heap[child] as Event, last)) break;
    heap[at] = heap[child] as Event;
    at = child;
  }
  heap[at] = last;
}

/** The clock of one run of one host. It stops for ever when the host crashes. */
export class SimClock implements Clock {
  readonly #world: World;
  readonly #startMs: number;
  readonly #life: Life;
  readonly #host: { readonly skewMs: number };

  /** `host`: how far its wall clock is off, which may change. */
  constructor(world: World, life: Life, host: { readonly skewMs: number }) {
    this.#world = world;
    this.#startMs = world.nowMs;
    this.#life = life;
    this.#host = host;
  }

  nowMs(): number {
    return epochMs + this.#world.nowMs + this.#host.skewMs;
  }

  monotonicMs(): number {
    return this.#world.nowMs - this.#startMs;
  }

  sleep(ms: number, { signal }: Cancel = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        callOff();
        reject(signal?.reason);
      };
      const callOff = this.#world.after(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        if (this.#life.isAlive) resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

/**
 * One run of a program, from its start to its crash. Whatever a port owes to a dead one is never paid:
 * its promises stay open, so that nothing of it goes on.
 */
export class Life {
  isAlive = true;
}
