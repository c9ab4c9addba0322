import type { PackType } from '../../core/format/frame.ts';
import type { PackId } from '../../core/ids.ts';
import type { DurabilityView } from '../../services/durability-view.ts';
import type { ManifestRecord } from '../../services/ledger.ts';
import type { OpenedSnapshot } from '../../services/snapshot-session.ts';
import { ChunkUseCount } from '../../services/stats/chunk-use.ts';
import type { DatasetUse } from '../stats-types.ts';

export type UseOptions = {
  readonly view: Pick<DurabilityView, 'packs'>;
  readonly open: (record: ManifestRecord) => Promise<OpenedSnapshot>;
  readonly signal: AbortSignal;
};

/** What these snapshots of one dataset need of the packs that they name: every directory is read. */
export async function useOf(
  records: readonly ManifestRecord[],
  { view, open, signal }: UseOptions,
): Promise<Pick<DatasetUse, 'snapshots' | 'data' | 'metadata'>> {
  const count = new ChunkUseCount();
  const types = new Map<PackId, PackType>();
  for (const record of records) {
    for (const { pack, type } of (await view.packs(record)) ?? []) types.set(pack, type);
    const opened = await open(record);
    await using _ = opened.frames;
    await count.add(opened, { signal });
  }
  const of = (type: PackType) => count.result((pack) => types.get(pack) === type);
  return { snapshots: records.length, data: of('data'), metadata: of('metadata') };
}
