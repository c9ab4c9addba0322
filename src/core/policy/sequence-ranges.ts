import type { SequenceRange } from '../format/control-records.ts';

/** Sets of snapshots of one sequence: ascending ranges that neither overlap nor touch. */
export type SequenceRanges = readonly SequenceRange[];

/** The set of these sequences, in any order. */
export function rangesOf(sequences: Iterable<number>): SequenceRanges {
  return joined([...sequences].map((one) => ({ first: one, last: one })));
}

/** Whether the sequence is in the set. */
export function hasSequence(ranges: SequenceRanges, sequence: number): boolean {
  return ranges.some(({ first, last }) => first <= sequence && sequence <= last);
}

/** How many sequences the set has. */
export function countOf(ranges: SequenceRanges): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

/** The first sequence that is in both sets; undefined: they have none in common. */
export function firstCommon(a: SequenceRanges, b: SequenceRanges): number | undefined {
  for (const one of a) {
    const other = b.find(({ first, last }) => first <= one.last && one.first <= last);
    if (other !== undefined) return Math.max(one.first, other.first);
  }
  return undefined;
}

/** What is in either set. */
export function union(a: SequenceRanges, b: SequenceRanges): SequenceRanges {
  return joined([...a, ...b]);
}

/** What is in the first set and not in the second. */
export function without(a: SequenceRanges, b: SequenceRanges): SequenceRanges {
  let left: SequenceRange[] = [...a];
  for (const cut of b) {
    left = left.flatMap(({ first, last }) => [
      ...(first < cut.first ? [{ first, last: Math.min(last, cut.first - 1) }] : []),
      ...(last > cut.last ? [{ first: Math.max(first, cut.last + 1), last }] : []),
    ]);
  }
  return left;
}

/** For people: "3, 5 to 9". */
export function rangesText(ranges: SequenceRanges): string {
  return ranges
    .map(({ first, last }) => (first === last ? String(first) : `${first} to ${last}`))
    .join(', ');
}

function joined(ranges: SequenceRange[]): SequenceRanges {
  const sorted = ranges.sort((a, b) => a.first - b.first);
  const result: SequenceRange[] = [];
  for (const range of sorted) {
    const before = result.at(-1);
    if (before === undefined || range.first > before.last + 1) result.push(range);
    else
      result[result.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
  }
  return result;
}
