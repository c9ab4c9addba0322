import { printable, utf8 } from '../base/bytes.ts';
import { KiB } from '../base/units.ts';
import { HoldfastError } from '../core/errors.ts';
import { kindOf } from '../core/format/tree.ts';
import type { PathPattern } from '../core/policy/path-pattern.ts';
import type { Cancel } from '../ports/runtime.ts';
import { FileContent } from './file-content.ts';
import { pathReport } from './path-report.ts';
import {
  joinPath,
  type Located,
  type SnapshotPath,
  type SnapshotReader,
} from './snapshot-reader.ts';

export type EntryReport = {
  path: string;
  /** Set when `path` is not exactly the path's bytes. */
  pathBase64?: string;
  kind: string;
  mode: number;
  uid: number;
  gid: number;
  user: string;
  group: string;
  size: number;
  /** Nanoseconds since 1970, decimal. */
  mtimeNs: string;
  target?: string;
};

/** Zeros of a hole given out at once. */
const zerosMax = 256 * KiB;

/** A directory's entries, with everything below them when `isRecursive`; the entry itself when it is none. */
export async function* listEntries(
  reader: SnapshotReader,
  options: { path: SnapshotPath; isRecursive: boolean } & Cancel,
): AsyncGenerator<EntryReport> {
  const { path, isRecursive, ...cancel } = options;
  const start = await reader.resolve(path, cancel);
  if (kindOf(start.mode) !== 'directory') {
    yield entryReport({ path, entry: start });
    return;
  }
  const walk = reader.walk(start.tree, { path, enters: () => isRecursive, ...cancel });
  for await (const located of walk) yield entryReport(located);
}

/** Every entry whose name, or whose path when the pattern has a slash, matches. */
export async function* findEntries(
  reader: SnapshotReader,
  options: { pattern: PathPattern } & Cancel,
): AsyncGenerator<EntryReport> {
  const { pattern, ...cancel } = options;
  const enters = ({ path }: Located): boolean => pattern.couldMatchBelow(joinPath(path));
  for await (const located of reader.walk(reader.root.tree, { enters, ...cancel })) {
    const isDirectory = kindOf(located.entry.mode) === 'directory';
    if (pattern.matches(joinPath(located.path), isDirectory)) yield entryReport(located);
  }
}

/** A file's content from start to end, holes as zeros. @throws HoldfastError usage when it is no file */
export async function* dumpFile(
  reader: SnapshotReader,
  options: { path: SnapshotPath } & Cancel,
): AsyncGenerator<Uint8Array> {
  const { path, ...cancel } = options;
  const entry = await reader.resolve(path, cancel);
  const kind = kindOf(entry.mode);
  if (kind !== 'file') {
    const name = printable(joinPath(path));
    throw new HoldfastError('usage', `${name} is a ${kind}, not a file`, {
      next: `holdfast restore SNAPSHOT:${name} --target DIRECTORY`,
    });
  }
  const content = new FileContent(reader);
  for await (const batch of content.batches(entry, cancel)) {
    for (const extent of batch) {
      if (extent.id === undefined) yield* zeros(extent.length);
      // A copy: the frame that a chunk is a view of is shared.
      else yield (await content.bytes(extent, cancel)).slice();
    }
  }
}

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= zerosMax) yield new Uint8Array(Math.min(left, zerosMax));
}

function entryReport({ path, entry }: Located): EntryReport {
  const report: EntryReport = {
    ...pathReport(joinPath(path)),
    kind: kindOf(entry.mode) ?? 'unknown',
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    user: shown(entry.user),
    group: shown(entry.group),
    size: entry.size,
    mtimeNs: entry.mtimeNs.toString(),
  };
  if (entry.target !== undefined) report.target = printable(entry.target);
  return report;
}

/** Names of users come from the source's files and may hold what must not reach a terminal. */
function shown(text: string): string {
  return printable(utf8(text));
}
