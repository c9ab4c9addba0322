import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoopWatch } from '../../ports/loop-watch.ts';

/** A timer that is due this often shows how late the loop is; its own period is part of what is measured. */
const periodMs = 20;
const nsPerMs = 1e6;

/** Watches this thread from now on. */
export function watchLoop(): LoopWatch {
  const histogram = monitorEventLoopDelay({ resolution: periodMs });
  histogram.enable();
  return {
    // Nothing was measured yet: then nothing was late.
    p99Ms: () =>
      histogram.count === 0 ? 0 : Math.max(0, histogram.percentile(99) / nsPerMs - periodMs),
    [Symbol.dispose]: () => {
      histogram.disable();
    },
  };
}
