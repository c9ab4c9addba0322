/** Of single requests, in milliseconds. */
export type Times = { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };

/** With few samples the 99th percentile is the largest one. */
export function timesOf(samplesMs: readonly number[]): Times {
  const sorted = [...samplesMs].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: sorted.at(-1) ?? 0 };
}
