import type { AgentKey, DatasetId } from '../../src/core/ids.ts';

/** What has really been done to copies, whoever knows of it and whatever the log says. */
export class Truth {
  readonly #off = new Set<string>();

  /** Operators have powered it off, as they are about to say; one dataset's copy alone, or all. */
  powerOff(agent: AgentKey, dataset: DatasetId | undefined): void {
    this.#off.add(`${agent}/${dataset ?? ''}`);
  }

  isPoweredOff(agent: AgentKey, dataset: DatasetId): boolean {
    return this.#off.has(`${agent}/`) || this.#off.has(`${agent}/${dataset}`);
  }

  /** It has stopped its copy, as it is about to say. */
  stop(agent: AgentKey, dataset: DatasetId, incarnation: number): void {
    this.#off.add(`${agent}/${dataset}/${incarnation}`);
  }

  isOff(agent: AgentKey, dataset: DatasetId, incarnation: number): boolean {
    return ['', dataset, `${dataset}/${incarnation}`].some((one) =>
      this.#off.has(`${agent}/${one}`),
    );
  }
}
