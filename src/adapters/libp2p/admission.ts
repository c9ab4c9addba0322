import type { ConnectionGater, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { PeerKey } from '../../core/ids.ts';
import { peerInAddress, plainAddress, relayInAddress } from './address.ts';
import { peerKeyOf } from './peer-key.ts';

/**
 * Who may be connected: those whom `admit` names, and whoever answers at an address that this side has chosen
 * to dial without knowing its owner. libp2p asks its gater during the handshake only, so what changes later is
 * up to the node.
 */
export class Admission {
  readonly #admit: (peer: PeerKey) => boolean;
  /** Addresses and peer ids, as text, that open dials may meet; counted, for two dials of one address. */
  readonly #expected = new Map<string, number>();
  /** Peers met that way, for as long as they are connected. */
  readonly #hosts = new Set<PeerKey>();

  constructor(admit: (peer: PeerKey) => boolean) {
    this.#admit = admit;
  }

  /** A member, as far as this side knows. */
  isMember(peer: PeerId): boolean {
    const key = peerKeyOf(peer);
    return key !== undefined && this.#admit(key);
  }

  /** May stay connected. */
  allows(peer: PeerId): boolean {
    const key = peerKeyOf(peer);
    return key !== undefined && (this.#hosts.has(key) || this.#admit(key));
  }

  /** Whoever answers at the address is let through until this is disposed, and so is the relay on the way. */
  expect(address: Multiaddr): Disposable {
    const peers = [peerInAddress(address), relayInAddress(address)];
    const names = [plainAddress(address), ...peers.filter((peer) => peer !== undefined)];
    for (const name of names) this.#expected.set(name, (this.#expected.get(name) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        for (const name of names) {
          const left = (this.#expected.get(name) ?? 1) - 1;
          if (left === 0) this.#expected.delete(name);
          else this.#expected.set(name, left);
        }
      },
    };
  }

  #isExpected(peer: PeerId, at: Multiaddr): boolean {
    return this.#expected.has(plainAddress(at)) || this.#expected.has(peer.toString());
  }

  forgetHost(peer: PeerId): void {
    const key = peerKeyOf(peer);
    if (key !== undefined) this.#hosts.delete(key);
  }

  gater(): ConnectionGater {
    return {
      denyDialPeer: (peer) => !this.allows(peer) && !this.#expected.has(peer.toString()),
      denyInboundEncryptedConnection: (peer) => !this.isMember(peer),
      denyOutboundEncryptedConnection: (peer, { remoteAddr }) => {
        if (this.allows(peer)) return false;
        const key = peerKeyOf(peer);
        if (key === undefined || !this.#isExpected(peer, remoteAddr)) return true;
        this.#hosts.add(key);
        return false;
      },
      // A relay is for members, on both ends.
      denyInboundRelayReservation: (peer) => !this.isMember(peer),
      denyOutboundRelayedConnection: (from, to) => !this.isMember(from) || !this.isMember(to),
      denyInboundRelayedConnection: (relay, from) => !this.isMember(relay) || !this.isMember(from),
      // libp2p reads this as "may be stored".
      filterMultiaddrForPeer: (peer) => this.isMember(peer),
    };
  }
}
