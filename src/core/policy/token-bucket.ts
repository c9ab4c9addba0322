/** Bytes that may pass now; negative: more have passed than were due. */
export type TokenBucket = { readonly bytes: number; readonly atMs: number };

/** So much may be saved up while nothing passes: a line that was idle is not flooded when work begins. */
const savedMs = 250;
/** What passes without waiting leaves no greater debt: else much of it would stop everything else. */
const debtMsMax = 1000;

/** What has come in since, at this rate. The clock may not go back. */
export function filled(
  { bytes, atMs }: TokenBucket,
  bytesPerSecond: number,
  nowMs: number,
): TokenBucket {
  const due = bytes + (Math.max(0, nowMs - atMs) * bytesPerSecond) / 1000;
  return { bytes: Math.min(due, (bytesPerSecond * savedMs) / 1000), atMs: nowMs };
}

/** After so many have passed that had waited their turn: whatever their size, they leave a debt at most. */
export function passed(bucket: TokenBucket, bytes: number): TokenBucket {
  return { ...bucket, bytes: bucket.bytes - bytes };
}

/** After so many have passed that do not wait; what others owe already stays owed. */
export function charged(bucket: TokenBucket, bytes: number, bytesPerSecond: number): TokenBucket {
  const floor = Math.min(bucket.bytes, (-bytesPerSecond * debtMsMax) / 1000);
  return { ...bucket, bytes: Math.max(floor, bucket.bytes - bytes) };
}

/** Until the next may pass; 0: now. */
export function waitMs({ bytes }: TokenBucket, bytesPerSecond: number): number {
  return bytes > 0 ? 0 : Math.max(1, Math.ceil((-bytes * 1000) / bytesPerSecond));
}
