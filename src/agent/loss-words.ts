import type { DatasetLossReport } from './upkeep-types.ts';

/** What becomes of a dataset, for people. */
export function lossWords({
  snapshots,
  lostSnapshots,
  packs,
  sitesMayFail,
  shards,
}: Omit<DatasetLossReport, 'words'>): string {
  if (packs === 0) return 'nothing of it is known here yet';
  if (lostSnapshots >= snapshots) return 'lost: no snapshot could be restored';
  const what =
    lostSnapshots === 0
      ? 'survives'
      : `${lostSnapshots} of ${snapshots} snapshots would be lost, the others survive`;
  const spare = sitesMayFail ?? 0;
  const more =
    spare <= 0
      ? 'no other site may fail'
      : `any ${spare} more ${spare === 1 ? 'site' : 'sites'} may fail`;
  return shards === 0
    ? `${what}, and nothing is to be made anew; then ${more}`
    : `${what}; until repaired, ${more}`;
}
