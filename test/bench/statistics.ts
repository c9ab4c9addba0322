/** Median of at least one number. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** Three digits. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '?';
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** "4.10 (3.98 to 5.19)"; the spread only where there are several. */
export function withSpread(values: readonly number[]): string {
  const middle = short(median(values));
  if (values.length < 2) return middle;
  return `${middle} (${short(Math.min(...values))} to ${short(Math.max(...values))})`;
}
