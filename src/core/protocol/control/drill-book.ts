import { drillHeadFrom } from '../../format/control-body.ts';
import type { BodyOf, DrillHead } from '../../format/control-records.ts';
import { idField } from '../../format/field.ts';
import type { DrillImage } from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, idBytes } from '../../ids.ts';
import { type Change, refusal } from './refusal.ts';

export type AnchoredDrill = DrillHead & {
  /** Log time at which it came; 0: before a majority had said a time. */
  readonly sinceMs: number;
};

/** Which drill report of each agent is its newest: reports are chained, so none before it can be changed or left out. */
export class DrillBook {
  readonly #heads = new Map<AgentKey, AnchoredDrill>();

  /** Undefined: none was anchored. */
  of(agent: AgentKey): AnchoredDrill | undefined {
    return this.#heads.get(agent);
  }

  /** @throws HoldfastError not-permitted */
  check(
    { sequence, hash }: BodyOf<'drill'>,
    agent: AgentKey,
    { sinceMs }: { readonly sinceMs: number },
  ): Change {
    if (sequence <= (this.of(agent)?.sequence ?? 0)) {
      throw refusal('a drill report as new as this was anchored before');
    }
    return () => this.#heads.set(agent, { sequence, hash, sinceMs });
  }

  /** Sorted by agent. */
  image(): { agent: Uint8Array; sequence: bigint; hash: Uint8Array; logTimeMs: bigint }[] {
    const sorted = [...this.#heads].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([agent, { sequence, hash, sinceMs }]) => ({
      agent: idBytes(agent),
      sequence: BigInt(sequence),
      hash: idBytes(hash),
      logTimeMs: BigInt(sinceMs),
    }));
  }

  load(images: readonly DrillImage[]): void {
    this.#heads.clear();
    for (const image of images) {
      const agent = idField<AgentKey>(image.agent, 32, 'agent of a drill');
      const sinceMs = Number(image.logTimeMs);
      this.#heads.set(agent, { ...drillHeadFrom(image), sinceMs });
    }
  }
}
