import { minuteMs, secondMs } from '../../base/units.ts';

/** How long to wait after so many failed attempts (from 1): 1 s, 2 s, 4 s ... 60 s. */
export function backOffMs(attempt: number): number {
  return Math.min(minuteMs, secondMs * 2 ** Math.min(attempt - 1, 16));
}
