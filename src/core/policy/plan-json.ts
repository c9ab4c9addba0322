import { assert } from '../../base/assert.ts';

/**
 * The one text of a value: keys sorted by UTF-16 units, no white space, whole numbers only (RFC 8785 with
 * the part left out where implementations differ). The caller gives plain data without cycles.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(',')}}`;
  }
  if (typeof value === 'number') assert(Number.isSafeInteger(value), 'numbers are whole');
  assert(['string', 'number', 'boolean'].includes(typeof value) || value === null, 'plain data');
  return JSON.stringify(value);
}
