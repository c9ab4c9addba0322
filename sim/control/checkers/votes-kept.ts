import type { AgentKey } from '../../../src/core/ids.ts';
import type { ControlDisk } from '../disk.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/** A vote that is said lies on the voter's disk, the same; and nobody says two for one slot. */
export class VotesKept implements ControlChecker {
  readonly name = 'votes-kept';
  readonly #diskOf: (agent: AgentKey) => ControlDisk | undefined;

  readonly #isLiar: (agent: AgentKey) => boolean;

  constructor(
    diskOf: (agent: AgentKey) => ControlDisk | undefined,
    isLiar: (agent: AgentKey) => boolean,
  ) {
    this.#isLiar = isLiar;
    this.#diskOf = diskOf;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied' || seen.command.body.kind !== 'fence-vote') return undefined;
    const { findings, incarnations } = seen.control.state;
    const wrong = findings.equivocations.find(({ agent }) => !this.#isLiar(agent));
    if (wrong !== undefined) return wrong.reason;
    const { dataset, incarnation, generation } = seen.command.body;
    const known = incarnations.of(dataset);
    if (known?.incarnation !== incarnation) return undefined;
    const slot = `${generation}-${dataset}-${incarnation}`;
    const silent = known.slot?.votes.find(
      ({ voter }) => !this.#isLiar(voter) && !this.#diskOf(voter)?.votes.has(slot),
    );
    return silent && `${silent.voter.slice(0, 8)} has not kept its vote for ${slot}`;
  }
}
