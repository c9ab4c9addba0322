import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoopWatch } from '../../ports/loop-watch.ts';

/** A timer that is due this often shows how late the loop is; its own period is part of what is measured. */
const periodMs = 20;
const nsPerMs = 1e6;

/** Nobody uses these now. One takes 370 KB, which the collector knows nothing of: hundreds of backups left as many. */
const idle: ReturnType<typeof monitorEventLoopDelay>[] = [];

/** Watches this thread from now on. */
export function watchLoop(): LoopWatch {
  const histogram = idle.pop() ?? monitorEventLoopDelay({ resolution: periodMs });
  histogram.reset();
  histogram.enable();
  let isOver = false;
  return {
    // Nothing was measured yet: then nothing was late.
    p99Ms: () =>
      histogram.count === 0 ? 0 : Math.max(0, histogram.percentile(99) / nsPerMs - periodMs),
    [Symbol.dispose]: () => {
      if (isOver) return;
      isOver = true;
      histogram.disable();
      idle.push(histogram);
    },
  };
}
