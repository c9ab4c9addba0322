import { join } from 'node:path';
import { openStatementLog } from '../../src/adapters/fs/statement-log.ts';
import { publicKeyOf } from '../../src/core/crypto/signature.ts';
import { sealEnvelope } from '../../src/core/format/envelope.ts';
import {
  encodeStatement,
  type Statement,
  type StatementBody,
  streamOf,
} from '../../src/core/format/statement.ts';
import { type AgentKey, type ClusterId, idOf } from '../../src/core/ids.ts';
import { generation } from '../../src/core/protocol/opened-statement.ts';
import { collectingLog } from './collecting-log.ts';

/** Signs any statement with any key. @returns its envelope, and the hash that names it. */
export function forge(
  cluster: ClusterId,
  secret: Uint8Array,
  statement: Omit<Statement, 'stream' | 'timeMs'>,
): { bytes: Uint8Array; hash: Uint8Array } {
  const { body } = statement;
  const payload = encodeStatement({ ...statement, stream: streamOf(body), timeMs: Date.now() });
  return sealEnvelope({ type: 'statement', cluster, generation, payload, secrets: [secret] });
}

/** Puts a statement at the end of an agent's own sequence, as nothing that the agent does would. */
export async function appendTo(
  stateDir: string,
  cluster: ClusterId,
  secret: Uint8Array,
  body: StatementBody,
): Promise<Uint8Array> {
  await using log = await openStatementLog(join(stateDir, 'statements'), collectingLog());
  const name = { writer: idOf<AgentKey>(publicKeyOf(secret)), stream: streamOf(body) };
  const head = log.head(name);
  const sequence = (head?.sequence ?? 0) + 1;
  const previous = head?.hash ?? new Uint8Array(32);
  const { writer } = name;
  const { bytes, hash } = forge(cluster, secret, { writer, sequence, previous, body });
  await log.append(name, { sequence, hash, envelope: bytes });
  return hash;
}
