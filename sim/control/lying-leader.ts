import { utf8 } from '../../src/base/bytes.ts';
import { decodeRequest, encodeRequest } from '../../src/core/format/exchange.ts';
import { decodeRaftMessage, encodeRaftMessage } from '../../src/core/format/raft-message.ts';
import type { RaftEntry, RaftMessageBody } from '../../src/core/protocol/raft/types.ts';
import type { Prng } from '../prng.ts';

type Append = Extract<RaftMessageBody, { kind: 'append-request' }>;

export type LyingLeaderOptions = {
  readonly random: Prng;
  /** A command that nobody with authority has signed. */
  readonly forge: () => Uint8Array;
  readonly onLie: (what: string) => void;
};

/** Of a thousand appends. */
const liesPerMille = 300;

/**
 * Alters what a leader sends to its followers, each of which hears something else: entries in another order, forged
 * or unreadable ones, more committed than is. Its own log is as it was, so it is believed again later.
 */
export class LyingLeader {
  readonly #options: LyingLeaderOptions;

  constructor(options: LyingLeaderOptions) {
    this.#options = options;
  }

  /** What leaves the host in the place of a request. */
  alter(request: Uint8Array): Uint8Array {
    const { body } = decodeRequest(request);
    if (body.case !== 'raft') return request;
    const message = decodeRaftMessage(body.value.message);
    const append = message.body;
    if (append.kind !== 'append-request' || append.entries.length === 0) return request;
    if (!this.#options.random.chance(liesPerMille)) return request;
    const value = { message: encodeRaftMessage({ ...message, body: this.#altered(append) }) };
    return encodeRequest({ body: { case: 'raft', value } });
  }

  #altered(append: Append): Append {
    const { random, forge, onLie } = this.#options;
    const { entries } = append;
    const commands = entries.filter(({ kind }) => kind === 'command');
    const [first, second] = commands;
    switch (random.pick(['order', 'forgery', 'noise', 'commit'] as const)) {
      case 'order':
        if (first === undefined || second === undefined) return append;
        onLie('entries in another order');
        return replaced(append, [
          { ...first, payload: second.payload },
          { ...second, payload: first.payload },
        ]);
      case 'forgery':
        if (first === undefined) return append;
        onLie('a forged entry');
        return replaced(append, [{ ...first, payload: forge() }]);
      case 'noise':
        if (first === undefined) return append;
        onLie('an entry that nobody can read');
        return replaced(append, [{ ...first, payload: utf8('noise') }]);
      case 'commit': {
        const commit = append.previousIndex + entries.length;
        if (commit <= append.commit) return append;
        onLie('more committed than is');
        return { ...append, commit };
      }
    }
  }
}

/** The same with these in their places. */
function replaced(append: Append, changed: readonly RaftEntry[]): Append {
  const entries = append.entries.map(
    (entry) => changed.find(({ index }) => index === entry.index) ?? entry,
  );
  return { ...append, entries };
}
