import { hourMs, minuteMs } from '../../base/units.ts';
import type { AgentKey, PackId } from '../../core/ids.ts';
import type { RepairTask } from '../../core/policy/repair-plan.ts';
import type { Clock } from '../../ports/runtime.ts';

export type RepairTurnsOptions = {
  readonly self: AgentKey;
  /** Itself, or a member that is connected. */
  readonly isThere: (agent: AgentKey) => boolean;
  readonly clock: Pick<Clock, 'monotonicMs'>;
};

/** Whose turn it is has so long before the next one begins; two that make the same do no harm. */
export const leaseMs = 2 * minuteMs;
/** What failed is not tried again before this; what was read for it is read again at ever longer intervals. */
const retryMs = minuteMs;
const retryFactor = 8;
const retryMaxMs = 6 * hourMs;
/** Nothing was read: to try again costs little, but a site that is away has a shard of each of a million packs. */
const unreadFactor = 2;
const unreadMaxMs = hourMs;

type Failure = { readonly untilMs: number; readonly readings: number; readonly tries: number };

/** When this host may make what is missing: those before it are away or have had their time, and so has a failure. */
export class RepairTurns {
  readonly #options: RepairTurnsOptions;
  /** Since when a pack is known to lack something. */
  readonly #sinceMs = new Map<PackId, number>();
  readonly #failures = new Map<PackId, Failure>();

  constructor(options: RepairTurnsOptions) {
    this.#options = options;
  }

  /** These lack something now, and no others. */
  note(short: ReadonlySet<PackId>): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const pack of short) if (!this.#sinceMs.has(pack)) this.#sinceMs.set(pack, nowMs);
    for (const known of [this.#sinceMs, this.#failures]) {
      for (const pack of known.keys()) if (!short.has(pack)) known.delete(pack);
    }
  }

  /** For how long the pack has been known to lack something. */
  ageMs(pack: PackId): number {
    const nowMs = this.#options.clock.monotonicMs();
    return nowMs - (this.#sinceMs.get(pack) ?? nowMs);
  }

  /** On the steady clock: when this host may make it, as long as the same members are there. */
  fromMs({ entry: { pack }, takers }: RepairTask): number {
    const { self, isThere, clock } = this.#options;
    const turn = takers.filter(isThere).indexOf(self);
    if (turn < 0) return Number.POSITIVE_INFINITY;
    const sinceMs = this.#sinceMs.get(pack) ?? clock.monotonicMs();
    return Math.max(sinceMs + turn * leaseMs, this.#failures.get(pack)?.untilMs ?? 0);
  }

  postpone(pack: PackId, hasRead: boolean): void {
    const before = this.#failures.get(pack) ?? { readings: 0, tries: 0 };
    const [readings, tries] = [before.readings + (hasRead ? 1 : 0), before.tries + 1];
    const waitMs = hasRead
      ? Math.min(retryMaxMs, retryMs * retryFactor ** (readings - 1))
      : Math.min(unreadMaxMs, retryMs * unreadFactor ** (tries - 1));
    const untilMs = this.#options.clock.monotonicMs() + waitMs;
    this.#failures.set(pack, { untilMs, readings, tries });
  }

  /** Somebody has come who may have what could not be had. */
  hopeAgain(): void {
    for (const [pack, { readings }] of this.#failures) {
      if (readings === 0) this.#failures.delete(pack);
    }
  }
}
