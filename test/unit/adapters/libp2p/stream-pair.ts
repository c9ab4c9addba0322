import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { Admission } from '../../../../src/adapters/libp2p/admission.ts';
import { createNode, type Libp2pNode } from '../../../../src/adapters/libp2p/libp2p-node.ts';
import { newSecret } from './sample-agent.ts';

const protocol = '/holdfast/test/1';

/** Two bare nodes with the settings of the real ones, and both ends of streams between them. */
export class StreamPair implements AsyncDisposable {
  readonly #client: Libp2pNode;
  readonly #server: Libp2pNode;
  readonly #arrived: ((stream: Stream) => void)[] = [];

  static async open(): Promise<StreamPair> {
    const [client, server] = [await bareNode([]), await bareNode(['/ip4/127.0.0.1/tcp/0'])];
    const pair = new StreamPair(client, server);
    await server.handle(protocol, (stream) => pair.#arrived.shift()?.(stream));
    await Promise.all([client.start(), server.start()]);
    await client.dial(server.getMultiaddrs().map((address) => multiaddr(address.toString())));
    return pair;
  }

  private constructor(client: Libp2pNode, server: Libp2pNode) {
    this.#client = client;
    this.#server = server;
  }

  readonly protocol = protocol;

  get connection(): Connection {
    const [connection] = this.#client.getConnections();
    if (connection === undefined) throw new Error('not connected');
    return connection;
  }

  /** Hands the next stream that somebody opens to `take`. */
  arriving(take: (stream: Stream) => void): void {
    this.#arrived.push(take);
  }

  /** `near` is the end that opened the stream. */
  async stream(): Promise<{ near: Stream; far: Stream }> {
    const far = new Promise<Stream>((resolve) => this.#arrived.push(resolve));
    return { near: await this.connection.newStream(protocol), far: await far };
  }

  /** Streams of the connection that are not over, both ends counted. */
  openStreams(): number {
    const nodes = [this.#client, this.#server];
    const streams = nodes.flatMap((node) => node.getConnections().flatMap((c) => c.streams));
    return streams.filter((stream) => stream.protocol === protocol).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#client.stop(), this.#server.stop()]);
  }
}

export async function bareNode(listen: readonly string[]): Promise<Libp2pNode> {
  const admission = new Admission(() => true);
  const options = { transportSecret: newSecret(), listen, dht: false, gossip: false };
  const door = { guard: () => {} };
  return createNode(options, { prefix: '/holdfast/test', admission, door });
}
