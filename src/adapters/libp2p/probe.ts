import { randomBytes } from 'node:crypto';
import type { Connection } from '@libp2p/interface';
import { equal } from '../../base/bytes.ts';
import { secondMs } from '../../base/units.ts';
import { Deadline } from './deadline.ts';
import { errorOf } from './failure.ts';
import { finish, StreamReader, writeAll } from './stream-io.ts';

/** As registered by the ping service, see libp2p-node.ts. */
const protocol = '/holdfast/ping/1.0.0';
const finishMs = 5 * secondMs;

/**
 * A round trip over this very connection, in milliseconds. The ping service of libp2p takes whichever connection
 * of the peer comes first, and may dial. @throws HoldfastError timeout; errors of libp2p
 */
export async function probe(
  connection: Connection,
  limit: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<number> {
  using deadline = new Deadline({ ms: limit.timeoutMs, what: 'a ping', signal: limit.signal });
  try {
    const stream = await connection.newStream(protocol, {
      signal: deadline.signal,
      runOnLimitedConnection: true,
    });
    const onAbort = (): void => stream.abort(errorOf(deadline.signal.reason));
    deadline.signal.addEventListener('abort', onAbort, { once: true });
    const reader = new StreamReader(stream);
    const sent = Uint8Array.from(randomBytes(32));
    const start = performance.now();
    await writeAll(stream, sent, limit.timeoutMs);
    const received = await reader.readExactly(sent.length, limit.timeoutMs);
    const elapsedMs = performance.now() - start;
    deadline.signal.removeEventListener('abort', onAbort);
    void finish(stream, reader, finishMs).finally(() => reader[Symbol.dispose]());
    if (!equal(sent, received)) throw new Error('the answer to a ping has other bytes');
    return elapsedMs;
  } catch (error) {
    throw deadline.reasonOf(error);
  }
}
