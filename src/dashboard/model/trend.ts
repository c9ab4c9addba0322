import type { DrillEntry } from '../../agent/drill-types.ts';
import { formatSpan } from '../../base/quantity.ts';
import { type Tone, when } from './words.ts';

export type Point = {
  readonly x: number;
  readonly y: number;
  readonly tone: Tone;
  readonly words: string;
};

export type Trend = {
  readonly points: readonly Point[];
  /** An SVG path through them. */
  readonly line: string;
  /** Of the objective in force at the newest. */
  readonly targetY: number | undefined;
  readonly max: string;
};

/** One measure of the drills of a dataset over time, in a drawing of this size; the newest at the right. */
export function trendOf(
  drills: readonly DrillEntry[],
  measure: 'rto' | 'rpo',
  { width, height }: { width: number; height: number },
): Trend {
  const values = drills.flatMap(({ timeMs, report }) => {
    const value = measure === 'rto' ? report.times.rtoMs : report.times.rpoMs;
    return value === undefined ? [] : [{ timeMs, value, outcome: report.outcome }];
  });
  const objectives = drills.at(-1)?.report.objectives;
  const target = measure === 'rto' ? objectives?.rtoMs : objectives?.rpoMs;
  const top = 1.15 * Math.max(1, target ?? 0, ...values.map(({ value }) => value));
  const [inset, bottom] = [10, 10];
  const y = (value: number): number => bottom + (1 - value / top) * (height - 2 * bottom);
  // By their order, not by their time: drills of one afternoon would lie on one another.
  const step = (width - 2 * inset) / Math.max(1, values.length - 1);
  const points = values.map(({ value, outcome, timeMs }, i): Point => {
    const tone = outcome === 'passed' ? 'good' : outcome === 'missed' ? 'warn' : 'bad';
    const moment = when(timeMs);
    return {
      x: inset + i * step,
      y: y(value),
      tone,
      words: `${moment}: ${spanWords(value)}, ${outcome}`,
    };
  });
  const line = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${point.x} ${point.y}`).join('');
  return {
    points,
    line,
    targetY: target === undefined ? undefined : y(target),
    max: spanWords(top),
  };
}

/** Also of less than a second. */
export function spanWords(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : formatSpan(ms);
}
