import { concat, utf8 } from '../base/bytes.ts';
import type { ShardHead } from '../core/format/shard.ts';
import { leafCountOf } from '../core/format/shard.ts';
import type { AgentKey, PackId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { KeyValue } from '../ports/key-value.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import { RefusalBook } from './refusal-book.ts';

export type Parcel = { readonly pack: PackId; readonly index: number };

const prefix = utf8('outbox/');
const decoder = new TextDecoder();

/**
 * Shards that a peer should have but could not be given yet: kept durably here until it takes them.
 * A full copy wanted by several peers is kept once.
 */
export class Outbox {
  /** Why some of it waits, as far as peers have said. */
  readonly refusals = new RefusalBook();
  /** It is known for whom everything waits, as far as that can be known. */
  isAddressed = false;
  readonly #store: ShardStore;
  readonly #index: KeyValue;
  readonly #wanted = new Map<AgentKey, Map<string, Parcel>>();
  /** Shards that are being kept for somebody who is not in #wanted yet: how many times each. */
  readonly #keeping = new Map<string, number>();
  readonly #removing = new Map<string, Promise<void>>();

  private constructor(store: ShardStore, index: KeyValue) {
    this.#store = store;
    this.#index = index;
  }

  static async open(store: ShardStore, index: KeyValue): Promise<Outbox> {
    const outbox = new Outbox(store, index);
    const end = concat([prefix.subarray(0, -1), Uint8Array.of(0x30)]);
    for await (const { key } of index.range(prefix, end)) {
      const [agent, pack, shard] = decoder.decode(key).slice(prefix.length).split('/');
      outbox.#note(agent as AgentKey, { pack: pack as PackId, index: Number(shard) });
    }
    return outbox;
  }

  #note(agent: AgentKey, parcel: Parcel): void {
    const parcels = this.#wanted.get(agent) ?? new Map<string, Parcel>();
    parcels.set(nameOf(parcel), parcel);
    this.#wanted.set(agent, parcels);
  }

  /** Durable when resolved. */
  async keep(agent: AgentKey, head: ShardHead, bytes: Uint8Array): Promise<void> {
    const parcel = { pack: head.pack, index: head.index };
    const name = nameOf(parcel);
    // Said before the first wait: a drop for another agent must not take the shard away meanwhile.
    this.#keeping.set(name, (this.#keeping.get(name) ?? 0) + 1);
    try {
      await this.#removing.get(name);
      await this.#write(head, bytes);
      await this.address(agent, parcel);
    } finally {
      const others = (this.#keeping.get(name) ?? 1) - 1;
      if (others > 0) this.#keeping.set(name, others);
      else this.#keeping.delete(name);
    }
  }

  /** Says for whom a shard waits that lies here already. Durable when resolved. */
  async address(agent: AgentKey, parcel: Parcel): Promise<void> {
    const key = keyOf(agent, parcel);
    await this.#index.batch([{ type: 'put', key, value: new Uint8Array(0) }], { durable: true });
    this.#note(agent, parcel);
  }

  /** Shards that wait here for nobody: the index that knew better was lost, or a removal was cut short. */
  async unaddressed(): Promise<Parcel[]> {
    const known = new Set([...this.#wanted.values()].flatMap((parcels) => [...parcels.keys()]));
    return (await this.all()).filter((parcel) => {
      const name = nameOf(parcel);
      return !known.has(name) && !this.#keeping.has(name);
    });
  }

  /** Removes a shard that waits for nobody. */
  async discard({ pack, index }: Parcel): Promise<void> {
    await this.#store.remove(pack, index);
  }

  async #write(head: ShardHead, bytes: Uint8Array): Promise<void> {
    const writer = await this.#store.write(head);
    try {
      for (let leaf = writer.nextLeaf; leaf < leafCountOf(head); leaf += limits.pullLeavesMax) {
        const end = Math.min(bytes.length, (leaf + limits.pullLeavesMax) * limits.leafSize);
        await writer.append(bytes.subarray(leaf * limits.leafSize, end));
      }
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    await writer.finish();
    await this.#store.sync();
  }

  /** This very shard waits for the agent. */
  isFor(agent: AgentKey, parcel: Parcel): boolean {
    return this.#wanted.get(agent)?.has(nameOf(parcel)) === true;
  }

  /** What waits for an agent. */
  parcels(agent: AgentKey): Parcel[] {
    return [...(this.#wanted.get(agent)?.values() ?? [])];
  }

  /** For whom shards of each pack wait. */
  waiting(): ReadonlyMap<PackId, ReadonlySet<AgentKey>> {
    const waiting = new Map<PackId, Set<AgentKey>>();
    for (const [agent, parcels] of this.#wanted) {
      for (const { pack } of parcels.values()) {
        const agents = waiting.get(pack) ?? new Set();
        waiting.set(pack, agents.add(agent));
      }
    }
    return waiting;
  }

  /** The agent will never take anything: what waits for it alone waits for nobody now. Durable when resolved. */
  async release(agent: AgentKey): Promise<void> {
    const keys = this.parcels(agent).map((parcel) => keyOf(agent, parcel));
    await this.#index.batch(
      keys.map((key) => ({ type: 'delete', key })),
      { durable: true },
    );
    this.#wanted.delete(agent);
    this.refusals.forget(agent);
  }

  agents(): AgentKey[] {
    return [...this.#wanted.keys()].filter((agent) => (this.#wanted.get(agent)?.size ?? 0) > 0);
  }

  /** The agent holds it durably, or never will: forget it. */
  async drop(agent: AgentKey, parcel: Parcel): Promise<void> {
    await this.#index.batch([{ type: 'delete', key: keyOf(agent, parcel) }]);
    this.#wanted.get(agent)?.delete(nameOf(parcel));
    const name = nameOf(parcel);
    if (this.#keeping.has(name)) return;
    for (const parcels of this.#wanted.values()) if (parcels.has(name)) return;
    const removal = this.#store
      .remove(parcel.pack, parcel.index)
      .finally(() => this.#removing.delete(name));
    this.#removing.set(name, removal);
    await removal;
  }

  head(parcel: Parcel): Promise<ShardHead> {
    return this.#store.head(parcel.pack, parcel.index);
  }

  /** Every shard that lies here. */
  async all(): Promise<Parcel[]> {
    const parcels: Parcel[] = [];
    for await (const { pack, index } of this.#store.list()) parcels.push({ pack, index });
    return parcels;
  }

  /** Some shard of the pack waits here. */
  holds(pack: PackId): boolean {
    return this.#store.indexes(pack).length > 0;
  }

  has(pack: PackId, index: number): boolean {
    return this.#store.indexes(pack).includes(index);
  }

  read(pack: PackId, index: number, leaf: number, count: number): Promise<Uint8Array> {
    return this.#store.read(pack, index, leaf, count);
  }

  get sizeBytes(): number {
    return this.#store.usage().bytes;
  }
}

function nameOf(parcel: Parcel): string {
  return `${parcel.pack}/${parcel.index}`;
}

function keyOf(agent: AgentKey, parcel: Parcel): Uint8Array {
  return concat([prefix, utf8(`${agent}/${nameOf(parcel)}`)]);
}
