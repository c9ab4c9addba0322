import type { BodyOf, CommandId, SnapshotSelection } from '../../format/control-records.ts';
import type { AgentKey, DatasetId } from '../../ids.ts';
import { limits } from '../../limits.ts';
import {
  firstCommon,
  hasSequence,
  rangesText,
  type SequenceRanges,
  union,
  without,
} from '../../policy/sequence-ranges.ts';
import type { AnchorBook } from './anchor-book.ts';
import { controlBounds } from './control-bounds.ts';
import { type Expiry, expiring, type Fate, noFate } from './fate.ts';
import type { HoldBook, isCovered } from './hold-book.ts';
import type { ControlMember, MemberBook } from './member-book.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';
import type { LogPlace, TimeBook, TimeWait } from './time-book.ts';

/** What the fate of snapshots depends on. */
export type FateContext = {
  readonly anchors: AnchorBook;
  readonly holds: HoldBook;
  readonly members: MemberBook;
  readonly time: TimeBook;
  readonly policy: {
    readonly current: {
      readonly expiry: { readonly vetoMs: number; readonly trashMs: number };
    };
  };
};

type StreamId = { readonly dataset: DatasetId; readonly writer: AgentKey };

/**
 * What becomes of snapshots: forgotten, on their way out, gone. Nothing here deletes anything: storage peers
 * read it, and judge again by their own locks and by what else needs the same packs.
 */
export class FateBook {
  readonly #context: FateContext;
  readonly #fates = new Map<string, Fate>();

  constructor(context: FateContext) {
    this.#context = context;
  }

  of(writer: AgentKey, dataset: DatasetId): Fate | undefined {
    return this.#fates.get(writer + dataset);
  }

  /** Sorted by writer, then dataset. */
  all(): readonly Fate[] {
    const sorted = [...this.#fates].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, fate]) => fate);
  }

  /** The snapshots may go. @throws HoldfastError not-permitted */
  checkForget(body: SnapshotSelection): Change {
    const fate = this.#known(body);
    const { ranges } = body;
    this.#requireAnchored(body, lastOf(ranges));
    refuseCommon(fate.gone, ranges, 'is gone already');
    refuseCommon(fate.forgotten, ranges, 'is forgotten already');
    this.#requireFree(body, ranges);
    const forgotten = union(fate.forgotten, ranges);
    return this.#change({ ...fate, forgotten, pinned: without(fate.pinned, ranges) });
  }

  /** The snapshots stay: they leave whatever was to be their end. @throws HoldfastError not-permitted */
  checkUndelete(body: SnapshotSelection): Change {
    const fate = this.#known(body);
    const { ranges } = body;
    this.#requireAnchored(body, lastOf(ranges));
    refuseCommon(fate.gone, ranges, 'is gone');
    return this.#change({
      ...saved(fate, ranges),
      forgotten: without(fate.forgotten, ranges),
      pinned: union(fate.pinned, ranges),
      unlocked: without(fate.unlocked, ranges),
    });
  }

  /** @throws HoldfastError not-permitted */
  checkExpire(body: BodyOf<'expire'>, proposer: AgentKey, id: CommandId): Change {
    const { head, ranges } = body;
    const fate = this.#known(head);
    const anchored = this.#context.anchors.of(head.writer, head.dataset)?.head;
    if (anchored?.hash !== head.hash || anchored.sequence !== head.sequence) {
      throw refusal('it was reckoned from another head than the anchored one');
    }
    // What restores begin from never expires, whatever a rule says.
    if (lastOf(ranges) >= head.sequence) throw refusal('the newest anchored snapshot stays');
    refuseCommon(fate.pinned, ranges, 'is to be kept');
    refuseCommon(fate.gone, ranges, 'is gone already');
    // A newer reckoning takes the place of one that nobody has confirmed.
    const expiries = fate.expiries.filter(({ stage }) => stage !== 'proposed');
    refuseCommon(expiring({ ...fate, expiries }), ranges, 'is on its way out already');
    if (fate.quarantine !== undefined) throw refusal('the dataset is in quarantine');
    if (expiries.length >= controlBounds.expiriesMax) throw refusal('too much expires at once');
    this.#requireFree(head, ranges);
    const expiry: Expiry = { id, head, ranges, proposer, stage: 'proposed', wait: undefined };
    return this.#change({ ...fate, expiries: [...expiries, expiry] });
  }

  /** `by`: undefined when operators sign. @throws HoldfastError not-permitted */
  checkConfirm(
    { expiry: id }: BodyOf<'confirm-expiry'>,
    by: ControlMember | undefined,
    place: CommandPlace,
  ): Change {
    const fate = this.all().find(({ expiries }) => expiries.some((one) => one.id === id));
    const expiry = fate?.expiries.find((one) => one.id === id);
    if (fate === undefined || expiry === undefined) throw refusal('there is no such expiry');
    if (expiry.stage !== 'proposed') throw refusal('it was confirmed before');
    if (fate.quarantine !== undefined) throw refusal('the dataset is in quarantine');
    this.#requireOther(by, expiry.proposer);
    this.#requireFree(fate, expiry.ranges);
    const { time, policy } = this.#context;
    const wait = time.begin(place, policy.current.expiry.vetoMs);
    return this.#change(withExpiry(fate, { ...expiry, stage: 'veto', wait }));
  }

  /** @throws HoldfastError not-permitted */
  checkUnlock(body: SnapshotSelection): Change {
    const fate = this.#known(body);
    const { ranges } = body;
    this.#requireAnchored(body, lastOf(ranges));
    refuseCommon(fate.gone, ranges, 'is gone');
    // Nobody is asked to sign what changes nothing.
    if (without(ranges, fate.unlocked).length === 0) {
      throw refusal(`snapshot ${rangesText(ranges)} is unlocked already`);
    }
    return this.#change({ ...fate, unlocked: union(fate.unlocked, ranges) });
  }

  /** What is under way stops, and nothing new begins. @throws HoldfastError not-permitted */
  checkQuarantine({ sequence, reason, ...id }: BodyOf<'quarantine'>, agent: AgentKey): Change {
    const fate = this.#known(id);
    const known = fate.quarantine;
    if (known !== undefined && known.sequence <= sequence) throw refusal('it is in quarantine');
    const expiries = fate.expiries.filter(({ stage }) => stage === 'trash' || stage === 'emptying');
    return this.#change({ ...fate, expiries, quarantine: { sequence, agent, reason } });
  }

  /** @throws HoldfastError not-permitted */
  checkClear(id: StreamId): Change {
    const fate = this.of(id.writer, id.dataset);
    if (fate?.quarantine === undefined) throw refusal('the dataset is not in quarantine');
    return this.#change({ ...fate, quarantine: undefined });
  }

  /** What is held leaves whatever was to be its end: to be called for a new hold. */
  hold(hold: Parameters<typeof isCovered>[0]): void {
    for (const fate of this.all()) {
      if (fate.dataset !== hold.dataset) continue;
      const { snapshot } = hold;
      if (snapshot === undefined) {
        const expiries = fate.expiries.filter(({ stage }) => stage === 'emptying');
        this.#set({ ...fate, expiries });
      } else if (snapshot.writer === fate.writer) {
        const { sequence } = snapshot;
        this.#set(saved(fate, [{ first: sequence, last: sequence }]));
      }
    }
  }

  /** Log time has been said: what has waited long enough goes on. */
  timePassed(place: LogPlace): void {
    for (const fate of this.all()) this.#set(this.#later(fate, place));
  }

  /** All that waits for log time. */
  waits(): readonly TimeWait[] {
    return [...this.#fates.values()].flatMap(({ expiries }) =>
      expiries.flatMap(({ wait }) => wait ?? []),
    );
  }

  load(fates: readonly Fate[]): void {
    this.#fates.clear();
    for (const fate of fates) this.#fates.set(fate.writer + fate.dataset, fate);
  }

  #later(fate: Fate, place: LogPlace): Fate {
    const { time, policy } = this.#context;
    let { gone, forgotten } = fate;
    const expiries: Expiry[] = [];
    for (const expiry of fate.expiries) {
      const wait = expiry.wait === undefined ? undefined : time.settled(expiry.wait);
      if (wait === undefined || !time.isOver(wait)) expiries.push({ ...expiry, wait });
      else if (expiry.stage === 'veto') {
        const next = time.begin(place, policy.current.expiry.trashMs);
        expiries.push({ ...expiry, stage: 'trash', wait: next });
      } else if (expiry.stage === 'trash') {
        gone = union(gone, expiry.ranges);
        forgotten = without(forgotten, expiry.ranges);
        const sites = this.#context.members.sites().length;
        const next = time.begin(place, sites * limits.deletionTurnMs);
        expiries.push({ ...expiry, stage: 'emptying', wait: next });
      }
    }
    return { ...fate, gone, forgotten, expiries };
  }

  #known({ dataset, writer }: StreamId): Fate {
    return this.of(writer, dataset) ?? noFate(dataset, writer);
  }

  #requireAnchored({ dataset, writer }: StreamId, last: number): void {
    const anchored = this.#context.anchors.of(writer, dataset)?.head.sequence ?? 0;
    if (last > anchored) throw refusal(`snapshot ${last} of this dataset is not anchored`);
  }

  /** No hold covers any of them. */
  #requireFree({ dataset, writer }: StreamId, ranges: SequenceRanges): void {
    const held = this.#context.holds.all().find((hold) => {
      if (hold.dataset !== dataset) return false;
      const { snapshot } = hold;
      if (snapshot === undefined) return true;
      return snapshot.writer === writer && hasSequence(ranges, snapshot.sequence);
    });
    if (held === undefined) return;
    const what = held.snapshot === undefined ? 'the dataset' : `snapshot ${held.snapshot.sequence}`;
    throw refusal(`${what} is held: ${held.reason}`);
  }

  /** One host, or one site's, must not do it alone; an operator answers only for a host that has no other. */
  #requireOther(by: ControlMember | undefined, proposer: AgentKey): void {
    const { members } = this.#context;
    if (by === undefined) {
      const others = members.all().filter(({ agent }) => agent !== proposer);
      if (others.some(keepsCount))
        throw refusal('another agent must reckon alike, not an operator');
      return;
    }
    if (by.agent === proposer) throw refusal('another agent must reckon alike');
    if (!keepsCount(by)) throw refusal(`"${by.name}" neither stores nor votes`);
    const hasSites = members.sites().length > 1;
    if (hasSites && members.of(proposer)?.site === by.site) {
      throw refusal('an agent at another site must reckon alike');
    }
  }

  #change(fate: Fate): Change {
    const isNew = !this.#fates.has(fate.writer + fate.dataset);
    if (isNew && this.#fates.size >= controlBounds.anchorsMax) throw refusal('too many datasets');
    const sets = [fate.forgotten, fate.pinned, fate.gone, fate.unlocked];
    if (sets.some((ranges) => ranges.length > controlBounds.rangesMax)) {
      throw refusal('the snapshots of this dataset are scattered too much');
    }
    return () => this.#set(fate);
  }

  #set(fate: Fate): void {
    this.#fates.set(fate.writer + fate.dataset, fate);
  }
}

/** Whether an agent keeps what expiry is reckoned from, for others than itself. */
function keepsCount({ roles }: ControlMember): boolean {
  return roles.some((role) => role === 'storage' || role === 'voter' || role === 'witness');
}

/** Out of everything that is under way. */
function saved(fate: Fate, ranges: SequenceRanges): Fate {
  const expiries = fate.expiries
    .map((expiry) =>
      expiry.stage === 'emptying' ? expiry : { ...expiry, ranges: without(expiry.ranges, ranges) },
    )
    .filter((expiry) => expiry.ranges.length > 0);
  return { ...fate, expiries };
}

function withExpiry(fate: Fate, changed: Expiry): Fate {
  const expiries = fate.expiries.map((one) => (one.id === changed.id ? changed : one));
  return { ...fate, expiries };
}

function refuseCommon(set: SequenceRanges, ranges: SequenceRanges, what: string): void {
  const sequence = firstCommon(ranges, set);
  if (sequence !== undefined) throw refusal(`snapshot ${sequence} ${what}`);
}

function lastOf(ranges: SequenceRanges): number {
  return ranges.at(-1)?.last ?? 0;
}
