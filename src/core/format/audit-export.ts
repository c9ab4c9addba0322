import { equal, fromUtf8 } from '../../base/bytes.ts';
import type { AgentKey } from '../ids.ts';
import { auditCosigner, auditLogOf, auditSigner } from './audit-checkpoint.ts';
import { type AuditEntry, decodeAuditEntry } from './audit-entry.ts';
import { decodeCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import { bundlePath, entriesIn, type LogTile, logTiles } from './log-tile.ts';
import { leafHashOf, logRoot } from './merkle-log.ts';
import { decodeNote } from './signed-note.ts';

const bundleWidth = 256;

/** The files of an exported log: tiles, and the checkpoint that belongs to just these entries. */
export function* auditExport(
  entries: readonly Uint8Array[],
  checkpoint: string,
): Generator<LogTile> {
  yield { path: 'checkpoint', bytes: new TextEncoder().encode(checkpoint) };
  yield* logTiles(entries, entries.map(leafHashOf));
}

/** What an exported log shows to somebody who has nothing but it. */
export type AuditExportVerdict =
  | {
      readonly kind: 'verified';
      readonly agent: AgentKey;
      readonly number: number;
      readonly entries: readonly AuditEntry[];
      /** Of the members given, who have cosigned. */
      readonly cosigners: readonly AgentKey[];
    }
  | { readonly kind: 'bad'; readonly reason: string };

/**
 * Checks an export: every entry, every hash in every tile, the root, the signature of the agent whose log it is,
 * and those of the members that cosigned. Never throws for what the files hold.
 * @param read the bytes of a file by its path; undefined: there is none
 */
export function verifyAuditExport(
  read: (path: string) => Uint8Array | undefined,
  members: readonly AgentKey[],
): AuditExportVerdict {
  const bad = (reason: string): AuditExportVerdict => ({ kind: 'bad', reason });
  const bytes = read('checkpoint');
  const note = bytes === undefined ? undefined : fromUtf8(bytes);
  if (note === undefined) return bad('there is no checkpoint');
  try {
    const { origin, size, root } = decodeCheckpoint(decodeNote(note).text);
    const name = auditLogOf(origin);
    if (name === undefined) return bad('the checkpoint is of another kind of log');
    const encoded = entriesOf(read, size);
    if (encoded === undefined) return bad('entries are missing');
    const leaves = encoded.map(leafHashOf);
    if (
      !equal(
        logRoot(size, (i) => leaves[i] as Uint8Array),
        root,
      )
    ) {
      return bad('the entries are not those that the checkpoint was signed over');
    }
    for (const { path, bytes: expected } of logTiles(encoded, leaves)) {
      const found = read(path);
      if (found === undefined || !equal(found, expected)) return bad(`${path} does not fit`);
    }
    const verdict = verifyCheckpoint(note, {
      origin,
      keys: [auditSigner(name.agent), ...members.map(auditCosigner)],
      threshold: 1,
    });
    if (verdict.kind !== 'verified') return bad(`the checkpoint: ${verdict.kind}`);
    const signed = verdict.signatures.map(({ by }) => by);
    if (!signed.some(({ key, type }) => key === name.agent && type === 'ed25519')) {
      return bad('the agent whose log it is has not signed');
    }
    const cosigners = signed.filter(({ type }) => type === 'cosignature').map(({ key }) => key);
    const entries = encoded.map(decodeAuditEntry);
    return { kind: 'verified', agent: name.agent, number: name.number, entries, cosigners };
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    return bad(error.message);
  }
}

function entriesOf(
  read: (path: string) => Uint8Array | undefined,
  size: number,
): Uint8Array[] | undefined {
  const entries: Uint8Array[] = [];
  while (entries.length < size) {
    const count = Math.min(bundleWidth, size - entries.length);
    const bundle = read(bundlePath(entries.length / bundleWidth, count));
    if (bundle === undefined) return undefined;
    const found = entriesIn(bundle);
    if (found.length !== count) return undefined;
    entries.push(...found);
  }
  return entries;
}
