/** Data of its own, which somebody takes out, changes and hands in again: its keys stay as they are. */
const verbatim = 'document';

/** The same data with keys as JSON output has them: `freeBytes` becomes `free_bytes`. */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      key === verbatim ? inner : snakeCase(inner),
    ]),
  );
}

/** One line of JSON output. */
export function message(type: string, value: object): object {
  return { message_type: type, ...(snakeCase(value) as object) };
}

/** `path`, and the bytes where the path is no UTF-8. */
export function pathFields(entry: { path: string; pathBase64?: string }): object {
  return {
    path: entry.path,
    ...(entry.pathBase64 !== undefined && { path_b64: entry.pathBase64 }),
  };
}

/** ISO 8601 of nanoseconds since 1970, to the nanosecond. */
export function isoTime(nanoseconds: string): string {
  const total = BigInt(nanoseconds);
  const billion = 1_000_000_000n;
  const fraction = ((total % billion) + billion) % billion;
  const ms = Number((total - fraction) / 1_000_000n);
  // Outside the range of dates (a damaged or exotic timestamp) the number itself is all there is.
  if (Math.abs(ms) > 8.64e15) return nanoseconds;
  return `${new Date(ms).toISOString().slice(0, -5)}.${String(fraction).padStart(9, '0')}Z`;
}
