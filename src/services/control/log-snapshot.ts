import { codeOf } from '../../core/errors.ts';
import { commandIn } from '../../core/format/control-peek.ts';
import type { ControlCommand } from '../../core/format/control-records.ts';
import { decodeLogImage } from '../../core/format/log-image.ts';
import { MerkleRange } from '../../core/format/merkle-range.ts';
import { ControlState } from '../../core/protocol/control/control-state.ts';
import type { RaftSnapshot } from '../../core/protocol/raft/types.ts';
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

/** Undefined for what no member can read: a leader may append anything, and it is void for all alike. */
export function readable(payload: Uint8Array): ControlCommand | undefined {
  try {
    return commandIn(payload);
  } catch (error) {
    if (codeOf(error) === 'bad-encoding') return undefined;
    throw error;
  }
}
