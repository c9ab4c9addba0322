import type { MessageInitShape } from '@bufbuild/protobuf';
import { drainTargetFrom, drainTargetMessage } from '../../format/control-drain.ts';
import type { BodyOf, DrainTarget } from '../../format/control-records.ts';
import type { DrainCommand, DrainCommandSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import type { AgentKey } from '../../ids.ts';
import { controlBounds } from './control-bounds.ts';
import type { ControlMember, MemberBook } from './member-book.ts';
import { type Change, refusal } from './refusal.ts';

/** Who has been asked to leave: others take over what it holds, and it gets nothing more. */
export class DrainBook {
  readonly #agents = new Set<AgentKey>();
  readonly #sites = new Set<string>();

  isLeaving({ agent, site }: Pick<ControlMember, 'agent' | 'site'>): boolean {
    return this.#agents.has(agent) || this.#sites.has(site);
  }

  /** Agents, then sites, sorted. */
  all(): readonly DrainTarget[] {
    return [
      ...[...this.#agents].sort().map((agent) => ({ agent })),
      ...[...this.#sites].sort().map((site) => ({ site })),
    ];
  }

  /** @throws HoldfastError not-permitted */
  check({ target, isOver }: BodyOf<'drain'>, members: MemberBook): Change {
    if (this.#has(target) !== isOver) {
      throw refusal(isOver ? 'it has not been asked to leave' : 'it is leaving already');
    }
    if (isOver) return () => this.#set(target, false);
    const isMeant = (one: ControlMember): boolean =>
      'site' in target ? one.site === target.site : one.agent === target.agent;
    if (!members.all().some(isMeant)) throw refusal('there is no such member, or site');
    const staying = members
      .all()
      .filter((one) => one.roles.includes('storage') && !this.isLeaving(one));
    if (staying.every(isMeant)) {
      throw refusal('nobody else would be left to hold what it has');
    }
    if (this.#agents.size + this.#sites.size >= controlBounds.sitesMax) {
      throw refusal('too many have been asked to leave');
    }
    return () => this.#set(target, true);
  }

  #has(target: DrainTarget): boolean {
    return 'site' in target ? this.#sites.has(target.site) : this.#agents.has(target.agent);
  }

  #set(target: DrainTarget, isLeaving: boolean): void {
    if ('site' in target) change(this.#sites, target.site, isLeaving);
    else change(this.#agents, target.agent, isLeaving);
  }

  image(): MessageInitShape<typeof DrainCommandSchema>[] {
    return this.all().map((target) => ({ ...drainTargetMessage(target), isOver: false }));
  }

  load(images: readonly DrainCommand[]): void {
    this.#agents.clear();
    this.#sites.clear();
    for (const image of images) this.#set(drainTargetFrom(image), true);
  }
}

function change<One>(set: Set<One>, one: One, isIn: boolean): void {
  if (isIn) set.add(one);
  else set.delete(one);
}
