import type { AgentKey } from '../core/ids.ts';
import type { Member } from '../core/protocol/roster.ts';
import type { Standing } from './standing.ts';

export type BackupsUnderWayOptions = {
  readonly members: () => readonly Pick<Member, 'agentKey' | 'site'>[];
  readonly standing: Pick<Standing, 'isLeaving'>;
};

/**
 * Backups that run on this host. Until it is signed nobody else knows what a snapshot will name, so whoever is to
 * leave has to ask: what a backup placed before it knew of that is needed where it lies.
 */
export class BackupsUnderWay {
  readonly #options: BackupsUnderWayOptions;
  /** For each backup, who was known to leave when it began. */
  readonly #running = new Set<ReadonlySet<AgentKey>>();

  constructor(options: BackupsUnderWayOptions) {
    this.#options = options;
  }

  /** @returns what is to be called when the snapshot is signed for, or never will be. */
  begin(): () => void {
    const known = this.#leaving();
    this.#running.add(known);
    return () => void this.#running.delete(known);
  }

  /** Backups that may have placed something at one of these. */
  needing(leaving: readonly AgentKey[]): number {
    return [...this.#running].filter((known) => leaving.some((agent) => !known.has(agent))).length;
  }

  /** It is known here that all of these leave, or have left. */
  knows(leaving: readonly AgentKey[]): boolean {
    const known = this.#leaving();
    const members = new Set(this.#options.members().map(({ agentKey }) => agentKey));
    return leaving.every((agent) => known.has(agent) || !members.has(agent));
  }

  #leaving(): ReadonlySet<AgentKey> {
    const { members, standing } = this.#options;
    const leaving = members().filter((member) => standing.isLeaving(member));
    return new Set(leaving.map(({ agentKey }) => agentKey));
  }
}
