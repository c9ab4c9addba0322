import type { AgentKey } from '../core/ids.ts';
import { badStatements } from '../services/ledger-check.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import type { Agent } from './agent.ts';
import type { CheckEvent, CheckRequest } from './check-types.ts';
import { contradictions } from './contradictions.ts';

type BadRecord = Extract<CheckEvent, { type: 'bad-record' }>;

/**
 * What is wrong with what was signed: writers of these snapshots that contradict themselves; files of statements that
 * were damaged; and where data is read, every statement on this host's disk that is not as its writer has signed it.
 */
export async function* badRecords(
  agent: Agent,
  { readData, dataset }: CheckRequest,
  { records, signal }: { records: readonly ManifestRecord[]; signal: AbortSignal },
): AsyncGenerator<BadRecord> {
  const writers = new Set<string>(records.map(({ statement }) => statement.writer));
  for (const { writer, writerKey, text } of contradictions(agent)) {
    if (dataset !== undefined && !writers.has(writerKey)) continue;
    yield bad(writer, `${text}: its statements there are frozen, and nothing of it expires`);
  }
  for (const name of await agent.ledger.putAside()) {
    yield bad(`statements/${name}`, 'was damaged and put aside; others have given it again');
  }
  if (!readData) return;
  for (const { writer, stream, sequence, problem } of await badStatements(agent.ledger, signal)) {
    const name = agent.nameOf(writer as AgentKey);
    yield bad(`statement ${sequence} of ${name} in ${stream}`, problem);
  }
}

function bad(record: string, problem: string): BadRecord {
  return { type: 'bad-record', record, problem };
}
