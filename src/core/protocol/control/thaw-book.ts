import { thawFrom } from '../../format/control-keeping.ts';
import type { BodyOf } from '../../format/control-records.ts';
import type { ThawCommand } from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, idBytes } from '../../ids.ts';
import type { MemberBook } from './member-book.ts';
import { type Change, refusal } from './refusal.ts';

/** Which freezes of hosts operators have acknowledged: the highest of each. */
export class ThawBook {
  readonly #freezes = new Map<AgentKey, number>();

  /** 0: none. */
  of(agent: AgentKey): number {
    return this.#freezes.get(agent) ?? 0;
  }

  /** @throws HoldfastError not-permitted */
  check({ agent, freeze }: BodyOf<'thaw'>, members: MemberBook): Change {
    if (members.of(agent) === undefined) throw refusal('the agent is no member');
    if (freeze <= this.of(agent)) throw refusal('that freeze was acknowledged before');
    return () => this.#freezes.set(agent, freeze);
  }

  /** Sorted by agent. */
  image(): { agent: Uint8Array; freeze: number }[] {
    const sorted = [...this.#freezes].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([agent, freeze]) => ({ agent: idBytes(agent), freeze }));
  }

  load(images: readonly ThawCommand[]): void {
    this.#freezes.clear();
    for (const image of images) {
      const { agent, freeze } = thawFrom(image);
      this.#freezes.set(agent, freeze);
    }
  }
}
