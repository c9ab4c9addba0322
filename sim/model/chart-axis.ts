import { assert } from '../../src/base/assert.ts';

export type Axis = {
  readonly label: string;
  readonly scale: 'linear' | 'log';
  /** Text of a tick. */
  readonly tick?: (value: number) => string;
  /** Only these ticks, where the values are few and known. */
  readonly ticks?: readonly number[];
  readonly min?: number;
  readonly max?: number;
};

/** Where values lie along an axis, and which of them are written there. */
export type Ruler = {
  readonly ticks: readonly { readonly value: number; readonly text: string }[];
  /** From 0 to 1, bottom or left first; beyond that for values out of range. */
  at(value: number): number;
};

const linearTicks = 6;
const decadesMax = 8;

export function rulerOf(axis: Axis, values: readonly number[]): Ruler {
  const shown = values.filter((value) => axis.scale === 'linear' || value > 0);
  assert(shown.length > 0, 'an axis has values');
  const least = axis.min ?? Math.min(...shown);
  const most = axis.max ?? Math.max(...shown);
  const ticks = axis.ticks ?? (axis.scale === 'log' ? decades(least, most) : steps(least, most));
  const place = axis.scale === 'log' ? Math.log10 : (value: number): number => value;
  const from = place(Math.min(least, ticks[0] as number));
  const to = place(Math.max(most, ticks.at(-1) as number));
  const width = to - from || 1;
  const text = axis.tick ?? ((value: number): string => String(Number(value.toPrecision(6))));
  return {
    ticks: ticks.map((value) => ({ value, text: text(value) })),
    at: (value) => (place(value) - from) / width,
  };
}

/** Powers of ten around the range; every second, third.. where there are many. */
function decades(least: number, most: number): number[] {
  const from = Math.floor(Math.log10(least) + 1e-9);
  const to = Math.max(from + 1, Math.ceil(Math.log10(most) - 1e-9));
  const step = Math.ceil((to - from) / decadesMax);
  const ticks: number[] = [];
  for (let power = from; power < to + step; power += step) ticks.push(10 ** power);
  return ticks;
}

/** Round numbers around the range: steps of 1, 2 or 5 times a power of ten. */
function steps(least: number, most: number): number[] {
  const raw = (most - least || Math.abs(most) || 1) / linearTicks;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10) * power;
  const from = Math.floor(least / step + 1e-9);
  const to = Math.ceil(most / step - 1e-9);
  return Array.from({ length: to - from + 1 }, (_, i) => (from + i) * step);
}
