/** Takes some of a list at a time, and goes on where it ended: so that none keeps the others waiting. */
export class Rotation {
  #next = 0;

  take<Item>(items: readonly Item[], countMax: number): Item[] {
    if (items.length <= countMax) return [...items];
    const begin = this.#next % items.length;
    this.#next = begin + countMax;
    return [...items.slice(begin), ...items.slice(0, begin)].slice(0, countMax);
  }
}
