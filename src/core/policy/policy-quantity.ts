import { dayMs, GiB, hourMs, KiB, MiB, minuteMs, secondMs } from '../../base/units.ts';

// Largest first, so that a text is as short as it can be.
const durations: readonly (readonly [string, number])[] = [
  ['y', 365 * dayMs],
  ['w', 7 * dayMs],
  ['d', dayMs],
  ['h', hourMs],
  ['m', minuteMs],
  ['s', secondMs],
];

const sizes: readonly (readonly [string, number])[] = [
  ['TiB', 1024 * GiB],
  ['GiB', GiB],
  ['MiB', MiB],
  ['KiB', KiB],
  ['B', 1],
];

/** Milliseconds of "72h": a whole number and one of s, m, h, d, w, y (365 days); undefined for anything else. */
export function durationOf(text: string): number | undefined {
  return amountOf(/^(0|[1-9]\d{0,9})([smhdwy])$/.exec(text), durations);
}

/** Bytes of "50GiB": a whole number and one of B, KiB, MiB, GiB, TiB; undefined for anything else. */
export function sizeOf(text: string): number | undefined {
  return amountOf(/^(0|[1-9]\d{0,15})(B|[KMGT]iB)$/.exec(text), sizes);
}

/** The text of whole seconds, in the largest unit that leaves no rest: "90m". Undefined for a part of a second. */
export function durationText(ms: number): string | undefined {
  const unit = durations.find(([, factor]) => ms % factor === 0);
  if (ms === 0) return '0s';
  return unit === undefined ? undefined : `${ms / unit[1]}${unit[0]}`;
}

/** The text of whole bytes, in the largest unit that leaves no rest: "50GiB". */
export function sizeText(bytes: number): string {
  const unit = sizes.find(([, factor]) => bytes % factor === 0);
  return bytes === 0 || unit === undefined ? `${bytes}B` : `${bytes / unit[1]}${unit[0]}`;
}

function amountOf(
  match: RegExpExecArray | null,
  units: readonly (readonly [string, number])[],
): number | undefined {
  const factor = units.find(([name]) => name === match?.[2])?.[1];
  if (factor === undefined) return undefined;
  const amount = Number(match?.[1]) * factor;
  return Number.isSafeInteger(amount) ? amount : undefined;
}
