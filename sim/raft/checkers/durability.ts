import type { RaftMessage } from '../../../src/core/protocol/raft/types.ts';
import type { RaftDisk } from '../disk.ts';
import type { Checker, Observation } from '../observation.ts';

/** Nothing leaves, and nothing is applied, that rests on what is not on the disk at that moment. */
export class Durability implements Checker {
  readonly name = 'durability';

  observe(seen: Observation): string | undefined {
    if (seen.kind === 'sent') return this.#sent(seen.message, seen.disk);
    if (seen.kind !== 'applied') return undefined;
    const { entry, disk } = seen;
    if (disk.termAt(entry.index) === entry.term) return undefined;
    return `index ${entry.index} is applied before it is durable`;
  }

  #sent({ body, term, from, to }: RaftMessage, disk: RaftDisk): string | undefined {
    const isPreVoteRequest = body.kind === 'vote-request' && body.isPreVote;
    if (!isPreVoteRequest && term !== disk.hard.term) return `term ${term} is not durable`;
    switch (body.kind) {
      case 'vote-request':
        if (disk.lostUpTo !== undefined) return 'it stands although its log has a hole';
        if (body.isPreVote || disk.hard.votedFor === from) return undefined;
        return 'the vote for itself is not durable';
      case 'vote-response':
        if (!body.isGranted) return undefined;
        if (disk.lostUpTo !== undefined) return 'it votes although its log has a hole';
        if (body.isPreVote || disk.hard.votedFor === to) return undefined;
        return 'the vote is not durable';
      case 'append-response':
        if (!body.isAccepted || body.matchIndex <= disk.lastIndex) return undefined;
        return `index ${body.matchIndex} is acknowledged, the disk ends at ${disk.lastIndex}`;
      case 'append-request': {
        const lacking = body.entries.find((one) => disk.termAt(one.index) !== one.term);
        return lacking && `index ${lacking.index} is sent before it is durable`;
      }
      default:
        return undefined;
    }
  }
}
