/** Keeps the values used last while their weights add up to at most `weightMax`. */
export class BoundedCache<Key, Value> {
  readonly #entries = new Map<Key, { value: Value; weight: number }>();
  readonly #weightMax: number;
  readonly #onEvict: ((value: Value) => void) | undefined;
  #weight = 0;

  /** @param onEvict told of each value that had to make room, or was too heavy to be kept. */
  constructor(weightMax: number, onEvict?: (value: Value) => void) {
    this.#weightMax = weightMax;
    this.#onEvict = onEvict;
  }

  /** The sum of what is kept. */
  get weight(): number {
    return this.#weight;
  }

  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    // A Map iterates in order of insertion: the first key is the one unused for longest.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** A value heavier than the bound is not kept at all. */
  set(key: Key, value: Value, weight = 1): void {
    this.delete(key);
    if (weight > this.#weightMax) {
      this.#onEvict?.(value);
      return;
    }
    this.#entries.set(key, { value, weight });
    this.#weight += weight;
    for (const [oldest, entry] of this.#entries) {
      if (this.#weight <= this.#weightMax) break;
      this.delete(oldest);
      this.#onEvict?.(entry.value);
    }
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#weight -= entry.weight;
  }

  clear(): void {
    this.#entries.clear();
    this.#weight = 0;
  }
}
