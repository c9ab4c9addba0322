import { dayMs, hourMs, minuteMs } from '../../base/units.ts';

/** A part of each day, UTC, as milliseconds after midnight; it may pass midnight. */
export type Hours = { readonly fromMs: number; readonly toMs: number };

const form = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;

/** The hours of "22:00-06:00"; undefined for anything else, and for no time at all. */
export function hoursOf(text: string): Hours | undefined {
  const [, ...parts] = form.exec(text) ?? [];
  const [fromHour, fromMinute, toHour, toMinute] = parts.map(Number);
  if (toMinute === undefined) return undefined;
  const at = (hour = 0, minute = 0): number => (hour * 60 + minute) * minuteMs;
  const hours = { fromMs: at(fromHour, fromMinute), toMs: at(toHour, toMinute) };
  return hours.fromMs === hours.toMs ? undefined : hours;
}

export function hoursText({ fromMs, toMs }: Hours): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = (ms: number): string =>
    `${two(Math.floor(ms / hourMs))}:${two(Math.floor((ms % hourMs) / minuteMs))}`;
  return `${time(fromMs)}-${time(toMs)}`;
}

/** Whether this moment (milliseconds since 1970) lies in the hours; in no hours at all it always does. */
export function isWithin(hours: Hours | undefined, nowMs: number): boolean {
  if (hours === undefined) return true;
  const time = nowMs % dayMs;
  const { fromMs, toMs } = hours;
  return fromMs < toMs ? time >= fromMs && time < toMs : time >= fromMs || time < toMs;
}
