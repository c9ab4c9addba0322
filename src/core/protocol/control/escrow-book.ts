import type { BodyOf, Split, SplitId } from '../../format/control-records.ts';
import { splitId } from '../../format/recovery-share.ts';
import type { ClusterId } from '../../ids.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

/** When something was said, by the log and by its author's clock. */
export type Said = { readonly index: number; readonly timeMs: number };

/** A kit in shares, and when each custodian last showed that its share is still there. */
export type Escrow = Split & Said & { readonly id: SplitId; readonly proofs: Map<number, Said> };

/** Shares of the recovery kit. A new split takes the place of the one before. */
export class EscrowBook {
  readonly #cluster: ClusterId;
  current: Escrow | undefined;

  constructor(cluster: ClusterId) {
    this.#cluster = cluster;
  }

  /** @throws HoldfastError not-permitted */
  checkSplit(body: BodyOf<'split'>, kitVersion: number, place: CommandPlace): Change {
    if (body.kitVersion !== kitVersion) throw refusal('it splits a kit that is not in force');
    const { kind: _, ...split } = body;
    const { index, timeMs } = place;
    return () => this.take(split, { index, timeMs });
  }

  /** @throws HoldfastError not-permitted */
  checkProof({ split, share }: BodyOf<'share-proof'>, place: CommandPlace): Change {
    const { current } = this;
    if (current?.id !== split) throw refusal('the share is of another split than the newest');
    const custodian = current.custodians[share - 1];
    if (custodian === undefined) throw refusal(`the split has no share ${share}`);
    const isAlone = place.signers.size === 1 && place.signers.has(custodian.key);
    if (!isAlone) throw refusal(`the key of share ${share} must sign this alone`);
    const { index, timeMs } = place;
    return () => {
      current.proofs.set(share, { index, timeMs });
    };
  }

  take(split: Split, said: Said): void {
    const commitments = split.custodians.map(({ commitment }) => commitment);
    const id = splitId({ ...split, commitments, clusterId: this.#cluster });
    this.current = { ...split, ...said, id, proofs: new Map() };
  }
}

/** As the log knows the time: how long ago a custodian was heard is not for its own clock to say. */
export function logTimed(
  { time }: { readonly time: { readonly nowMs: number } },
  place: CommandPlace,
): CommandPlace {
  return time.nowMs === 0 ? place : { ...place, timeMs: time.nowMs };
}
