import { dayMs } from '../../base/units.ts';

/** What this host's two clocks say at one moment. The monotonic one has no origin, and is trusted for its rate. */
export type ClockReading = { readonly wallMs: number; readonly monotonicMs: number };

/** What a member at another site says that the time is, carried on to now by the monotonic clock. */
export type PeerTime = { readonly site: string; readonly nowMs: number };

/** Why nothing is deleted here until an operator has looked. */
export type ClockFreeze = {
  /** Counts the freezes of this host, from 1: an operator acknowledges one of them. */
  readonly number: number;
  readonly reason: string;
  /** Conservative time when it began. */
  readonly sinceMs: number;
};

/** What a host knows of the time. */
export type HostTime = {
  /** Never falls; 0: not known yet. Deletion is judged by it. */
  readonly floorMs: number;
  readonly lastReading: ClockReading | undefined;
  /** How many times it has frozen, ever. */
  readonly freezes: number;
  readonly freeze: ClockFreeze | undefined;
};

/** Before anything is known. */
export const unknownTime: HostTime = {
  floorMs: 0,
  lastReading: undefined,
  freezes: 0,
  freeze: undefined,
};

/** A wall clock that moves this much more or less than the monotonic one was set, or its machine was rolled back. */
export const jumpMs = dayMs;

export type TimeInput = {
  readonly reading: ClockReading;
  /** Fresh words of members elsewhere. */
  readonly peers: readonly PeerTime[];
  /** Whether there are members elsewhere at all, who could be asked. */
  readonly hasOthers: boolean;
};

/**
 * What time it surely is at this host: max(floor, min(own clock, median of peers)). So a clock that was set ahead
 * unlocks nothing, nor do fewer than half of the other sites. While nobody answers, the monotonic clock carries
 * the time on: whoever cuts a host off must not be left alone with its clock.
 */
export function observeTime(time: HostTime, input: TimeInput): HostTime {
  const frozen = withJump(time, input.reading);
  const { reading } = input;
  const floorMs = Math.max(time.floorMs, candidate(time, input) ?? 0);
  return { ...frozen, floorMs: Math.floor(floorMs), lastReading: reading };
}

/**
 * Up to when it may be already: what begins now and is to last must not be cut short by a slow clock here.
 * 0 when nothing is known.
 */
export function latestTime(time: HostTime, { peers }: Pick<TimeInput, 'peers'>): number {
  return Math.max(time.floorMs, medianOfSites(peers) ?? 0);
}

/** An operator has acknowledged the freezes up to this number. */
export function thaw(time: HostTime, number: number): HostTime {
  if (time.freeze === undefined || number < time.freeze.number) return time;
  return { ...time, freeze: undefined };
}

/** Nothing may be deleted here any more, for this reason. The first one stands. */
export function freezeTime(time: HostTime, reason: string): HostTime {
  if (time.freeze !== undefined) return time;
  const number = time.freezes + 1;
  return { ...time, freezes: number, freeze: { number, reason, sinceMs: time.floorMs } };
}

/** Milliseconds by which the wall clock has moved more (or less) than the monotonic one. */
export function driftOf(from: ClockReading, to: ClockReading): number {
  return to.wallMs - from.wallMs - (to.monotonicMs - from.monotonicMs);
}

function withJump(time: HostTime, reading: ClockReading): HostTime {
  const { lastReading, floorMs } = time;
  if (lastReading === undefined) {
    // After a start: what passed while nobody looked is unknown, but time does not go back.
    if (reading.wallMs >= floorMs - jumpMs) return time;
    return freezeTime(
      time,
      `the clock of this host has gone back by ${days(floorMs - reading.wallMs)}`,
    );
  }
  const drift = driftOf(lastReading, reading);
  if (Math.abs(drift) <= jumpMs) return time;
  const direction = drift > 0 ? 'ahead' : 'back';
  return freezeTime(
    time,
    `the clock of this host has jumped ${direction} by ${days(Math.abs(drift))}`,
  );
}

function candidate(time: HostTime, { reading, peers, hasOthers }: TimeInput): number | undefined {
  const median = medianOfSites(peers);
  if (median !== undefined) return Math.min(reading.wallMs, median);
  if (!hasOthers) return reading.wallMs;
  const { lastReading, floorMs } = time;
  if (floorMs === 0 || lastReading === undefined) return undefined;
  return Math.min(reading.wallMs, floorMs + reading.monotonicMs - lastReading.monotonicMs);
}

/** One word a site, its lowest: hosts at one place are one owner's. Of an even number, the lower middle one. */
function medianOfSites(peers: readonly PeerTime[]): number | undefined {
  const bySite = new Map<string, number>();
  for (const { site, nowMs } of peers) {
    bySite.set(site, Math.min(nowMs, bySite.get(site) ?? Number.POSITIVE_INFINITY));
  }
  const sorted = [...bySite.values()].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1];
}

function days(ms: number): string {
  return `${(ms / dayMs).toFixed(1)} days`;
}
