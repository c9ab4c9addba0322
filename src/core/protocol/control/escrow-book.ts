import { dayMs } from '../../../base/units.ts';
import type { BodyOf, Split, SplitId } from '../../format/control-records.ts';
import { splitId } from '../../format/recovery-share.ts';
import { type AgentKey, type ClusterId, shortId } from '../../ids.ts';
import type { EscrowFacts } from '../../policy/escrow-health.ts';
import type { MemberBook } from './member-book.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

type LogTime = { readonly nowMs: number };

/** Log time may be an hour old, and hosts' clocks are a little wrong. */
const proofAgeMaxMs = dayMs;

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
  checkProof(
    { split, share }: BodyOf<'share-proof'>,
    place: CommandPlace,
    { members, time }: { readonly members: MemberBook; readonly time: LogTime },
  ): Change {
    const { current } = this;
    if (current?.id !== split) throw refusal('the share is of another split than the newest');
    const custodian = current.custodians[share - 1];
    if (custodian === undefined) throw refusal(`the split has no share ${share}`);
    requireCustodian(custodian.key, place.signers, members);
    requireFresh(place, time);
    const { index, timeMs } = logTimed({ time }, place);
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

/** The share itself signs, and the host that brings it: only hosts of custodians are believed. */
function requireCustodian(key: AgentKey, signers: ReadonlySet<string>, members: MemberBook): void {
  const [host, ...more] = [...signers].filter((signer) => signer !== key);
  if (!signers.has(key) || host === undefined || more.length > 0) {
    throw refusal(
      'the key of the share and the host of a custodian must sign this, and nobody else',
    );
  }
  const member = members.of(host as AgentKey);
  if (member === undefined) throw refusal(`${shortId(host as AgentKey)} is no member`);
  if (!member.roles.includes('custodian')) {
    throw refusal(`"${member.name}" has not the role custodian`);
  }
}

/** An old proof that somebody has kept, or one that was made for later, shows nothing of now. */
function requireFresh({ timeMs }: CommandPlace, { nowMs }: LogTime): void {
  if (nowMs === 0 || Math.abs(timeMs - nowMs) <= proofAgeMaxMs) return;
  throw refusal('it was signed more than a day before or after now, as the log knows the time');
}

/** What the health of an escrow is judged by. */
export function escrowFacts(escrow: Escrow, kitVersion: number): EscrowFacts {
  const { threshold, timeMs, custodians, proofs } = escrow;
  return {
    ...{ threshold, timeMs, isOutdated: escrow.kitVersion !== kitVersion },
    custodians: custodians.map(({ name }, i) => ({ name, provedMs: proofs.get(i + 1)?.timeMs })),
  };
}

/** As the log knows the time: how long ago a custodian was heard is not for its own clock to say. */
export function logTimed({ time }: { readonly time: LogTime }, place: CommandPlace): CommandPlace {
  return time.nowMs === 0 ? place : { ...place, timeMs: time.nowMs };
}
