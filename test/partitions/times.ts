/** In milliseconds. */
export type Times = { readonly median: number; readonly p95: number; readonly worst: number };

export function timesOf(values: readonly number[]): Times {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN;
  return { median: at(0.5), p95: at(0.95), worst: at(1) };
}
