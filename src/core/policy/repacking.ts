/** A pack of which a source's newest snapshot needs little. */
export type RepackCandidate = {
  readonly ordinal: number;
  /** Plain bytes of its chunks that the snapshot needs, and of all. */
  readonly usedBytes: number;
  readonly chunkBytes: number;
};

/** How much of each pack may be dead, and how much one backup may store again. */
export type RepackRule = {
  /** Packs of which less than this is needed are to go; 0: none. */
  readonly belowPercent: number;
  readonly bytesMax: number;
};

/** Chunks that several files share are counted for each, so a pack is rather thought to be needed. */
export function isMostlyDead(
  { usedBytes, chunkBytes }: Omit<RepackCandidate, 'ordinal'>,
  { belowPercent }: Pick<RepackRule, 'belowPercent'>,
): boolean {
  return usedBytes * 100 < chunkBytes * belowPercent;
}

/** Which to give up now: those first of which least has to be stored again for what is won, never more than `bytesMax` in all. */
export function planRepacking(
  candidates: Iterable<RepackCandidate>,
  { bytesMax }: Pick<RepackRule, 'bytesMax'>,
): RepackCandidate[] {
  const share = ({ usedBytes, chunkBytes }: RepackCandidate): number => usedBytes / chunkBytes;
  const sorted = [...candidates].sort((a, b) => share(a) - share(b) || a.ordinal - b.ordinal);
  const planned: RepackCandidate[] = [];
  let bytes = 0;
  for (const candidate of sorted) {
    if (bytes + candidate.usedBytes > bytesMax) break;
    bytes += candidate.usedBytes;
    planned.push(candidate);
  }
  return planned;
}
