/** What shards are moved for, the most urgent first. Messages among agents never wait, so they are not in it. */
export const transferKinds = ['restore', 'repair', 'backup'] as const;
export type TransferKind = (typeof transferKinds)[number];

/** Of a kind that waits: its next transfer, and what more urgent ones have moved since its last. */
export type WaitingTransfer = { readonly bytes: number; readonly passedBytes: number };

/** One in so many bytes goes to what is less urgent: a restore of days must not end all backups. */
const floorShare = 16;

/** Which of those that wait goes next; undefined: none waits. */
export function nextTransfer(
  waiting: ReadonlyMap<TransferKind, WaitingTransfer>,
): TransferKind | undefined {
  const kinds = transferKinds.filter((kind) => waiting.has(kind));
  const starved = kinds.findLast((kind) => {
    const { bytes, passedBytes } = waiting.get(kind) as WaitingTransfer;
    return passedBytes >= bytes * (floorShare - 1);
  });
  return starved ?? kinds[0];
}
