import { isIP } from 'node:net';
import type { PeerId } from '@libp2p/interface';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';

const hostAndPort = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/;
const portMax = 65535;

/** What a person or a record names as an address: a multiaddr, `host:port` or `[v6]:port`. */
export function addressOf(text: string): Multiaddr | undefined {
  const written = text.startsWith('/') ? text : multiaddrText(text);
  // The empty multiaddr is valid, and nowhere.
  if (written === undefined || written === '/') return undefined;
  try {
    return multiaddr(written);
  } catch {
    return undefined;
  }
}

/** The address without the id of its last peer; the relay of a relayed address stays. */
export function plainAddress(address: Multiaddr): string {
  const parts = address.getComponents();
  return multiaddr(parts.at(-1)?.name === 'p2p' ? parts.slice(0, -1) : parts).toString();
}

/** The address with the id that must answer there. */
export function addressFor(peer: PeerId, address: Multiaddr): Multiaddr {
  return multiaddr(`${plainAddress(address)}/p2p/${peer.toString()}`);
}

/** The id of the peer that an address ends with, as text. */
export function peerInAddress(address: Multiaddr): string | undefined {
  const last = address.getComponents().at(-1);
  return last?.name === 'p2p' ? last.value : undefined;
}

export function isRelayed(address: Multiaddr): boolean {
  return address.getComponents().some((part) => part.name === 'p2p-circuit');
}

/** The id, as text, of the relay that a relayed address leads through. */
export function relayInAddress(address: Multiaddr): string | undefined {
  const parts = address.getComponents();
  const circuit = parts.findIndex((part) => part.name === 'p2p-circuit');
  const before = circuit < 0 ? [] : parts.slice(0, circuit);
  return before.findLast((part) => part.name === 'p2p')?.value;
}

function multiaddrText(text: string): string | undefined {
  const [, bracketed, host, portText] = hostAndPort.exec(text) ?? [];
  const port = Number(portText);
  if (!(port >= 1 && port <= portMax)) return undefined;
  if (bracketed !== undefined) {
    return isIP(bracketed) === 6 ? `/ip6/${bracketed}/tcp/${port}` : undefined;
  }
  const kind = host !== undefined && isIP(host) === 4 ? 'ip4' : 'dns';
  return `/${kind}/${host}/tcp/${port}`;
}
