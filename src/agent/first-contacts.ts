import { HoldfastError } from '../core/errors.ts';
import type { Contact } from '../core/format/records.ts';
import type { Network } from '../ports/network.ts';
import type { Peers } from '../services/peers.ts';

/** A new member knows only addresses from its invite; the others' own word comes with the first synchronisation. */
export async function meetContacts(
  contacts: readonly Contact[],
  { network, peers }: { readonly network: Network; readonly peers: Peers },
  signal: AbortSignal,
): Promise<void> {
  for (const { peer, multiaddrs } of contacts) {
    if (peer === network.self || peers.isReachable(peer)) continue;
    const attempt = network.connect(peer, multiaddrs, { signal });
    await attempt.catch((error: unknown) => {
      if (!(error instanceof HoldfastError) && !signal.aborted) throw error;
    });
  }
}
