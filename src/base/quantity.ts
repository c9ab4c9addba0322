import { dayMs, GiB, hourMs, KiB, MiB, minuteMs, secondMs } from './units.ts';

const TiB = 1024 * GiB;
const PiB = 1024 * TiB;

const sizeUnits = new Map<string, number>([
  ['', 1],
  ['k', KiB],
  ['m', MiB],
  ['g', GiB],
  ['t', TiB],
  ['p', PiB],
]);

const durationUnits = new Map<string, number>([
  ['ms', 1],
  ['s', secondMs],
  ['m', minuteMs],
  ['h', hourMs],
  ['d', dayMs],
  ['w', 7 * dayMs],
]);

/** Bytes of "10GiB", "10G", "512 k" or "1.5T" (units of 1024, case ignored); undefined when it is no size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const unit = sizeUnits.get((match[2] ?? '').toLowerCase());
  const size = Math.round(Number(match[1]) * (unit ?? Number.NaN));
  return Number.isSafeInteger(size) ? size : undefined;
}

/** Milliseconds of "24h", "1h30m", "500ms" or "2d"; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text.trim()) return undefined;
  let total = 0;
  for (const part of parts) total += Number(part[1]) * (durationUnits.get(part[2] ?? '') ?? 0);
  return Number.isSafeInteger(Math.round(total)) ? Math.round(total) : undefined;
}

/** Three digits and a unit of 1024: "17 B", "1.25 GiB". */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  // 999.5 would be printed as 1000 and then not fit three digits.
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return `${value} B`;
  const digits = Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** Running time as on a clock: "0:07", "12:30", "1:02:03". */
export function formatElapsed(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / secondMs));
  const two = (value: number): string => String(value).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A span of time in its two largest units: "40 s", "12 min", "3 h 20 min", "5 d 2 h". */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / secondMs));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair([hours, 'h'], [minutes % 60, 'min']);
  return pair([Math.floor(hours / 24), 'd'], [hours % 24, 'h']);
}

function pair(large: [number, string], small: [number, string]): string {
  const head = `${large[0]} ${large[1]}`;
  return small[0] === 0 ? head : `${head} ${small[0]} ${small[1]}`;
}
