import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import type { PeerId } from '@libp2p/interface';
import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id';
import { idBytes, idOf, type PeerKey } from '../../core/ids.ts';

/** The libp2p name of a peer. */
export function peerIdOf(peer: PeerKey): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(idBytes(peer)));
}

/** The key in a libp2p name; undefined for names of other key types, which no member has. */
export function peerKeyOf(peer: PeerId): PeerKey | undefined {
  return peer.type === 'Ed25519' ? idOf<PeerKey>(peer.publicKey.raw) : undefined;
}

/** The key in the text of a libp2p name; undefined where there is none. */
export function peerKeyInText(text: string | undefined): PeerKey | undefined {
  if (text === undefined) return undefined;
  const peer = peerIdFromString(text);
  return peer.type === 'Ed25519' ? idOf<PeerKey>(peer.publicKey.raw) : undefined;
}
