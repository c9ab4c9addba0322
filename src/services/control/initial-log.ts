import type { AgentKey } from '../../core/ids.ts';
import type { RaftStored } from '../../core/protocol/raft/types.ts';

/** What the journal of a new member begins with: the founder votes, and nothing has been said yet. */
export function initialLog(founder: AgentKey): RaftStored {
  const config = { voters: [founder], learners: [] };
  return {
    hard: { generation: 1, term: 0, votedFor: undefined },
    snapshot: { index: 0, term: 0, config, state: new Uint8Array(0) },
    entries: [],
  };
}
