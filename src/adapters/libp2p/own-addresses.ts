import type { Multiaddr } from '@multiformats/multiaddr';

/** Of libp2p's own parts. */
type Components = {
  readonly addressManager: {
    confirmObservedAddr(address: Multiaddr, options: { type: 'transport' }): void;
  };
  readonly transportManager: { getAddrs(): Multiaddr[] };
};

/**
 * Vouches for the addresses that this host listens on. libp2p tells nobody of a public one before strangers have
 * dialled it back (AutoNAT), and there are none: members that cannot use an address try the next.
 */
export class OwnAddresses {
  readonly #components: Components;

  constructor(components: Components) {
    this.#components = components;
  }

  /** Interfaces come and go: before each look at the addresses. */
  confirm(): void {
    const { addressManager, transportManager } = this.#components;
    for (const address of transportManager.getAddrs()) {
      addressManager.confirmObservedAddr(address, { type: 'transport' });
    }
  }
}
