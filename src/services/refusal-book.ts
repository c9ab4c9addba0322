import { type ErrorCode, HoldfastError } from '../core/errors.ts';
import type { AgentKey, DatasetId } from '../core/ids.ts';

/** Why a peer takes no more of a dataset. */
export type Refusal = {
  readonly agent: AgentKey;
  readonly dataset: DatasetId;
  readonly code: ErrorCode;
  readonly reason: string;
};

/** What says nothing of the peer's will: it is away, or slow, or this host stops. */
const passing: ReadonlySet<ErrorCode> = new Set(['peer-unreachable', 'timeout', 'interrupted']);
/** Members times datasets of one host; the oldest go first. */
const refusalsMax = 1024;
/** What is refused beyond them counts as taken with the last of these. */
const thingsMax = 4096;

/** What peers would not take from this host when they were last asked, until they take it. */
export class RefusalBook {
  readonly #refusals = new Map<string, { refusal: Refusal; things: Set<string> }>();

  /** Oldest first. */
  all(): readonly Refusal[] {
    return [...this.#refusals.values()].map(({ refusal }) => refusal);
  }

  of(dataset: DatasetId): readonly Refusal[] {
    return this.all().filter((one) => one.dataset === dataset);
  }

  /**
   * `thing`: what was offered; a small pack may be taken while a large one is not. Bugs, and what passes by
   * itself, are no refusals.
   */
  refused(agent: AgentKey, dataset: DatasetId, thing: string, error: unknown): void {
    if (!(error instanceof HoldfastError) || passing.has(error.code)) return;
    const name = agent + dataset;
    const things = this.#refusals.get(name)?.things ?? new Set();
    if (things.size < thingsMax) things.add(thing);
    const reason = error.message.replace(/^the peer (?:says|refused): /, '');
    const refusal = { agent, dataset, code: error.code, reason };
    this.#refusals.delete(name);
    this.#refusals.set(name, { refusal, things });
    const [oldest] = this.#refusals.keys();
    if (this.#refusals.size > refusalsMax && oldest !== undefined) this.#refusals.delete(oldest);
  }

  /** Nobody is asked there any more. */
  forget(agent: AgentKey): void {
    for (const [name, { refusal }] of this.#refusals) {
      if (refusal.agent === agent) this.#refusals.delete(name);
    }
  }

  taken(agent: AgentKey, dataset: DatasetId, thing: string): void {
    const things = this.#refusals.get(agent + dataset)?.things;
    things?.delete(thing);
    if (things?.size === 0) this.#refusals.delete(agent + dataset);
  }
}
