import type { DatasetId } from '../../core/ids.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import type { RunRecord } from '../../core/protocol/control/plan-book.ts';

type Known = Pick<ControlState, 'incarnations' | 'members' | 'policy' | 'sites' | 'plans'>;

/** The site where the live copy of a dataset is, as far as the log knows it. */
export function homeSite(state: Known, dataset: DatasetId): string | undefined {
  const known = state.incarnations.of(dataset);
  const holder = known?.holder ?? known?.holders.at(-1)?.agent;
  return holder === undefined ? undefined : state.members.of(holder)?.site;
}

/**
 * True for a run that waits for its day: a failover rule names its plan, and the site of that rule's dataset
 * is not lost (or the policy does not let restores begin by themselves).
 */
export function isHeld(state: Known, { record, run }: RunRecord): boolean {
  if (run.state !== 'ready') return false;
  const { action, rules } = state.policy.current.failover;
  const named = rules.filter(({ plan }) => plan === record.hash);
  if (named.length === 0) return false;
  if (action !== 'restore') return true;
  const lost = state.sites.lost();
  return !named.some(({ dataset }) => lost.includes(homeSite(state, dataset) ?? ''));
}
