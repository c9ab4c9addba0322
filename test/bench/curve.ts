/** Cost at growing sizes; a straight line in the plot, where both axes are logarithmic, of slope 1 is n. */
export type Curve = {
  readonly id: string;
  readonly title: string;
  /** What grows, and what is measured. */
  readonly columns: readonly [string, ...string[]];
  readonly points: readonly (readonly number[])[];
};

/** 1, 2 and 5 times the powers of ten, up to a largest value. */
export function steps(from: number, to: number): number[] {
  const found: number[] = [];
  for (let power = from; power <= to; power *= 10) {
    for (const factor of [1, 2, 5]) if (power * factor <= to) found.push(power * factor);
  }
  return found;
}
