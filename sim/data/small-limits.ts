import { KiB } from '../../src/base/units.ts';
import type { limits } from '../../src/core/limits.ts';

/**
 * Everything sixteen times smaller: a run has some hundred kilobytes of files, and must still have packs that
 * fill up, shards of several leaves and senders that wait. The same code runs; only its bounds move.
 */
const small = {
  packSizeTarget: 96 * KiB,
  packSizeMax: 384 * KiB,
  frameSizeTarget: 16 * KiB,
  /** The greatest chunk: four times the least average that the chunker knows. */
  frameSizeMax: 64 * KiB,
  leafSize: 4 * KiB,
  pullLeavesMax: 4,
  backupBytesInFlightMax: 192 * KiB,
} as const;

/** To be called on the limits of a program before anything of it runs. */
export function makeSmall(shipped: typeof limits): void {
  Object.assign(shipped, small);
}
