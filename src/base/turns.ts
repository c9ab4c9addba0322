import { Semaphore } from './concurrency.ts';

/** Lets one holder at a time have each name; the others wait in order. */
export class Turns {
  readonly #names = new Map<string, { semaphore: Semaphore; users: number }>();

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** @returns what gives the name to the next. */
  async take(name: string): Promise<() => void> {
    const turn = this.#names.get(name) ?? { semaphore: new Semaphore(1), users: 0 };
    this.#names.set(name, turn);
    turn.users++;
    const release = await turn.semaphore.acquire();
    return () => {
      release();
      if (--turn.users === 0) this.#names.delete(name);
    };
  }
}
