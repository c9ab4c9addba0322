/** Characters of a recipient that people see: enough to compare its beginning. */
const recipientShown = 40;

/** For people: documents as JSON, other bytes in hexadecimal. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    const text = Buffer.from(value);
    try {
      return JSON.parse(text.toString('utf8'));
    } catch {
      return text.toString('hex');
    }
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

/** For `JSON.stringify`: hybrid recipients have 2000 characters, which `--json` gives whole. */
export function shortened(_key: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith('age1')) return value;
  if (value.length <= 2 * recipientShown) return value;
  return `${value.slice(0, recipientShown)}... (${value.length} characters; whole with --json)`;
}
