import type { Prng } from '../prng.ts';
import type { Layout } from './durability.ts';

const missing = -1;
const end = -1;

/** Packs placed at random over sites, one shard a site, and which of their shards are missing now. */
export class PackSample {
  readonly #layout: Layout;
  readonly #sites: number;
  readonly #hostsPerSite: number;
  readonly #prng: Prng;
  /** The host of each shard, pack after pack. */
  readonly #hostOf: Int32Array;
  /** Shards of a host: the first, and after each the next. */
  readonly #first: Int32Array;
  readonly #next: Int32Array;
  readonly #left: Uint8Array;
  #lost = 0;

  constructor(
    options: { agents: number; sites: number; layout: Layout; samplePacks: number },
    prng: Prng,
  ) {
    this.#layout = options.layout;
    this.#sites = options.sites;
    this.#hostsPerSite = options.agents / options.sites;
    this.#prng = prng;
    this.#hostOf = new Int32Array(options.samplePacks * options.layout.shards).fill(missing);
    this.#first = new Int32Array(options.agents).fill(end);
    this.#next = new Int32Array(this.#hostOf.length).fill(end);
    this.#left = new Uint8Array(options.samplePacks).fill(options.layout.shards);
    for (let shard = 0; shard < this.#hostOf.length; shard++) this.#place(shard);
  }

  /** Times that a pack had fewer than k shards; it is then counted as whole again, to go on. */
  get lost(): number {
    return this.#lost;
  }

  /** @returns the shards that went with it, and are to be repaired. */
  loseHost(host: number): number[] {
    const shards: number[] = [];
    for (let shard = this.#first[host] as number; shard !== end; ) {
      const following = this.#next[shard] as number;
      this.#hostOf[shard] = missing;
      const pack = Math.floor(shard / this.#layout.shards);
      this.#left[pack] = (this.#left[pack] as number) - 1;
      shards.push(shard);
      shard = following;
    }
    this.#first[host] = end;
    for (const shard of shards) this.#noteLoss(Math.floor(shard / this.#layout.shards));
    return shards;
  }

  /** @returns false when the shard is there already. */
  repair(shard: number): boolean {
    if (this.#hostOf[shard] !== missing) return false;
    const pack = Math.floor(shard / this.#layout.shards);
    this.#left[pack] = (this.#left[pack] as number) + 1;
    this.#place(shard);
    return true;
  }

  #noteLoss(pack: number): void {
    if ((this.#left[pack] as number) >= this.#layout.k) return;
    this.#lost++;
    const from = pack * this.#layout.shards;
    for (let i = 0; i < this.#layout.shards; i++) this.repair(from + i);
  }

  /** At a site that has no other shard of the pack. */
  #place(shard: number): void {
    const from = shard - (shard % this.#layout.shards);
    const taken = new Set<number>();
    for (let i = from; i < from + this.#layout.shards; i++) {
      const host = this.#hostOf[i] as number;
      if (host !== missing) taken.add(Math.floor(host / this.#hostsPerSite));
    }
    let site = this.#prng.below(this.#sites);
    while (taken.has(site)) site = this.#prng.below(this.#sites);
    const host = site * this.#hostsPerSite + this.#prng.below(this.#hostsPerSite);
    this.#hostOf[shard] = host;
    this.#next[shard] = this.#first[host] as number;
    this.#first[host] = shard;
  }
}
