import { availableParallelism, loadavg } from 'node:os';
import type { HostLoad } from '../../ports/host-load.ts';

/** By the load average of the kernel. */
export function systemLoad(): HostLoad {
  return { perProcessor: () => (loadavg()[0] ?? 0) / Math.max(1, availableParallelism()) };
}
