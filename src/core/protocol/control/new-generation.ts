import { openCommand } from '../../format/control-envelope.ts';
import { ControlState } from './control-state.ts';
import { refusal } from './refusal.ts';

/**
 * The state in which the log of the next generation begins: what the surviving log has led to, with new voters.
 * Whether it is the longest surviving log, and whether the notice has passed, is for the caller to judge.
 * - Abandoned agents never vote again.
 * - Open slots are dead: what their voters have said and the log does not hold is lost.
 * - Plans keep their marks, and need a new coordinator: older fences are lower than any new one.
 * - The layout is pinned to the new voters, until operators say otherwise.
 * `envelope`: the decree, signed for the generation that it begins; to be appended as the first command there.
 * The given state stays as it is.
 * @throws HoldfastError bad-encoding | bad-signature | not-permitted
 */
export function beginGeneration(state: ControlState, envelope: Uint8Array): ControlState {
  const { genesis, cluster } = state;
  const { command, generation, signers } = openCommand(envelope, cluster);
  const { body: decree, id, timeMs } = command;
  if (decree.kind !== 'decree') throw refusal('this command is no decree');
  const authors = state.authority.requireOperators(signers);
  if (decree.generation !== state.generation + 1 || generation !== decree.generation) {
    throw refusal(`a decree here begins generation ${state.generation + 1}`);
  }
  const notice = state.policy.current.decreeNoticeMs;
  if (decree.noticeMs < notice) throw refusal(`the policy asks for a notice of ${notice} ms`);
  const next = ControlState.decode(state.encode(), genesis, cluster);
  next.members.abandon(decree.abandoned);
  for (const voter of decree.voters) {
    const objection = next.members.voterObjection(voter);
    if (objection !== undefined) throw refusal(objection);
  }
  const { kind: _, ...value } = decree;
  next.decrees.add({ decree: value, authors, id, isLogged: false });
  next.config.set({ voters: decree.voters, learners: [] });
  next.vouches.restart(decree.voters);
  next.time.votersChanged();
  next.incarnations.closeSlots();
  next.leases.votersReplaced();
  next.plans.dropAssignments();
  next.proposals.endAll('it was signed for a generation that is over', 0);
  const { version } = next.layout.current;
  const layout = {
    version: version + 1,
    base: version,
    mode: 'pinned',
    voters: decree.voters,
  } as const;
  next.layout.add({ value: layout, authors, index: 0, timeMs });
  next.resume({ generation, lastIndex: 0, commandCount: 0 }, next.knownIds());
  return next;
}
