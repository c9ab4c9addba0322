import type { AgentKey } from '../../../src/core/ids.ts';
import type { ControlDisk } from '../disk.ts';
import type { ControlChecker, ControlSeen } from '../observation.ts';

/** Nothing is decided that does not lie on the disks of a majority of the voters. */
export class QuorumHolds implements ControlChecker {
  readonly name = 'quorum-holds';
  readonly #diskOf: (agent: AgentKey) => ControlDisk | undefined;
  #checked = 0;

  constructor(diskOf: (agent: AgentKey) => ControlDisk | undefined) {
    this.#diskOf = diskOf;
  }

  observe(seen: ControlSeen): string | undefined {
    if (seen.kind !== 'applied' || seen.command.index <= this.#checked) return undefined;
    const { index, generation } = seen.command;
    this.#checked = index;
    const { voters } = seen.control.status().config;
    const own = this.#diskOf(seen.agent)?.log;
    if (own?.hard.generation !== generation) return undefined;
    const term = own.termAt(index);
    const holding = voters.filter((voter) => {
      const log = this.#diskOf(voter)?.log;
      if (log === undefined) return false;
      // It has left this log for that of a newer generation; what it had is gone with it.
      if (log.hard.generation > generation) return true;
      // What an unreadable entry has taken away was there when it was acknowledged.
      const isLost = log.lostUpTo !== undefined && log.lostUpTo >= index && log.lastIndex < index;
      return isLost || log.snapshot.index >= index || log.termAt(index) === term;
    });
    if (2 * holding.length > voters.length) return undefined;
    return `entry ${index} is applied, and ${holding.length} of ${voters.length} voters have it`;
  }
}
