import { codeOf } from '../../core/errors.ts';
import { commandIn } from '../../core/format/control-peek.ts';
import type { ControlCommand } from '../../core/format/control-records.ts';
import { decodeLogImage, encodeLogImage } from '../../core/format/log-image.ts';
import { MerkleRange } from '../../core/format/merkle-range.ts';
import type { AgentKey } from '../../core/ids.ts';
import { ControlState } from '../../core/protocol/control/control-state.ts';
import type { RaftSnapshot, RaftStored } from '../../core/protocol/raft/types.ts';
import type { Ledger } from '../ledger.ts';

/** What a snapshot of the log holds: no bytes stand for the log before its first entry. @throws HoldfastError */
export function snapshotState(
  { state: bytes }: RaftSnapshot,
  { roster, cluster }: Ledger,
): { state: ControlState; tree: MerkleRange } {
  const { genesis } = roster;
  // Before the first entry.
  if (bytes.length === 0) {
    return { state: new ControlState(genesis, cluster), tree: MerkleRange.empty() };
  }
  const { tree, state } = decodeLogImage(bytes);
  return { state: ControlState.decode(state, genesis, cluster), tree };
}

/** The log of a generation before its first entry: a state, and who votes. */
export function firstOf(state: ControlState, voters: readonly AgentKey[]): RaftStored {
  const image = encodeLogImage({ tree: MerkleRange.empty(), state: state.encode() });
  return {
    hard: { generation: state.generation, term: 0, votedFor: undefined },
    snapshot: { index: 0, term: 0, config: { voters, learners: [] }, state: image },
    entries: [],
  };
}

/** Undefined for what no member can read: a leader may append anything, and it is void for all alike. */
export function readable(payload: Uint8Array): ControlCommand | undefined {
  try {
    return commandIn(payload);
  } catch (error) {
    if (codeOf(error) === 'bad-encoding') return undefined;
    throw error;
  }
}
