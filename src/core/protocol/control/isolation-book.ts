import type { MessageInitShape } from '@bufbuild/protobuf';
import { idField } from '../../format/field.ts';
import {
  type IsolationImage,
  IsolationImageSchema,
} from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, type DatasetId, idBytes, idOf } from '../../ids.ts';
import { controlBounds } from './control-bounds.ts';
import { imageOnce } from './record-image.ts';
import { refusal } from './refusal.ts';

/** What operators have attested of one agent. */
export type Isolation = {
  readonly agent: AgentKey;
  /** Of all datasets, but those of `exceptions`; else of those of `datasets`. */
  readonly isWhole: boolean;
  readonly datasets: readonly DatasetId[];
  readonly exceptions: readonly DatasetId[];
  readonly reason: string;
};

/** Agents that operators say are powered off or cut off. */
export class IsolationBook {
  readonly #isolations = new Map<AgentKey, Isolation>();

  /** Sorted by agent. */
  all(): readonly Isolation[] {
    return [...this.#isolations.values()].sort((a, b) => (a.agent < b.agent ? -1 : 1));
  }

  covers(agent: AgentKey, dataset: DatasetId): boolean {
    const isolation = this.#isolations.get(agent);
    if (isolation === undefined) return false;
    if (isolation.isWhole) return !isolation.exceptions.includes(dataset);
    return isolation.datasets.includes(dataset);
  }

  /** `dataset`: undefined for all. @throws HoldfastError not-permitted */
  checkIsolate(agent: AgentKey, dataset: DatasetId | undefined): void {
    const before = this.#isolations.get(agent);
    if (before === undefined && this.#isolations.size >= controlBounds.isolationsMax) {
      throw refusal('too many agents are isolated');
    }
    const isKnown =
      dataset === undefined
        ? before?.isWhole === true && before.exceptions.length === 0
        : this.covers(agent, dataset);
    if (isKnown) throw refusal('this has been attested already');
  }

  isolate(agent: AgentKey, dataset: DatasetId | undefined, reason: string): void {
    const before = this.#isolations.get(agent);
    const { isWhole = false, datasets = [], exceptions = [] } = before ?? {};
    const next =
      dataset === undefined
        ? { isWhole: true, datasets: [], exceptions: [] }
        : {
            isWhole,
            datasets: isWhole ? [] : [...datasets, dataset].sort(),
            exceptions: exceptions.filter((one) => one !== dataset),
          };
    this.#isolations.set(agent, { agent, reason, ...next });
  }

  lift(agent: AgentKey, dataset: DatasetId): void {
    const before = this.#isolations.get(agent);
    if (before === undefined || !this.covers(agent, dataset)) return;
    const datasets = before.datasets.filter((one) => one !== dataset);
    const exceptions = before.isWhole ? [...before.exceptions, dataset].sort() : [];
    if (before.isWhole || datasets.length > 0) {
      this.#isolations.set(agent, { ...before, datasets, exceptions });
    } else this.#isolations.delete(agent);
  }

  image(): MessageInitShape<typeof IsolationImageSchema>[] {
    return this.all().map(isolationImage);
  }

  load(images: readonly IsolationImage[]): void {
    this.#isolations.clear();
    for (const { isWhole, reason, ...image } of images) {
      const agent = idField<AgentKey>(image.agent, 32, 'agent');
      const datasets = image.datasets.map((one) => idOf<DatasetId>(one));
      const exceptions = image.exceptions.map((one) => idOf<DatasetId>(one));
      this.#isolations.set(agent, { agent, isWhole, datasets, exceptions, reason });
    }
  }
}

const isolationImage = imageOnce(IsolationImageSchema, (one: Isolation) => ({
  agent: idBytes(one.agent),
  isWhole: one.isWhole,
  datasets: one.datasets.map(idBytes),
  exceptions: one.exceptions.map(idBytes),
  reason: one.reason,
}));
