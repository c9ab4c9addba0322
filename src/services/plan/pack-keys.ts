import { mapLimit } from '../../base/concurrency.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotKeys } from '../../core/format/grant.ts';
import type { PackId } from '../../core/ids.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { DurabilityView } from '../durability-view.ts';
import type { FrameReader } from '../frame-reader.ts';
import type { ManifestRecord } from '../ledger.ts';

/** Heads of packs read at once: each is one small request. */
const packsAtOnce = 8;

/**
 * The keys of all packs of a snapshot, opened with the identities of `frames`: the epoch identity's holder
 * gives just these away, and not what opens every snapshot.
 * @throws HoldfastError not-found (the list of packs has not arrived) | too-few-shards | wrong-key | corrupt
 */
export async function collectPackKeys(options: {
  readonly record: ManifestRecord;
  readonly view: DurabilityView;
  readonly frames: FrameReader;
  readonly cancel?: Cancel;
}): Promise<SnapshotKeys> {
  const { record, view, frames, cancel } = options;
  const packs = await view.packs(record);
  if (packs === undefined) {
    throw new HoldfastError('not-found', 'the list of the packs of this snapshot is not here yet');
  }
  const keys = new Map<PackId, Uint8Array>();
  await mapLimit(packs, packsAtOnce, async ({ pack }) => {
    cancel?.signal?.throwIfAborted();
    keys.set(pack, await frames.packKey(pack));
  });
  return { dataset: record.manifest.dataset, snapshot: record.hash, keys };
}
