import { Turn } from '../base/turn.ts';
import { type CatalogRecord, encodeCatalogRecord } from '../core/format/catalog-record.ts';
import type { Clock } from '../ports/runtime.ts';
import type { DatasetIndex } from './dataset-index.ts';

/**
 * A directory whose stream is stored, and what the catalog shall remember of it: encoded, since hundreds of thousands
 * of entries may wait for their pack of metadata, and as objects each would take a kilobyte.
 */
export type FinishedDirectory = {
  readonly path: Uint8Array;
  /** A `CatalogRecord`. */
  readonly encoded: Uint8Array;
  /** Of all packs that it names. */
  readonly ordinals: readonly number[];
  readonly entries: number;
};

/** Of directories that are remembered at once: the most that holds everybody else up. */
const entriesAtOnce = 1000;

export function finishedDirectory(path: Uint8Array, record: CatalogRecord): FinishedDirectory {
  const ordinals = new Set(record.packs);
  for (const { packs } of record.entries) for (const one of packs) ordinals.add(one);
  const encoded = encodeCatalogRecord(record);
  return { path, encoded, ordinals: [...ordinals], entries: record.entries.length };
}

/**
 * Has the catalog remember those finished directories whose packs are all durable by now.
 * @returns the others
 */
export async function rememberFinished(
  directories: readonly FinishedDirectory[],
  { index, clock }: { readonly index: DatasetIndex; readonly clock: Clock },
): Promise<FinishedDirectory[]> {
  const isDurable = ({ ordinals }: FinishedDirectory): boolean =>
    ordinals.every((one) => index.pack(one) !== undefined);
  const turn = new Turn(clock);
  const others: FinishedDirectory[] = [];
  let ready: FinishedDirectory[] = [];
  let entries = 0;
  const remember = async (): Promise<void> => {
    if (ready.length > 0) await index.rememberDirectories(ready);
    ready = [];
    entries = 0;
  };
  for (const directory of directories) {
    if (turn.isOver) await turn.end();
    if (!isDurable(directory)) {
      others.push(directory);
      continue;
    }
    ready.push(directory);
    entries += 1 + directory.entries;
    if (entries >= entriesAtOnce) await remember();
  }
  await remember();
  return others;
}
