import type { AgentKey } from '../../../src/core/ids.ts';
import type { ControlDisk } from '../disk.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/** A vote that is said lies on the voter's disk, the same; and nobody says two for one slot. */
export class VotesKept implements ControlChecker {
  readonly name = 'votes-kept';
  readonly #diskOf: (agent: AgentKey) => ControlDisk | undefined;

  constructor(diskOf: (agent: AgentKey) => ControlDisk | undefined) {
    this.#diskOf = diskOf;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied' || seen.command.body.kind !== 'fence-vote') return undefined;
    const { findings, incarnations } = seen.control.state;
    const [equivocation] = findings.equivocations;
    if (equivocation !== undefined) return equivocation.reason;
    const { dataset, incarnation, generation } = seen.command.body;
    const known = incarnations.of(dataset);
    if (known?.incarnation !== incarnation) return undefined;
    const slot = `${generation}-${dataset}-${incarnation}`;
    const silent = known.slot?.votes.find(({ voter }) => !this.#diskOf(voter)?.votes.has(slot));
    return silent && `${silent.voter.slice(0, 8)} has not kept its vote for ${slot}`;
  }
}
