import { dayMs } from '../../base/units.ts';

/** A custodian shows every quarter that its share is still there. */
export const proofPeriodMs = 92 * dayMs;
/** So long before, it is asked for. */
const askedBeforeMs = 14 * dayMs;

/** Shares of the kit, by log time. */
export type EscrowFacts = {
  readonly threshold: number;
  /** When the kit was split: nobody has to show a share before a quarter has passed. */
  readonly timeMs: number;
  /** The kit was renewed since: these shares open nothing. */
  readonly isOutdated: boolean;
  readonly custodians: readonly { readonly name: string; readonly provedMs: number | undefined }[];
};

export type CustodianHealth = {
  readonly name: string;
  /** Undefined: never. */
  readonly provedMs: number | undefined;
  readonly dueMs: number;
  readonly isOverdue: boolean;
};

/**
 * - `recoverable`: every share was shown lately; `due`: some must be soon.
 * - `overdue`: some were not, and more than enough were; `bare`: just enough were.
 * - `lost`: too few were, or they are of a kit that counts no more.
 */
export type EscrowState = 'recoverable' | 'due' | 'overdue' | 'bare' | 'lost';

export type EscrowHealth = {
  readonly state: EscrowState;
  /** Custodians that have shown their share lately, or have had no time yet to do so. */
  readonly alive: number;
  readonly custodians: readonly CustodianHealth[];
  /** One sentence, with what to do; undefined: nothing needs to be done. */
  readonly words: string | undefined;
};

/** Whether the kit can still be made out of its shares, as far as custodians have shown. `nowMs`: log time. */
export function escrowHealth(facts: EscrowFacts, nowMs: number): EscrowHealth {
  const custodians = facts.custodians.map(({ name, provedMs }) => {
    const dueMs = (provedMs ?? facts.timeMs) + proofPeriodMs;
    return { name, provedMs, dueMs, isOverdue: nowMs > dueMs };
  });
  const late = custodians.filter(({ isOverdue }) => isOverdue);
  const soon = custodians.filter((one) => !one.isOverdue && nowMs > one.dueMs - askedBeforeMs);
  const alive = custodians.length - late.length;
  const state = stateOf(facts, { alive, late: late.length, soon: soon.length });
  const words = wordsOf(state, facts, { alive, late, soon });
  return { state, alive, custodians, words };
}

function stateOf(
  { threshold, isOutdated }: EscrowFacts,
  { alive, late, soon }: { alive: number; late: number; soon: number },
): EscrowState {
  if (isOutdated || alive < threshold) return 'lost';
  if (late > 0) return alive === threshold ? 'bare' : 'overdue';
  return soon > 0 ? 'due' : 'recoverable';
}

type Names = readonly { readonly name: string }[];

function wordsOf(
  state: EscrowState,
  { threshold, isOutdated, custodians }: EscrowFacts,
  { alive, late, soon }: { alive: number; late: Names; soon: Names },
): string | undefined {
  const next = 'ask them to run holdfast key prove SHARE';
  const overdue = `overdue: ${namesOf(late)}: ${next}`;
  switch (state) {
    case 'recoverable':
      return undefined;
    case 'due':
      return `shares must be shown within ${askedBeforeMs / dayMs} days by ${namesOf(soon)}: ${next}`;
    case 'overdue':
      return `shares have not been shown for a quarter; ${overdue}`;
    case 'bare':
      return `no custodian may be lost any more: just ${threshold} shares are shown; ${overdue}`;
    case 'lost':
      if (isOutdated) {
        return 'the shares that custodians hold are of a kit that was replaced: holdfast key split';
      }
      return `the kit may no longer be recoverable from its custodians: ${alive} of ${custodians.length} have shown their share within a quarter, ${threshold} are needed; ${overdue}, or split the kit anew: holdfast key split`;
  }
}

function namesOf(names: Names): string {
  return names.map(({ name }) => name).join(', ');
}
