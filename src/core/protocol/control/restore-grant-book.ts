import { controlLimits } from '../../format/control-limits.ts';
import type { BodyOf, CommandHash, RestoreRequest } from '../../format/control-records.ts';
import type { AgentKey } from '../../ids.ts';
import { controlBounds } from './control-bounds.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';
import { ended, isGrantUnderWay, type RestoreGrant } from './restore-grant.ts';
import type { TimeBook, TimeWait } from './time-book.ts';

/** What operators let agents restore, one snapshot at a time: each grant opens once, and for so long. */
export class RestoreGrantBook {
  readonly #time: TimeBook;
  readonly #grants = new Map<CommandHash, RestoreGrant>();

  constructor(time: TimeBook) {
    this.#time = time;
  }

  /** Oldest first; of those that have ended, the newest controlBounds.endedGrantsMax. */
  all(): readonly RestoreGrant[] {
    return [...this.#grants.values()];
  }

  of(id: CommandHash): RestoreGrant | undefined {
    return this.#grants.get(id);
  }

  waits(): readonly TimeWait[] {
    return this.#underWay().map(({ wait }) => wait);
  }

  /** Enough operators have signed the request. @throws HoldfastError not-permitted */
  checkApproved(
    id: CommandHash,
    request: RestoreRequest,
    { index, timeMs, approvals, ...at }: CommandPlace & { readonly approvals: readonly AgentKey[] },
  ): Change {
    if (this.#grants.has(id)) throw refusal('this request was approved before');
    if (this.#underWay().length >= controlBounds.grantsMax)
      throw refusal('too many grants are open');
    const wait = this.#time.begin({ ...at, index }, controlLimits.resealMaxMs);
    const begun = { useIndex: 0, endIndex: 0, reason: '', grant: undefined };
    const grant = { id, request, approvals, index, timeMs, wait, ...begun };
    return () => this.#set({ ...grant, state: 'approved' });
  }

  /** @throws HoldfastError not-permitted */
  checkKeys(body: BodyOf<'restore-grant'>, by: AgentKey, place: CommandPlace): Change {
    const found = this.#require(body.request);
    if (found.state !== 'approved') throw refusal(`the grant is ${found.state}`);
    const { kind: _, ...keys } = body;
    const wait = this.#time.begin(place, found.request.lastsMs);
    const grant = { keys, by, index: place.index };
    return () => this.#set({ ...found, state: 'granted', wait, grant });
  }

  /** granted -> in-use. @throws HoldfastError not-permitted */
  checkUse(body: BodyOf<'restore-use'>, agent: AgentKey, { index }: CommandPlace): Change {
    const found = this.#require(body.request);
    this.#requireAgent(found, agent);
    if (found.state === 'approved') throw refusal('nobody has resealed the keys yet');
    if (found.state !== 'granted') throw refusal(`the grant is ${found.state}`);
    return () => this.#set({ ...found, state: 'in-use', useIndex: index });
  }

  /** `agent`: undefined when an operator ends it. @throws HoldfastError not-permitted */
  checkEnd(
    body: BodyOf<'restore-end'>,
    agent: AgentKey | undefined,
    { index }: CommandPlace,
  ): Change {
    const found = this.#require(body.request);
    if (agent !== undefined) this.#requireAgent(found, agent);
    if (!isGrantUnderWay(found)) throw refusal(`the grant is ${found.state}`);
    const { outcome: state, reason } = body;
    if (state === 'used' && found.state !== 'in-use') throw refusal('it is not in use');
    return () => this.#set(ended(found, { state, reason, endIndex: index }));
  }

  /** Lets waits begin, and ends what has had its time. To be called after each command. */
  settle({ index }: { readonly index: number }): void {
    for (const grant of this.#underWay()) {
      const wait = this.#time.settled(grant.wait);
      if (this.#time.isOver(wait)) {
        this.#set(ended(grant, { state: 'expired', endIndex: index, reason: '' }));
      } else if (wait !== grant.wait) {
        this.#set({ ...grant, wait });
      }
    }
  }

  load(grants: readonly RestoreGrant[]): void {
    this.#grants.clear();
    for (const grant of grants) this.#grants.set(grant.id, grant);
  }

  #underWay(): RestoreGrant[] {
    return this.all().filter(isGrantUnderWay);
  }

  #require(id: CommandHash): RestoreGrant {
    const found = this.#grants.get(id);
    if (found === undefined) throw refusal('there is no such approved request');
    return found;
  }

  #requireAgent({ request }: RestoreGrant, agent: AgentKey): void {
    if (request.agent !== agent) throw refusal('it was granted to another agent');
  }

  /** In the place of the one of the same id, else as the newest. */
  #set(grant: RestoreGrant): void {
    this.#grants.set(grant.id, grant);
    const over = this.all().filter((one) => !isGrantUnderWay(one));
    const surplus = Math.max(0, over.length - controlBounds.endedGrantsMax);
    for (const { id } of over.slice(0, surplus)) this.#grants.delete(id);
  }
}
