import { HoldfastError } from '../core/errors.ts';
import { idBytes, type PeerKey } from '../core/ids.ts';
import { lastOf, pageFrom, type StreamHead } from '../core/protocol/stream-heads.ts';
import type { Cancel } from '../ports/runtime.ts';
import type { Peers } from './peers.ts';

/**
 * Pages of one comparison. The most members with the most datasets each make 33 of them; the others are for members
 * that have been put out. A liar has us read so many, not more.
 */
export const headPagesMax = 64;

/**
 * Every head that a peer claims, page by page: each sequence once, those of the cluster on the first ones.
 * @throws HoldfastError bad-encoding | limit-exceeded | as Peers.ask
 */
export async function* headPages(
  peers: Pick<Peers, 'ask'>,
  peer: PeerKey,
  cancel?: Cancel,
): AsyncGenerator<readonly StreamHead[]> {
  let after: StreamHead | undefined;
  for (let count = 0; count < headPagesMax; count++) {
    const value =
      after === undefined ? {} : { afterWriter: idBytes(after.writer), afterStream: after.stream };
    const answer = await peers.ask(peer, { case: 'heads', value }, cancel);
    const page = pageFrom(answer, after);
    yield page;
    if (!answer.more) return;
    after = lastOf(page);
  }
  throw new HoldfastError('limit-exceeded', 'a peer names more sequences than a cluster can have');
}
