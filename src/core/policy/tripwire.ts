import { formatSize } from '../../base/quantity.ts';
import { MiB } from '../../base/units.ts';
import type { Changes, Manifest } from '../format/records.ts';

/** When a snapshot counts as suspect, as a rule of the policy says it. Percentages; 0 switches a wire off. */
export type WireRule = {
  /** Of the files compared: rewritten since the snapshot before. */
  readonly changedPercent?: number;
  /** Of the files compared: gone. */
  readonly deletedPercent?: number;
  /** Percentage points by which new content is less compressible than that of the snapshots before. */
  readonly entropyPercent?: number;
};

/** What holds where the policy says nothing. */
export const defaultTripwires: Required<WireRule> = {
  changedPercent: 50,
  deletedPercent: 50,
  entropyPercent: 30,
};

/** Fewer files than this prove nothing: a person may well rewrite them all in a day. */
const comparedMin = 10;
/** New files named as ransomware names them: one may be a curiosity that somebody keeps. */
const namesMin = 3;
/** Below this much new content its density is chance. */
const denseSampleMin = 1 * MiB;

/** Why one snapshot is suspect: a wire, and what it has caught, in words for people. */
export type TrippedWire = {
  readonly wire: 'changed' | 'deleted' | 'entropy' | 'names' | 'canary';
  readonly reason: string;
};

/** What the clean snapshots of a line have stored so far, in bytes. */
export type LineHistory = {
  readonly snapshots: number;
  readonly bytesNew: number;
  readonly bytesDense: number;
};

export const noHistory: LineHistory = { snapshots: 0, bytesNew: 0, bytesDense: 0 };

/** The history with one more snapshot in it. */
export function withSnapshot(history: LineHistory, { bytesNew, bytesDense }: Changes): LineHistory {
  return {
    snapshots: history.snapshots + 1,
    bytesNew: history.bytesNew + bytesNew,
    bytesDense: history.bytesDense + bytesDense,
  };
}

/**
 * What looks like an attack in a snapshot, from the counts of its source. `before` is what the same line had
 * stored before it. Nothing is suspect in the first snapshot: there is nothing to compare with.
 *
 * A source that an attacker controls can lie here. What it cannot do is to have counted wrongly before it
 * was taken over: the wires catch attacks on files, not on the agent.
 */
export function trippedWires(
  manifest: Pick<Manifest, 'changes' | 'totals'>,
  before: LineHistory,
  rule: WireRule = {},
): readonly TrippedWire[] {
  if (before.snapshots === 0) return [];
  const { changedPercent, deletedPercent, entropyPercent } = { ...defaultTripwires, ...rule };
  const found = [
    canaryWire(manifest),
    namesWire(manifest),
    changedWire(manifest, changedPercent),
    deletedWire(manifest, deletedPercent),
    entropyWire(manifest, before, entropyPercent),
  ];
  return found.filter((wire) => wire !== undefined);
}

type Facts = Pick<Manifest, 'changes' | 'totals'>;

function canaryWire({ changes }: Facts): TrippedWire | undefined {
  const { canariesBroken } = changes;
  if (canariesBroken === 0) return undefined;
  const what = canariesBroken === 1 ? '1 canary file was' : `${canariesBroken} canary files were`;
  return { wire: 'canary', reason: `${what} changed or deleted` };
}

function namesWire({ changes }: Facts): TrippedWire | undefined {
  if (changes.namesSuspect < namesMin) return undefined;
  const reason = `${changes.namesSuspect} new files are named as ransomware names them`;
  return { wire: 'names', reason };
}

/** Rewritten, not only touched: most of what was read again had to be stored anew. */
function changedWire({ changes, totals }: Facts, percent: number): TrippedWire | undefined {
  const { filesCompared, bytesNew } = changes;
  if (percent === 0 || filesCompared < comparedMin) return undefined;
  if (totals.filesChanged * 100 < filesCompared * percent) return undefined;
  if (bytesNew * 2 < totals.bytesRead) return undefined;
  const share = Math.round((totals.filesChanged * 100) / filesCompared);
  const reason = `${share} % of ${filesCompared} files were rewritten (${formatSize(bytesNew)} of new content)`;
  return { wire: 'changed', reason };
}

/** A directory that was moved or renamed brings as many files whose content is known. */
function deletedWire({ changes, totals }: Facts, percent: number): TrippedWire | undefined {
  const { filesCompared, filesDeleted, bytesNew } = changes;
  if (percent === 0 || filesCompared < comparedMin) return undefined;
  if (filesDeleted * 100 < filesCompared * percent) return undefined;
  const isMove = totals.filesNew * 10 >= filesDeleted * 9 && bytesNew * 10 < totals.bytesRead;
  if (isMove) return undefined;
  const share = Math.round((filesDeleted * 100) / filesCompared);
  return { wire: 'deleted', reason: `${share} % of ${filesCompared} files are gone` };
}

/** Encrypted content cannot be compressed. Photos cannot either, so it counts only where old files went. */
function entropyWire(
  { changes, totals }: Facts,
  before: LineHistory,
  percent: number,
): TrippedWire | undefined {
  const { filesCompared, filesDeleted, bytesNew, bytesDense } = changes;
  if (percent === 0 || filesCompared < comparedMin || bytesNew < denseSampleMin) return undefined;
  if ((totals.filesChanged + filesDeleted) * 10 < filesCompared) return undefined;
  if (before.bytesNew < denseSampleMin) return undefined;
  const shareBefore = (before.bytesDense * 100) / before.bytesNew;
  const share = (bytesDense * 100) / bytesNew;
  if (share - shareBefore < percent) return undefined;
  const [now, then] = [Math.round(share), Math.round(shareBefore)];
  const reason = `${now} % of the new content cannot be compressed, ${then} % before`;
  return { wire: 'entropy', reason };
}
