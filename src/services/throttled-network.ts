import { limits } from '../core/limits.ts';
import type { PeerKey } from '../core/ids.ts';
import type { ReadPurpose } from '../core/policy/read-purpose.ts';
import type { TransferKind } from '../core/policy/transfer-order.ts';
import type { Network, PullRequest } from '../ports/network.ts';
import type { Bandwidth } from './bandwidth.ts';

export type ThrottledNetworkOptions = {
  readonly bandwidth: Pick<Bandwidth, 'upload' | 'download'>;
  /** The shard is on its way to this peer: this host delivers it. */
  readonly isOnItsWay: (peer: PeerKey, request: PullRequest) => boolean;
};

/**
 * A network on which shards wait for their turn. Whoever serves waits with the answer, whoever asks waits before
 * it asks. Messages pass at once, so that a limit never makes a host look dead; they count.
 */
export function throttledNetwork(
  network: Network,
  { bandwidth: { upload, download }, isOnItsWay }: ThrottledNetworkOptions,
): Network {
  return {
    self: network.self,
    addresses: () => network.addresses(),
    connections: () => network.connections(),
    onConnection: (listener) => network.onConnection(listener),
    connect: (peer, addresses, options) => network.connect(peer, addresses, options),
    connectTo: (address, options) => network.connectTo(address, options),
    disconnect: (peer) => network.disconnect(peer),
    enforceAdmission: () => network.enforceAdmission(),
    keep: (peers) => network.keep(peers),
    call: async (peer, request, options) => {
      upload.charge(request.length);
      const response = await network.call(peer, request, options);
      download.charge(response.length);
      return response;
    },
    serveCalls: (handler) =>
      network.serveCalls(async (peer, request, options) => {
        download.charge(request.length);
        const response = await handler(peer, request, options);
        upload.charge(response.length);
        return response;
      }),
    pull: async (peer, request, options = {}) => {
      const kind = kindOf(request.purpose) ?? 'backup';
      const bytesMax = request.count * limits.leafSize;
      await download.take(kind, bytesMax, options);
      let bytes = 0;
      try {
        const reply = await network.pull(peer, request, options);
        bytes = reply.bytes.length;
        return reply;
      } finally {
        download.giveBack(kind, bytesMax - bytes);
      }
    },
    servePulls: (handler) =>
      network.servePulls(async (peer, request, options) => {
        const reply = await handler(peer, request, options);
        const kind = kindOf(request.purpose) ?? (isOnItsWay(peer, request) ? 'backup' : 'restore');
        await upload.take(kind, reply.bytes.length, options);
        return reply;
      }),
    publish: (message) => network.publish(message),
    onPublished: (handler) => network.onPublished(handler),
    ping: (peer, options) => network.ping(peer, options),
    findAddresses: (peer, options) => network.findAddresses(peer, options),
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

/** Undefined where no reason is given: a shard that was offered, or a kit that restores. */
function kindOf(purpose: ReadPurpose | undefined): TransferKind | undefined {
  switch (purpose?.kind) {
    case 'repair':
    case 'audit':
      return 'repair';
    case 'plan':
    case 'grant':
    case 'reseal':
      return 'restore';
    default:
      return undefined;
  }
}
