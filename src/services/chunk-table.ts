/** Load at which probing stays short. */
const loadMax = 0.7;
const capacityMin = 4096;

/**
 * Which chunks may be known, in 8 bytes each at a load of 0.35 to 0.7: a part of the id. What is not in it is certainly
 * not known; what is may, once in a lifetime, be another chunk, so that whoever finds it looks at the whole id elsewhere.
 */
export class ChunkTable {
  /** Two words of each id in turn; both 0 mark a free place. */
  #slots: Uint32Array;
  #count = 0;

  /** @param expected how many chunks there will be, about. */
  constructor(expected = 0) {
    let capacity = capacityMin;
    while (capacity * loadMax < expected) capacity *= 2;
    this.#slots = new Uint32Array(2 * capacity);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of memory. */
  get size(): number {
    return this.#slots.byteLength;
  }

  /** Ids are keyed hashes: any of their bytes are as good as random. */
  add(id: Uint8Array): void {
    if (this.#count >= (this.#slots.length / 2) * loadMax) this.#grow();
    this.#put(wordOf(id, 0), markOf(id));
  }

  mayHave(id: Uint8Array): boolean {
    const place = this.#placeOf(wordOf(id, 0), markOf(id));
    return this.#slots[place + 1] !== 0;
  }

  #put(home: number, mark: number): void {
    const place = this.#placeOf(home, mark);
    if (this.#slots[place + 1] !== 0) return;
    this.#slots[place] = home;
    this.#slots[place + 1] = mark;
    this.#count++;
  }

  /** Where it stands, or the free place where it would. */
  #placeOf(home: number, mark: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let place = (2 * home) & mask;
    while (slots[place + 1] !== 0 && (slots[place] !== home || slots[place + 1] !== mark)) {
      place = (place + 2) & mask;
    }
    return place;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(2 * before.length);
    this.#count = 0;
    for (let i = 0; i < before.length; i += 2) {
      if (before[i + 1] !== 0) this.#put(before[i] as number, before[i + 1] as number);
    }
  }
}

function wordOf(id: Uint8Array, at: number): number {
  return (
    ((id[at] as number) |
      ((id[at + 1] as number) << 8) |
      ((id[at + 2] as number) << 16) |
      ((id[at + 3] as number) << 24)) >>>
    0
  );
}

/** Never 0, which marks a free place. */
function markOf(id: Uint8Array): number {
  return (wordOf(id, 4) | 1) >>> 0;
}
