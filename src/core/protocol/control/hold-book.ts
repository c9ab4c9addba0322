import type { MessageInitShape } from '@bufbuild/protobuf';
import { hexBytes } from '../../format/control-field.ts';
import { commandIdFrom, holdFrom, holdMessage } from '../../format/control-keeping.ts';
import type { BodyOf, CommandId, Hold } from '../../format/control-records.ts';
import type { EpochName } from '../../format/key-record.ts';
import { idField, required } from '../../format/field.ts';
import type { HoldImage, HoldImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, type DatasetId, idBytes } from '../../ids.ts';
import { controlBounds } from './control-bounds.ts';
import { type Change, refusal } from './refusal.ts';

/** A hold with who has placed it, and when. */
export type HoldRecord = Hold & {
  readonly id: CommandId;
  readonly authors: readonly AgentKey[];
  /** Log time; 0: not known then. */
  readonly sinceMs: number;
};

/** Legal holds: what they cover does not expire, whatever retention says and whoever asks. */
export class HoldBook {
  readonly #holds = new Map<CommandId, HoldRecord>();

  /** Oldest first. */
  all(): readonly HoldRecord[] {
    return [...this.#holds.values()];
  }

  /** The oldest one that covers the snapshot. */
  covering(dataset: DatasetId, writer: AgentKey, sequence: number): HoldRecord | undefined {
    return this.all().find((hold) => isCovered(hold, { dataset, writer, sequence }));
  }

  /**
   * For what takes away what is held in another way than by deleting it. Which snapshots need an epoch the log does
   * not know, and later ones use the packs of earlier ones: so every hold on any of them counts.
   * @throws HoldfastError not-permitted
   */
  requireNone({ dataset, writer }: Pick<EpochName, 'dataset' | 'writer'>): void {
    const found = this.all().find((hold) => {
      return hold.dataset === dataset && (hold.snapshot?.writer ?? writer) === writer;
    });
    if (found === undefined) return;
    throw refusal(
      `it is held: ${found.reason}; holdfast hold remove ${found.id.slice(0, 8)} ends that`,
    );
  }

  /** @throws HoldfastError not-permitted */
  checkHold(hold: Hold, record: Pick<HoldRecord, 'id' | 'authors' | 'sinceMs'>): Change {
    if (this.#holds.size >= controlBounds.holdsMax) throw refusal('there are too many holds');
    const { dataset, snapshot, reason } = hold;
    return () => this.#holds.set(record.id, { ...record, dataset, snapshot, reason });
  }

  /** @throws HoldfastError not-permitted */
  checkRelease({ hold }: BodyOf<'release'>): Change {
    if (!this.#holds.has(hold)) throw refusal('there is no such hold');
    return () => this.#holds.delete(hold);
  }

  image(): MessageInitShape<typeof HoldImageSchema>[] {
    return this.all().map((record) => ({
      id: hexBytes(record.id),
      hold: holdMessage(record),
      authors: record.authors.map(idBytes),
      logTimeMs: BigInt(record.sinceMs),
    }));
  }

  load(images: readonly HoldImage[]): void {
    this.#holds.clear();
    for (const { id: bytes, hold, authors, logTimeMs } of images) {
      const id = commandIdFrom(bytes);
      const keys = authors.map((key) => idField<AgentKey>(key, 32, 'author'));
      const value = holdFrom(required(hold, 'hold'));
      this.#holds.set(id, { ...value, id, authors: keys, sinceMs: Number(logTimeMs) });
    }
  }
}

/** Whether a hold covers a snapshot. */
export function isCovered(
  { dataset, snapshot }: Pick<Hold, 'dataset' | 'snapshot'>,
  one: { readonly dataset: DatasetId; readonly writer: AgentKey; readonly sequence: number },
): boolean {
  if (dataset !== one.dataset) return false;
  if (snapshot === undefined) return true;
  return snapshot.writer === one.writer && snapshot.sequence === one.sequence;
}
