import type { AgentKey } from '../../ids.ts';
import type { Holder } from './incarnation-book.ts';

/** A stretch of one writer's snapshots that belongs to a dataset's one history. */
export type LineSegment = {
  readonly writer: AgentKey;
  /** Under which its snapshots were written: their writer epoch less one. */
  readonly incarnation: number;
  /** Sequence of the last one that belongs to it; undefined: there is no last one yet. */
  readonly upTo: number | undefined;
};

type Written = {
  readonly writer: AgentKey;
  readonly incarnation: number;
  readonly sequence: number;
};

/**
 * The history that the newest holder continues, newest stretch first: its own snapshots, those of the holder before
 * up to the one from which it was restored, and so on. Whatever else was written is a side line: kept, and never
 * the newest. `incarnationOf`: of a snapshot, where it is known.
 */
export function lineOf(
  holders: readonly Holder[],
  incarnationOf: (snapshot: NonNullable<Holder['from']>) => number | undefined,
): LineSegment[] {
  const segments: LineSegment[] = [];
  let at = holders.length - 1;
  let upTo: number | undefined;
  while (at >= 0) {
    const holder = holders[at];
    if (holder === undefined) break;
    segments.push({ writer: holder.agent, incarnation: holder.incarnation, upTo });
    const { from } = holder;
    const writer = from?.writer ?? holder.agent;
    upTo = from?.sequence;
    const wanted = from === undefined ? undefined : incarnationOf(from);
    at = holders.findLastIndex(
      ({ agent, incarnation }, i) =>
        i < at && agent === writer && (wanted === undefined || incarnation === wanted),
    );
  }
  return segments;
}

/** Place of a snapshot in the line, from 0 for the newest stretch; undefined: it is on a side line. */
export function placeIn(
  line: readonly LineSegment[],
  { writer, incarnation, sequence }: Written,
): number | undefined {
  const place = line.findIndex(
    (one) =>
      one.writer === writer &&
      one.incarnation === incarnation &&
      (one.upTo === undefined || sequence <= one.upTo),
  );
  return place < 0 ? undefined : place;
}
