import { dayMs } from '../../base/units.ts';

/** Spans of time of which one snapshot is kept. All are those of UTC: no time zone moves them. */
export type Bucket = 'hour' | 'day' | 'week' | 'month' | 'year';

/** The spans with the field of a rule that counts them. */
export const bucketKinds = [
  { bucket: 'hour', field: 'keepHourly', word: 'hourly' },
  { bucket: 'day', field: 'keepDaily', word: 'daily' },
  { bucket: 'week', field: 'keepWeekly', word: 'weekly' },
  { bucket: 'month', field: 'keepMonthly', word: 'monthly' },
  { bucket: 'year', field: 'keepYearly', word: 'yearly' },
] as const;

/** Name of the span that a moment lies in, as people write it: "2026-W01" for a week (ISO 8601). */
export function bucketOf(ms: number, bucket: Bucket): string {
  const text = new Date(ms).toISOString();
  switch (bucket) {
    case 'hour':
      return `${text.slice(0, 10)} ${text.slice(11, 13)}h`;
    case 'day':
      return text.slice(0, 10);
    case 'month':
      return text.slice(0, 7);
    case 'year':
      return text.slice(0, 4);
    case 'week':
      return weekOf(ms);
  }
}

/** A week is of the year that its Thursday is in. */
function weekOf(ms: number): string {
  const date = new Date(ms);
  const weekday = (date.getUTCDay() + 6) % 7;
  const thursday = new Date(ms + (3 - weekday) * dayMs);
  const year = thursday.getUTCFullYear();
  const days = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / dayMs);
  return `${year}-W${String(Math.floor(days / 7) + 1).padStart(2, '0')}`;
}
