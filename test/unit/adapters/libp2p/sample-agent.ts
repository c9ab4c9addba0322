import { randomBytes } from 'node:crypto';
import { type NetworkOptions, openNetwork } from '../../../../src/adapters/libp2p/node.ts';
import type { ClusterId, PeerKey } from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import type { Network, PullRequest } from '../../../../src/ports/network.ts';

export const cluster = 'c1'.repeat(32) as ClusterId;

/** Opens networks of one cluster on loopback, which admit each other as the set of members says. */
export class SampleCluster implements AsyncDisposable {
  readonly members = new Set<PeerKey>();
  readonly #open: Network[] = [];

  /** A member. */
  async join(options: Partial<NetworkOptions> = {}): Promise<Network> {
    const network = await this.stranger(options);
    this.members.add(network.self);
    return network;
  }

  /** Knows the cluster and trusts its members; is no member. */
  async stranger(options: Partial<NetworkOptions> = {}): Promise<Network> {
    const network = await openNetwork({
      transportSecret: newSecret(),
      cluster,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      admit: (peer) => this.members.has(peer),
      log: { log: () => undefined },
      dht: false,
      gossip: false,
      reconnectPeriodMs: 100,
      ...options,
    });
    this.#open.push(network);
    return network;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#open.map((network) => network[Symbol.asyncDispose]()));
  }
}

/** As many leaves as one may ask for at once. */
export const pullRequest: PullRequest = {
  pack: new Uint8Array(32),
  index: 0,
  leaf: 0,
  count: limits.pullLeavesMax,
  withHead: false,
};

export function newSecret(): Uint8Array {
  return Uint8Array.from(randomBytes(32));
}
