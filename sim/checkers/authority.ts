import { clusterStream, receiptStream } from '../../src/core/format/statement.ts';
import type { SimAgent } from '../agent.ts';
import { honest, liar, newcomers, operatorKey } from '../cast.ts';

const members: ReadonlySet<string> = new Set(
  [...honest, ...newcomers].map(({ agentKey }) => agentKey),
);

/**
 * Nothing is on an honest host's disk that nobody was entitled to say: no sequence of a stranger, no kind of
 * statement that its writer may not make, nothing of what the liar has invented (`lies`: hashes).
 */
export function authorityViolation(
  agents: readonly SimAgent[],
  lies: ReadonlySet<string>,
): string | undefined {
  for (const agent of agents) {
    for (const head of agent.disk.heads()) {
      const where = `${agent.name} has accepted ${head.writer.slice(0, 8)}/${head.stream}`;
      if (!maySay(head)) return `${where}, to which its writer is not entitled`;
      // What the liar has signed itself may serve as evidence against it.
      if (head.writer === liar.agentKey && head.stream.startsWith('forks/')) continue;
      const lie = agent.disk.hashes(head).find((hash) => lies.has(hash));
      if (lie !== undefined) return `${where}: an invention of the liar (${lie.slice(0, 8)})`;
    }
  }
  return undefined;
}

function maySay({ writer, stream }: { writer: string; stream: string }): boolean {
  const kind = stream.replace(/^forks\//, '');
  if (writer === operatorKey) return kind === clusterStream;
  if (writer === liar.agentKey) return kind !== receiptStream;
  return members.has(writer);
}
