import { secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { planMessages } from '../../core/log-messages/plan.ts';
import type { Incarnation } from '../../core/protocol/control/incarnation-book.ts';
import type { Slot } from '../../core/protocol/control/slot.ts';
import type { FenceStore } from '../../ports/fence-store.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { ControlAccess } from '../control/control-access.ts';
import { Bell } from './bell.ts';
import { problemIn } from './run-view.ts';

export type FenceVoterOptions = {
  readonly control: ControlAccess;
  readonly fences: FenceStore;
  readonly clock: Clock;
  readonly log: Log;
};

const lookMs = 1 * secondMs;

type OpenSlot = Incarnation & { readonly slot: Slot };

/**
 * Gives this voter's word on every slot that the log opens: for the candidate that the applied entry names, or
 * against it when an operator has given the slot up by then; and only once. The word is durable before it is said, so that no crash and no forked log can make
 * this host sign two.
 */
export class FenceVoter {
  readonly #options: FenceVoterOptions;
  readonly #bell = new Bell();
  /** Slots on which the log did not take this host's word: saying it again would change nothing. */
  readonly #refused = new Set<string>();

  constructor(options: FenceVoterOptions) {
    this.#options = options;
  }

  /** Votes until the signal. */
  async run({ signal }: Cancel): Promise<void> {
    const { control, clock } = this.#options;
    const options = signal === undefined ? {} : { signal };
    const release = control.onApplied(({ body }) => {
      if (['promote', 'abandon', 'plan-decision'].includes(body.kind)) this.#bell.ring();
    });
    try {
      while (signal?.aborted !== true) {
        for (const known of this.#openSlots()) await this.#tryVote(known, options);
        await this.#bell.wait(clock, lookMs, options);
      }
    } finally {
      release();
    }
  }

  /** A vote that cannot be given now is given at another look. */
  async #tryVote(known: OpenSlot, options: Cancel): Promise<void> {
    try {
      await this.#vote(known, options);
    } catch (error) {
      const problem = problemIn(error, options);
      if (problem === undefined) return;
      const context = { dataset: known.dataset, code: problem.code, problem: problem.message };
      this.#options.log.log('warn', planMessages.voteNotYetGiven, context);
    }
  }

  #openSlots(): OpenSlot[] {
    const { control } = this.#options;
    return control.state.incarnations.contested().flatMap((known): OpenSlot[] => {
      const { slot } = known;
      if (slot === undefined || !slot.voters.includes(control.self)) return [];
      if (slot.votes.some(({ voter }) => voter === control.self)) return [];
      return this.#refused.has(slotName(known, slot)) ? [] : [{ ...known, slot }];
    });
  }

  async #vote(known: OpenSlot, options: Cancel): Promise<void> {
    const { control, fences, log } = this.#options;
    const { dataset, incarnation, slot } = known;
    const { generation, fence } = slot;
    const name = slotName(known, slot);
    // What has been said once stands, whatever the log wants by now.
    const said = await fences.vote(name);
    const isGrant = said === undefined ? !slot.isGivenUp : said.target !== undefined;
    const target = isGrant ? slot.target : undefined;
    try {
      await fences.castVote(name, { target, fence });
    } catch (error) {
      if (codeOf(error) !== 'equivocation') throw error;
      // Two logs have named two candidates. What this host has said stands; the other is for people to see.
      this.#refused.add(name);
      log.log('error', planMessages.anotherVoteAskedFor, { dataset, incarnation });
      return;
    }
    const body = { kind: 'fence-vote', dataset, incarnation, generation, target, fence } as const;
    const result = await control.submit(body, options);
    if (result.outcome === 'applied') return;
    this.#refused.add(name);
    const context = { dataset, incarnation, reason: result.reason };
    log.log('info', planMessages.voteNotNeeded, context);
  }
}

function slotName({ dataset, incarnation }: Incarnation, { generation }: Slot): string {
  return `${generation}-${dataset}-${incarnation}`;
}
