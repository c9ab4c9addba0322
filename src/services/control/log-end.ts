import { ControlState } from '../../core/protocol/control/control-state.ts';
import { outdatedSoftware } from '../../core/protocol/control/format-book.ts';
import { decodeConfig } from '../../core/protocol/raft/config-codec.ts';
import type { RaftEntry, RaftStored, RaftWrite } from '../../core/protocol/raft/types.ts';

export type LogEnd = {
  readonly generation: number;
  readonly lastTerm: number;
  readonly lastIndex: number;
  readonly state: ControlState;
};

/** The entries that are durable here and not known to be committed: what a decree may have to count on. */
export class LogTail {
  #entries: RaftEntry[];

  constructor(stored: RaftStored) {
    this.#entries = [...stored.entries];
  }

  written({ snapshot, truncateFrom, append }: RaftWrite): void {
    if (truncateFrom !== undefined) {
      this.#entries = this.#entries.filter(({ index }) => index < truncateFrom);
    }
    if (append !== undefined) this.#entries.push(...append);
    if (snapshot !== undefined) this.applied(snapshot.index);
  }

  applied(upTo: number): void {
    this.#entries = this.#entries.filter(({ index }) => index > upTo);
  }

  /**
   * Where the log ends, and the state to which all of it leads; `state` itself stays as it is.
   * @throws HoldfastError outdated-software
   */
  end(state: ControlState, place: { index: number; term: number; generation: number }): LogEnd {
    const copy = ControlState.decode(state.encode(), state.genesis, state.cluster);
    const { generation } = place;
    let { index: lastIndex, term: lastTerm } = place;
    for (const { index, term, kind, payload } of this.#entries) {
      // What comes after it cannot be judged here: another host must say where the log ends.
      if (!copy.format.isKnown) throw outdatedSoftware(copy.format.current);
      if (kind === 'config') copy.applyConfig(decodeConfig(payload), index);
      if (kind === 'command') copy.apply({ generation, index, term, envelope: payload });
      lastIndex = index;
      lastTerm = term;
    }
    return { generation, lastTerm, lastIndex, state: copy };
  }
}
