import {
  type BandwidthLimits,
  type BandwidthWindow,
  careShare,
  limitsAt,
} from '../core/policy/bandwidth.ts';
import type { HostLoad } from '../ports/host-load.ts';
import type { Clock } from '../ports/runtime.ts';
import { Throttle } from './throttle.ts';

export type BandwidthOptions = {
  readonly clock: Clock;
  readonly limits: BandwidthLimits;
  readonly windows: readonly BandwidthWindow[];
  /** Undefined: nobody can tell how busy this host is. */
  readonly load: HostLoad | undefined;
  /** From which load on care is slowed down; 0: never. */
  readonly loadMax: number;
};

/** What this host may move, and how fast it may care for what it stores. */
export class Bandwidth {
  readonly upload: Throttle;
  readonly download: Throttle;
  readonly #options: BandwidthOptions;
  /** Said by a person since the start: it goes before the configuration. */
  #said: Partial<BandwidthLimits> = {};

  constructor(options: BandwidthOptions) {
    this.#options = options;
    this.upload = new Throttle(options.clock, () => this.limits.upload);
    this.download = new Throttle(options.clock, () => this.limits.download);
  }

  /** Now. */
  get limits(): BandwidthLimits {
    const { limits, windows, clock } = this.#options;
    return { ...limitsAt(limits, windows, clock.nowMs()), ...this.#said };
  }

  get said(): Partial<BandwidthLimits> {
    return this.#said;
  }

  /** Until the agent stops; an empty wish takes back what was said. */
  say(wish: Partial<BandwidthLimits>): void {
    this.#said = Object.keys(wish).length === 0 ? {} : { ...this.#said, ...wish };
  }

  get load(): number {
    return this.#options.load?.perProcessor() ?? 0;
  }

  /** 0 to 1: of the usual pace of reading back and of repairs. */
  get careShare(): number {
    return careShare(this.load, this.#options.loadMax);
  }
}
