import type { AgentKey } from '../core/ids.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import type { Member } from '../core/protocol/roster.ts';

/** Who is there to stay: by the control log, and by what this host has seen for itself. */
export type Standing = {
  /** A majority of the voters has lost sight of the site for as long as the policy says. */
  isLost(site: string): boolean;
  /** Operators have asked it to leave: it keeps what it has until others have it, and gets nothing more. */
  isLeaving(member: Pick<Member, 'agentKey' | 'site'>): boolean;
  /** It did not show this host what it has signed for: what it says counts for nothing, though it may still be asked. */
  isFailing(agent: AgentKey): boolean;
};

/** Where no control log is known. */
export const everybodyStays: Standing = {
  isLost: () => false,
  isLeaving: () => false,
  isFailing: () => false,
};

/** By the newest state that this host has applied. */
export function standingOf(
  state: () => Pick<ControlState, 'sites' | 'drains'>,
  isFailing: Standing['isFailing'],
): Standing {
  return {
    isFailing,
    isLost: (site) => state().sites.of(site)?.isLost === true,
    isLeaving: ({ agentKey, site }) => state().drains.isLeaving({ agent: agentKey, site }),
  };
}
