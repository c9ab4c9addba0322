/** Functions that want to hear of something, each called in the order in which they came. */
export class Listeners<Value> {
  readonly #all = new Set<(value: Value) => void>();

  /** Returns a function that stops it. */
  add(listener: (value: Value) => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  tell(value: Value): void {
    for (const listener of this.#all) listener(value);
  }
}
