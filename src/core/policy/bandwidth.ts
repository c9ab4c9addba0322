import { type Hours, isWithin } from './load-window.ts';

/** Bytes a second that may be moved; 0: as many as can be. */
export type BandwidthLimits = { readonly upload: number; readonly download: number };

/** Other limits in some hours of the day. */
export type BandwidthWindow = Partial<BandwidthLimits> & { readonly hours: Hours };

/** The limits at a moment: of windows that overlap, the first that names a direction counts. */
export function limitsAt(
  usual: BandwidthLimits,
  windows: readonly BandwidthWindow[],
  nowMs: number,
): BandwidthLimits {
  const open = windows.filter(({ hours }) => isWithin(hours, nowMs));
  const of = (direction: keyof BandwidthLimits): number =>
    open.find((one) => one[direction] !== undefined)?.[direction] ?? usual[direction];
  return { upload: of('upload'), download: of('download') };
}

/** However busy a host is, care goes on: what rots meanwhile would be found too late. */
const shareMin = 1 / 16;

/**
 * The part of its usual pace at which care for what is stored (reading back, making shards anew) goes on.
 * @param load how many threads want to run, for each processor
 * @param loadMax from which on the host counts as busy; 0: never
 */
export function careShare(load: number, loadMax: number): number {
  if (loadMax <= 0 || load <= loadMax) return 1;
  return Math.max(shareMin, (loadMax / load) ** 2);
}
