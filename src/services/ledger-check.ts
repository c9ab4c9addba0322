import { equal } from '../base/bytes.ts';
import { HoldfastError } from '../core/errors.ts';
import { type OpenedStatement, openStatement } from '../core/protocol/opened-statement.ts';
import type { LogHead } from '../ports/statement-log.ts';
import { forkedStream } from './fork-book.ts';
import type { Ledger } from './ledger.ts';

/** A statement on this host's disk that is not as its writer has signed it. */
export type BadStatement = {
  /** Key of the writer whose sequence it stands in. */
  readonly writer: string;
  readonly stream: string;
  readonly sequence: number;
  readonly problem: string;
};

/** Read at once: few enough that others have their turn between two of them. */
const batchSize = 32;

/**
 * Reads this host's own record of what everybody has signed again, every signature included: at a start it is taken
 * as it was written. Of each sequence the first bad statement is told; what follows it hangs on it.
 * @throws HoldfastError io-error | (the signal's reason)
 */
export async function badStatements(
  ledger: Pick<Ledger, 'cluster' | 'heads' | 'read'>,
  signal: AbortSignal,
): Promise<readonly BadStatement[]> {
  const found: BadStatement[] = [];
  for (const head of ledger.heads()) {
    const bad = await firstBad(ledger, head, signal);
    if (bad !== undefined) found.push(bad);
  }
  return found;
}

async function firstBad(
  ledger: Pick<Ledger, 'cluster' | 'read'>,
  head: LogHead,
  signal: AbortSignal,
): Promise<BadStatement | undefined> {
  const { writer, stream } = head;
  let previous: Uint8Array = new Uint8Array(32);
  let sequence = 1;
  try {
    while (sequence <= head.sequence) {
      signal.throwIfAborted();
      const envelopes = await ledger.read(writer, stream, sequence, batchSize);
      if (envelopes.length === 0) return { writer, stream, sequence, problem: 'it is not there' };
      for (const envelope of envelopes) {
        const opened = openStatement(envelope, ledger.cluster);
        const problem = misplaced(opened, { writer, stream, sequence, previous });
        if (problem !== undefined) return { writer, stream, sequence, problem };
        previous = opened.hash;
        sequence++;
      }
    }
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.exitCode !== 23) throw error;
    return { writer, stream, sequence, problem: error.message };
  }
  // The newest entry's hash is what peers are told.
  if (equal(previous, head.hash)) return undefined;
  return { writer, stream, sequence: head.sequence, problem: 'its hash is another one' };
}

type Place = {
  readonly writer: string;
  readonly stream: string;
  readonly sequence: number;
  readonly previous: Uint8Array;
};

function misplaced({ statement }: OpenedStatement, place: Place): string | undefined {
  if (statement.writer !== place.writer) return 'another writer has signed it';
  // Proof of a second history has the place of its finding, not its own.
  const forked = forkedStream(place.stream);
  if (statement.stream !== (forked ?? place.stream)) return 'it is of another sequence';
  if (forked !== undefined) return undefined;
  if (statement.sequence !== place.sequence) return 'it is of another place in its sequence';
  return equal(statement.previous, place.previous)
    ? undefined
    : 'it does not follow the one before it';
}
