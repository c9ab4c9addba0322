import { codeOf } from '../../core/errors.ts';
import { decodeCheckpoint } from '../../core/format/checkpoint.ts';
import { decodeNote } from '../../core/format/signed-note.ts';
import type { PeerKey } from '../../core/ids.ts';
import { type ProvenLog, provenFromGenesis } from '../../core/protocol/control/proven-log.ts';
import type { Answer } from '../../core/protocol/exchange-kinds.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import { ImageExchange } from './image-exchange.ts';

export type LogProofsOptions = {
  readonly ledger: Ledger;
  readonly peers: Pick<Peers, 'ask' | 'reachable'>;
};

type Offer = { readonly peer: PeerKey; readonly size: number } & Answer<'controlLog'>;

/**
 * The newest control log that any member reached can prove to somebody who knows the genesis and statements alone:
 * a holder of the recovery kit. @returns why there is none, where there is none
 */
export async function newestProvenLog(
  options: LogProofsOptions,
  cancel: Cancel = {},
): Promise<ProvenLog | string> {
  const { peers } = options;
  const asked = peers.reachable().map(({ peerKey }) => offerOf(peerKey, options, cancel));
  const offers = (await Promise.all(asked)).filter((offer) => offer !== undefined);
  // Whoever names a larger log than it can prove costs a transfer, and is passed over.
  offers.sort((a, b) => b.size - a.size);
  const problems = new Set<string>();
  for (const offer of offers) {
    const proven = await provenBy(offer, options, cancel);
    if (typeof proven !== 'string') return proven;
    problems.add(proven);
  }
  return [...problems].join('; ') || 'no member that answers has one that a majority has signed';
}

async function offerOf(
  peer: PeerKey,
  { peers }: LogProofsOptions,
  cancel: Cancel,
): Promise<Offer | undefined> {
  try {
    const question = { case: 'controlLog', value: { from: 1n } } as const;
    const answer = await peers.ask(peer, question, cancel);
    if (answer.image === undefined) return undefined;
    const { size } = decodeCheckpoint(decodeNote(answer.checkpoint).text);
    return { ...answer, peer, size };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

async function provenBy(
  { peer, image: ref, checkpoint: note }: Offer,
  { ledger, peers }: LogProofsOptions,
  cancel: Cancel,
): Promise<ProvenLog | string> {
  const { genesis } = ledger.roster;
  try {
    const image = await new ImageExchange(peers).fetch(peer, ref, cancel);
    const { envelope } = await peers.ask(peer, { case: 'generation', value: {} }, cancel);
    const decree = envelope.length === 0 ? undefined : envelope.slice();
    const { cluster } = ledger;
    return provenFromGenesis({ note, image, decree }, { genesis, cluster });
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return (error as Error).message;
  }
}
