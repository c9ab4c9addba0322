import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';

type TransportFactory = ReturnType<typeof circuitRelayTransport>;
type Components = Parameters<TransportFactory>[0];

/** To listen on: at whichever connected member is a relay, and at another when that one goes. */
export const relaySearch = '/p2p-circuit';

/**
 * Dials through relays, and keeps a place at one. Only members that are connected anyway come into question:
 * libp2p would walk through the DHT at random, without a pause while that is empty, which stops everything else.
 */
export function relayTransport(): TransportFactory {
  const make = circuitRelayTransport();
  return (components) =>
    make(
      new Proxy(components, {
        get: (all, name) => (name === 'randomWalk' ? noWalk : all[name as keyof Components]),
      }),
    );
}

const noWalk = {
  async *walk(): AsyncGenerator<never> {},
};
