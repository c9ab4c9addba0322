import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { peerKeyOf } from '../../../../src/adapters/libp2p/peer-key.ts';
import type { PeerKey } from '../../../../src/core/ids.ts';
import type { Network } from '../../../../src/ports/network.ts';
import type { SampleCluster } from './sample-agent.ts';
import { bareNode } from './stream-pair.ts';

export type RawStream = AsyncDisposable & {
  readonly stream: Stream;
  readonly connection: Connection;
};

/** A member with a stream of its own, which keeps none of the adapter's manners. */
export async function rawStream(
  cluster: SampleCluster,
  server: Network,
  protocol: string,
): Promise<RawStream> {
  const node = await bareNode([]);
  await node.start();
  cluster.members.add(keyOf(node.peerId));
  const connection = await node.dial(multiaddr(server.addresses()[0]));
  const stream = await connection.newStream(protocol, { maxOutboundStreams: 1000 });
  return { stream, connection, [Symbol.asyncDispose]: async () => node.stop() };
}

export type BareServer = AsyncDisposable & { readonly self: PeerKey; readonly address: string };

/** Answers streams as it likes. */
export async function bareServer(
  protocol: string,
  answer: (stream: Stream) => Promise<void>,
): Promise<BareServer> {
  const node = await bareNode(['/ip4/127.0.0.1/tcp/0']);
  await node.handle(protocol, (stream) => {
    answer(stream).catch(() => undefined);
  });
  await node.start();
  return {
    self: keyOf(node.peerId),
    address: node.getMultiaddrs()[0]?.toString() ?? '',
    [Symbol.asyncDispose]: async () => node.stop(),
  };
}

function keyOf(peer: PeerId): PeerKey {
  const key = peerKeyOf(peer);
  if (key === undefined) throw new Error('not an Ed25519 peer');
  return key;
}
