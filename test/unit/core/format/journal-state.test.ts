import { expect, test } from 'vitest';
import { JournalState } from '../../../../src/core/format/journal-state.ts';
import type { AgentKey } from '../../../../src/core/ids.ts';

const config = { voters: ['a'.repeat(64) as AgentKey], learners: [] };
const snapshot = { index: 0, term: 0, config, state: new Uint8Array(0) };

test('a newer generation ends the wait for what the log before it has lost', () => {
  const hard = { generation: 1, term: 2, votedFor: undefined };
  const state = new JournalState({ hard, snapshot, entries: [] }, 7, 2);
  state.apply({ hard: { ...hard, term: 3 } });
  expect(state.lostUpTo).toBe(7);
  state.apply({ hard: { generation: 2, term: 0, votedFor: undefined }, snapshot });
  expect(state.lostUpTo).toBeUndefined();
});
