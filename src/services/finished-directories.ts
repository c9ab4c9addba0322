import { Turn } from '../base/turn.ts';
import type { Clock } from '../ports/runtime.ts';
import type { DatasetIndex } from './dataset-index.ts';
import type { FinishedDirectory } from './tree-scan.ts';

/** Of directories that are remembered at once: the most that holds everybody else up. */
const entriesAtOnce = 1000;

/**
 * Has the catalog remember those finished directories whose packs are all durable by now.
 * @returns the others
 */
export async function rememberFinished(
  directories: readonly FinishedDirectory[],
  { index, clock }: { readonly index: DatasetIndex; readonly clock: Clock },
): Promise<FinishedDirectory[]> {
  const isDurable = ({ record }: FinishedDirectory): boolean =>
    [record, ...record.entries].every(({ packs }) => packs.every((one) => index.pack(one)));
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
    entries += 1 + directory.record.entries.length;
    if (entries >= entriesAtOnce) await remember();
  }
  await remember();
  return others;
}
