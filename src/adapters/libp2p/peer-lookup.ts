import { secondMs } from '../../base/units.ts';
import type { PeerKey } from '../../core/ids.ts';
import { plainAddress } from './address.ts';
import { Deadline } from './deadline.ts';
import type { Libp2pNode } from './libp2p-node.ts';
import { peerIdOf } from './peer-key.ts';

const lookupTimeoutMs = 5 * secondMs;
/** Members that are heard: each may know other addresses, and none is trusted. */
const answersMax = 3;

/** Addresses that the peer has told us over a connection. */
export async function storedAddresses(node: Libp2pNode, peer: PeerKey): Promise<string[]> {
  const id = peerIdOf(peer);
  if (!(await node.peerStore.has(id))) return [];
  const { addresses } = await node.peerStore.get(id);
  return [...new Set(addresses.map(({ multiaddr }) => plainAddress(multiaddr)))];
}

/** Addresses that other members know. Nothing found, and nobody to ask, is an empty list. */
export async function findAddresses(
  node: Libp2pNode,
  peer: PeerKey,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const { dht } = node.services;
  if (dht === undefined) return [];
  const found = new Set<string>();
  using deadline = new Deadline({ ms: lookupTimeoutMs, what: 'a lookup', signal });
  let answers = 0;
  try {
    // Without the cache, which holds the address that has just failed.
    const query = dht.findPeer(peerIdOf(peer), { signal: deadline.signal, useCache: false });
    for await (const event of query) {
      if (event.name !== 'FINAL_PEER') continue;
      for (const address of event.peer.multiaddrs) found.add(plainAddress(address));
      answers += 1;
      if (answers === answersMax) break;
    }
  } catch {
    // Not found, timed out or not started: whatever has been heard is all there is.
    signal?.throwIfAborted();
  }
  return [...found];
}
