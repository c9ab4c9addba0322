import { existsSync, readFileSync } from 'node:fs';
import { type AuditEntry, decodeAuditEntry } from '../../src/core/format/audit-entry.ts';
import type { Cluster } from './cluster.ts';

/** Of the newest; more than a short test makes. */
const entriesMax = 512;

/** What a site's audit log tells of one kind of thing, oldest first. */
export async function auditAt(
  cluster: Cluster,
  site: string,
  kind: AuditEntry['kind'],
): Promise<AuditEntry[]> {
  const api = cluster.api(site);
  const { size } = await api.auditHead();
  const from = Math.max(0, size - entriesMax);
  const { entries } = await api.auditEntries({ from, count: entriesMax });
  return entries
    .map((entry) => decodeAuditEntry(new Uint8Array(Buffer.from(entry, 'base64'))))
    .filter((entry) => entry.kind === kind);
}

/** Kinds of the alarms that the program of a configuration has written down, one a line. */
export function alarmsIn(file: string): string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
}
