import type { ControlState } from '../core/protocol/control/control-state.ts';
import type { Member } from '../core/protocol/roster.ts';

/** Who is there to stay, as the control log says. */
export type Standing = {
  /** A majority of the voters has lost sight of the site for as long as the policy says. */
  isLost(site: string): boolean;
  /** Operators have asked it to leave: it keeps what it has until others have it, and gets nothing more. */
  isLeaving(member: Pick<Member, 'agentKey' | 'site'>): boolean;
};

/** Where no control log is known. */
export const everybodyStays: Standing = { isLost: () => false, isLeaving: () => false };

/** By the newest state that this host has applied. */
export function standingOf(state: () => Pick<ControlState, 'sites' | 'drains'>): Standing {
  return {
    isLost: (site) => state().sites.of(site)?.isLost === true,
    isLeaving: ({ agentKey, site }) => state().drains.isLeaving({ agent: agentKey, site }),
  };
}
