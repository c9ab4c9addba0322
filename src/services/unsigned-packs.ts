import { concat } from '../base/bytes.ts';
import { type AgentKey, idBytes, idOf } from '../core/ids.ts';
import type { KeyValue, KeyValueOperation } from '../ports/key-value.ts';
import { ordinalBytes, ordinalOf } from './dataset-index-codec.ts';

const agentSize = 32;

/**
 * Who was given a part of those packs that no signed snapshot names yet: a part of a source's index. Nobody else knows
 * that such a pack is needed, so nobody makes anew what is lost of it; the source has to see to that itself.
 */
export class UnsignedPacks {
  readonly #store: KeyValue;
  readonly #prefix: Uint8Array;
  readonly #agents = new Map<number, readonly AgentKey[]>();

  /** `prefix`: of its keys, which go on with the ordinal (4) -> agents (32 each). */
  constructor(store: KeyValue, prefix: Uint8Array) {
    this.#store = store;
    this.#prefix = prefix;
  }

  /** `entries`: all of its keys. */
  async load(entries: ReturnType<KeyValue['range']>): Promise<void> {
    for await (const { key, value } of entries) {
      const agents = Array.from({ length: value.length / agentSize }, (_, i) =>
        idOf<AgentKey>(value.subarray(i * agentSize, (i + 1) * agentSize)),
      );
      this.#agents.set(ordinalOf(key), agents);
    }
  }

  /** By the ordinals of the packs. */
  all(): ReadonlyMap<number, readonly AgentKey[]> {
    return this.#agents;
  }

  /** Before the index knows the pack: what is written durably after it makes this durable, too. */
  async note(ordinal: number, agents: Iterable<AgentKey>): Promise<void> {
    const all = [...new Set(agents)];
    const value = concat(all.map((agent) => idBytes(agent)));
    await this.#store.batch([{ type: 'put', key: this.#key(ordinal), value }]);
    this.#agents.set(ordinal, all);
  }

  /** A snapshot names them, or they are used no more. */
  async forget(ordinals: Iterable<number>): Promise<void> {
    const known = [...ordinals].filter((ordinal) => this.#agents.has(ordinal));
    if (known.length === 0) return;
    const operations = known.map(
      (ordinal): KeyValueOperation => ({ type: 'delete', key: this.#key(ordinal) }),
    );
    await this.#store.batch(operations);
    for (const ordinal of known) this.#agents.delete(ordinal);
  }

  #key(ordinal: number): Uint8Array {
    return concat([this.#prefix, ordinalBytes(ordinal)]);
  }
}
