import { assert } from '../../src/base/assert.ts';

/** Events by time: a binary heap over typed arrays, since a run takes tens of millions of them. */
export class EventQueue {
  #times = new Float64Array(1024);
  #kinds = new Uint8Array(1024);
  #subjects = new Int32Array(1024);
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Of the first event. */
  get time(): number {
    assert(this.#count > 0, 'an event waits');
    return this.#times[0] as number;
  }

  get kind(): number {
    return this.#kinds[0] as number;
  }

  get subject(): number {
    return this.#subjects[0] as number;
  }

  /** `kind`: 8 bits; `subject`: signed 32 bits. */
  push(time: number, kind: number, subject: number): void {
    if (this.#count === this.#times.length) this.#grow();
    let at = this.#count++;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if ((this.#times[above] as number) <= time) break;
      this.#move(above, at);
      at = above;
    }
    this.#set(at, time, kind, subject);
  }

  /** Removes the first event. */
  pop(): void {
    assert(this.#count > 0, 'an event waits');
    const last = --this.#count;
    const time = this.#times[last] as number;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= last) break;
      if (below + 1 < last && this.#isBefore(below + 1, below)) below++;
      if ((this.#times[below] as number) >= time) break;
      this.#move(below, at);
      at = below;
    }
    this.#set(at, time, this.#kinds[last] as number, this.#subjects[last] as number);
  }

  #isBefore(a: number, b: number): boolean {
    return (this.#times[a] as number) < (this.#times[b] as number);
  }

  #move(from: number, to: number): void {
    const [time, kind] = [this.#times[from] as number, this.#kinds[from] as number];
    this.#set(to, time, kind, this.#subjects[from] as number);
  }

  #set(at: number, time: number, kind: number, subject: number): void {
    this.#times[at] = time;
    this.#kinds[at] = kind;
    this.#subjects[at] = subject;
  }

  #grow(): void {
    const size = 2 * this.#times.length;
    const [times, kinds, subjects] = [this.#times, this.#kinds, this.#subjects];
    this.#times = new Float64Array(size);
    this.#kinds = new Uint8Array(size);
    this.#subjects = new Int32Array(size);
    this.#times.set(times);
    this.#kinds.set(kinds);
    this.#subjects.set(subjects);
  }
}
