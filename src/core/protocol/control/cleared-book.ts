import type { MessageInitShape } from '@bufbuild/protobuf';
import { reasonFrom } from '../../format/control-field.ts';
import type { BodyOf } from '../../format/control-records.ts';
import { idField, required } from '../../format/field.ts';
import type { ClearedImage, ClearedImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, idBytes, type StatementHash } from '../../ids.ts';
import { controlBounds } from './control-bounds.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

/** Who has cleared a snapshot of suspicion, and why. */
export type Cleared = {
  readonly manifest: StatementHash;
  readonly reason: string;
  /** Operators, sorted. */
  readonly authors: readonly AgentKey[];
  readonly generation: number;
  readonly index: number;
  readonly timeMs: number;
};

/** Snapshots that tripwires have marked and a person has looked at. Whether one is suspect is not decided here. */
export class ClearedBook {
  readonly #cleared = new Map<StatementHash, Cleared>();

  of(manifest: StatementHash): Cleared | undefined {
    return this.#cleared.get(manifest);
  }

  /** Oldest first. */
  all(): readonly Cleared[] {
    return [...this.#cleared.values()];
  }

  /** @throws HoldfastError not-permitted */
  check(
    { manifest, reason }: BodyOf<'clear-suspect'>,
    authors: readonly AgentKey[],
    { generation, index, timeMs }: CommandPlace,
  ): Change {
    if (this.#cleared.has(manifest)) throw refusal('this snapshot was cleared before');
    return () => {
      this.#cleared.set(manifest, { manifest, reason, authors, generation, index, timeMs });
      for (const oldest of this.#cleared.keys()) {
        if (this.#cleared.size <= controlBounds.clearedMax) return;
        this.#cleared.delete(oldest);
      }
    };
  }

  image(): MessageInitShape<typeof ClearedImageSchema>[] {
    return this.all().map(({ manifest, reason, authors, generation, index, timeMs }) => ({
      clear: { manifest: idBytes(manifest), reason },
      authors: authors.map(idBytes),
      generation: BigInt(generation),
      index: BigInt(index),
      timeMs: BigInt(timeMs),
    }));
  }

  load(images: readonly ClearedImage[]): void {
    this.#cleared.clear();
    for (const { clear, authors, generation, index, timeMs } of images) {
      const { manifest: bytes, reason } = required(clear, 'cleared snapshot');
      const manifest = idField<StatementHash>(bytes, 32, 'manifest');
      this.#cleared.set(manifest, {
        manifest,
        reason: reasonFrom(reason),
        authors: authors.map((author) => idField<AgentKey>(author, 32, 'author')),
        generation: Number(generation),
        index: Number(index),
        timeMs: Number(timeMs),
      });
    }
  }
}
