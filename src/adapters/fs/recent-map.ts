/** Keeps the entries used last, at most `countMax`. */
export class RecentMap<Value> {
  readonly #countMax: number;
  /** In order of use: a Map iterates as inserted. */
  readonly #entries = new Map<string, Value>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get(key: string): Value | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#countMax) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
