import { shortId } from '../core/ids.ts';
import type { Durability } from '../core/policy/durability.ts';
import { incarnationOf } from '../services/dataset-lines.ts';
import type { Ledger, ManifestRecord } from '../services/ledger.ts';
import type { SnapshotReport } from './api.ts';

/** One line of `holdfast snapshots`. */
export function snapshotReport(
  ledger: Ledger,
  record: ManifestRecord,
  { state }: Durability,
  isOnLine: boolean,
): SnapshotReport {
  const { manifest, statement, hash } = record;
  const { totals } = manifest;
  const writer = ledger.roster.member(statement.writer);
  const dataset = ledger.roster.datasetOf(statement.writer, manifest.dataset);
  return {
    id: hash,
    shortId: shortId(hash),
    dataset: dataset?.name ?? manifest.dataset,
    source: writer?.name ?? shortId(statement.writer),
    host: manifest.host,
    timeMs: statement.timeMs,
    sequence: manifest.sequence,
    state,
    incarnation: incarnationOf(manifest),
    line: isOnLine ? 'main' : 'side',
    tags: [...manifest.tags],
    ...(manifest.annotations !== undefined && {
      annotations: Object.fromEntries(manifest.annotations.map(({ key, value }) => [key, value])),
    }),
    files: totals.files,
    directories: totals.directories,
    bytes: totals.bytes,
    bytesAdded: totals.bytesAdded,
    filesNew: totals.filesNew,
    filesChanged: totals.filesChanged,
    filesUnstable: totals.filesUnstable,
    durationMs: totals.durationMs,
  };
}
