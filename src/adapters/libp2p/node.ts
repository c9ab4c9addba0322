import type { Connection as Libp2pConnection, PeerId, Stream } from '@libp2p/interface';
import { AssertionError } from '../../base/assert.ts';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { type ClusterId, type PeerKey, shortId } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { Connection, Network, PullReply, PullRequest } from '../../ports/network.ts';
import type { Cancel, Log } from '../../ports/runtime.ts';
import { BulkClient } from './bulk-client.ts';
import { BulkDoor } from './bulk-door.ts';
import { encodeTicket } from './bulk-ticket.ts';
import type { ByteStream } from './byte-stream.ts';
import { isRelayed, plainAddress, relayInAddress } from './address.ts';
import { Admission } from './admission.ts';
import { type AnnouncementHandler, Announcements } from './announcements.ts';
import { CallClient, type CallHandler, CallServer } from './calls.ts';
import { Deadline } from './deadline.ts';
import { Dialer } from './dialer.ts';
import { errorOf, reasonOf, unreachable } from './failure.ts';
import { Heartbeat } from './heartbeat.ts';
import { Keeper, type Kept } from './keeper.ts';
import { createNode, type Libp2pNode, type NodeOptions, topicOf } from './libp2p-node.ts';
import { peerIdOf, peerKeyInText, peerKeyOf } from './peer-key.ts';
import { findAddresses, storedAddresses } from './peer-lookup.ts';
import { probe } from './probe.ts';
import { PullClient } from './pull-client.ts';
import { type PullHandler, PullServer } from './pull-server.ts';
import { finish, StreamReader, writeAll } from './stream-io.ts';
import {
  callsRunningMax,
  callsStartedMax,
  callsWaitingMax,
  finishMs,
  messageIdleMs,
  pullStreamsMax,
} from './stream-limits.ts';

export type NetworkOptions = NodeOptions & {
  readonly cluster: ClusterId;
  /** Whether a peer may be connected. Asked often: at handshakes and for each stream. */
  readonly admit: (peer: PeerKey) => boolean;
  readonly log: Log;
  /** How often kept peers are looked after; limits.reconnectPeriodMs unless a test is in a hurry. */
  readonly reconnectPeriodMs?: number;
};

type ConnectionListener = (event: { peer: PeerKey; isConnected: boolean }) => void;

const stopTimeoutMs = 4 * secondMs;

/**
 * Joins the network of one cluster. Who owns what: libp2p owns connections and tells of their coming and going;
 * Admission says who may stay; Dialer opens and confirms; Keeper and Heartbeat redial and cut; calls, pulls and
 * announcements each own their protocol and its streams.
 * @throws HoldfastError io-error when an address cannot be listened on
 */
export async function openNetwork(options: NetworkOptions): Promise<Network> {
  const prefix = `/holdfast/${shortId(options.cluster)}`;
  const admission = new Admission(options.admit);
  try {
    const pullServer = new PullServer(options.log);
    const door = new BulkDoor((line, peer) => pullServer.accept(line, peer));
    const node = await createNode(options, { prefix, admission, door });
    const network = new Libp2pNetwork({ node, admission, prefix, door, pullServer, options });
    await network.start();
    return network;
  } catch (cause) {
    if (cause instanceof AssertionError || cause instanceof HoldfastError) throw cause;
    const message = `cannot listen on ${options.listen.join(' ')}: ${reasonOf(cause)}`;
    const next = 'free the port, or set other addresses to listen on';
    throw new HoldfastError('io-error', message, { next, cause });
  }
}

class Libp2pNetwork implements Network {
  readonly self: PeerKey;
  readonly #node: Libp2pNode;
  readonly #admission: Admission;
  readonly #prefix: string;
  readonly #dialer: Dialer;
  readonly #keeper: Keeper;
  readonly #heartbeat: Heartbeat;
  readonly #callClient: CallClient;
  readonly #callServer: CallServer;
  readonly #pullClient: PullClient;
  readonly #pullServer: PullServer;
  readonly #bulkClient: BulkClient;
  readonly #bulkDoor: BulkDoor;
  readonly #announcements: Announcements;
  readonly #listeners = new Set<ConnectionListener>();

  constructor(parts: {
    node: Libp2pNode;
    admission: Admission;
    prefix: string;
    door: BulkDoor;
    pullServer: PullServer;
    options: NetworkOptions;
  }) {
    const { node, admission, prefix, door, pullServer, options } = parts;
    const { log } = options;
    this.#node = node;
    this.#admission = admission;
    this.#prefix = prefix;
    this.self = selfOf(node);
    this.#dialer = new Dialer(node, admission);
    this.#callClient = new CallClient(`${prefix}/call/2`);
    this.#callServer = new CallServer((peer) => options.admit(peer), log);
    this.#pullClient = new PullClient((peer) => this.#openPullStream(peer));
    this.#pullServer = pullServer;
    this.#bulkDoor = door;
    this.#bulkClient = new BulkClient({
      protocol: `${prefix}/bulk/1`,
      connectionTo: (peer) => this.#dialer.connectionTo(peer),
      storedAddresses: (peer) => storedAddresses(node, peer),
      log,
    });
    this.#announcements = new Announcements({
      pubsub: node.services.pubsub,
      topic: topicOf(prefix),
      admission,
      log,
    });
    this.#heartbeat = new Heartbeat(() => node.getConnections(), log);
    this.#keeper = new Keeper(
      {
        isConnected: (peer) => this.#dialer.connectionsTo(peer).length > 0,
        isRelayed: (peer) => this.#dialer.connectionsTo(peer)[0]?.direct === false,
        connectDirectly: (peer, addresses, signal) =>
          this.#dialer.connectDirectly(peer, addresses, signal),
        connect: (peer, addresses, signal) => this.connect(peer, addresses, { signal }),
        storedAddresses: (peer) => storedAddresses(node, peer),
        findAddresses: (peer, signal) => this.findAddresses(peer, { signal }),
      },
      { log, periodMs: options.reconnectPeriodMs ?? limits.reconnectPeriodMs },
    );
  }

  async start(): Promise<void> {
    const node = this.#node;
    node.addEventListener('connection:open', ({ detail }) => this.#onOpen(detail));
    node.addEventListener('peer:connect', ({ detail }) => this.#onPeer(detail, true));
    node.addEventListener('peer:disconnect', ({ detail }) => this.#onPeer(detail, false));
    await node.handle(`${this.#prefix}/call/2`, this.#accepting(this.#callServer), {
      // Beyond what waits, the server itself resets: libp2p would not tell us.
      maxInboundStreams: callsRunningMax + callsWaitingMax + 16,
      maxOutboundStreams: callsStartedMax + 16,
      runOnLimitedConnection: true,
    });
    await node.handle(`${this.#prefix}/pull/1`, this.#accepting(this.#pullServer), {
      // Twice: streams of a restarted client come before the end of its old ones is known.
      maxInboundStreams: 2 * pullStreamsMax,
      maxOutboundStreams: 2 * pullStreamsMax,
      runOnLimitedConnection: true,
    });
    await node.handle(`${this.#prefix}/bulk/1`, this.#accepting({ accept: this.#giveTicket }), {
      maxInboundStreams: 2 * pullStreamsMax,
      maxOutboundStreams: 2 * pullStreamsMax,
    });
    try {
      await node.start();
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
    this.#node.services.ownAddresses.confirm();
    this.#announcements.start();
  }

  addresses(): readonly string[] {
    this.#node.services.ownAddresses.confirm();
    return [...new Set(this.#node.getMultiaddrs().map(plainAddress))];
  }

  connections(): readonly Connection[] {
    return this.#node.getConnections().flatMap((connection): Connection[] => {
      const { remotePeer, remoteAddr, status, direction } = connection;
      const peer = peerKeyOf(remotePeer);
      if (peer === undefined || status !== 'open') return [];
      const openedBy = direction === 'outbound' ? 'self' : 'peer';
      const address = plainAddress(remoteAddr);
      if (!isRelayed(remoteAddr)) return [{ peer, address, path: 'direct', openedBy }];
      const relay = peerKeyInText(relayInAddress(remoteAddr));
      const obstacle = this.#dialer.obstacleTo(peer);
      return [{ peer, address, path: 'relayed', openedBy, relay, obstacle }];
    });
  }

  onConnection(listener: ConnectionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async connect(peer: PeerKey, addresses: readonly string[], options: Cancel = {}): Promise<void> {
    await this.#dialer.connect(peer, addresses, options.signal);
  }

  async connectTo(address: string, options: Cancel = {}): Promise<PeerKey> {
    return this.#dialer.connectTo(address, options.signal);
  }

  async disconnect(peer: PeerKey): Promise<void> {
    await this.#node.hangUp(peerIdOf(peer));
  }

  async enforceAdmission(): Promise<void> {
    for (const connection of this.#node.getConnections()) {
      if (this.#admission.isMember(connection.remotePeer)) continue;
      connection.abort(new Error('the peer is not a member'));
      await this.#node.peerStore.delete(connection.remotePeer);
    }
  }

  keep(peers: readonly Kept[]): void {
    this.#keeper.keep(peers.filter(({ peer }) => peer !== this.self));
  }

  async call(
    peer: PeerKey,
    request: Uint8Array,
    options: Cancel & { timeoutMs?: number } = {},
  ): Promise<Uint8Array> {
    const { signal, timeoutMs = limits.requestTimeoutMs } = options;
    signal?.throwIfAborted();
    const connection = this.#dialer.connectionTo(peer);
    return this.#callClient.call(connection, request, { peer, timeoutMs, signal });
  }

  serveCalls(handler: CallHandler): void {
    this.#callServer.serve(handler);
  }

  async pull(peer: PeerKey, request: PullRequest, options: Cancel = {}): Promise<PullReply> {
    return this.#pullClient.pull(peer, request, options.signal);
  }

  servePulls(handler: PullHandler): void {
    this.#pullServer.serve(handler);
  }

  async publish(message: Uint8Array): Promise<void> {
    await this.#announcements.publish(message);
  }

  onPublished(handler: AnnouncementHandler): void {
    this.#announcements.handle(handler);
  }

  async ping(peer: PeerKey, options: Cancel = {}): Promise<number> {
    options.signal?.throwIfAborted();
    const connection = this.#dialer.connectionTo(peer);
    try {
      const { signal } = options;
      return await probe(connection, { timeoutMs: limits.requestTimeoutMs, signal });
    } catch (error) {
      options.signal?.throwIfAborted();
      throw unreachable(`cannot ping peer ${shortId(peer)}`, error);
    }
  }

  async findAddresses(peer: PeerKey, options: Cancel = {}): Promise<readonly string[]> {
    return findAddresses(this.#node, peer, options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const cause = new Error('the network is closing');
    this.#keeper[Symbol.dispose]();
    this.#heartbeat[Symbol.dispose]();
    this.#pullClient.end(cause);
    this.#bulkDoor[Symbol.dispose]();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, stopTimeoutMs);
    try {
      await Promise.race([this.#node.stop(), late.promise]);
    } finally {
      clearTimeout(timer);
      for (const connection of this.#node.getConnections()) connection.abort(cause);
      this.#listeners.clear();
    }
  }

  #accepting(server: { accept(stream: Stream, peer: PeerKey): void }) {
    return (stream: Stream, { remotePeer }: Libp2pConnection): void => {
      const peer = peerKeyOf(remotePeer);
      // A connection may have outlived its peer's membership by a moment.
      if (peer === undefined || !this.#admission.isMember(remotePeer)) {
        stream.abort(new Error('the peer is not a member'));
      } else {
        server.accept(stream, peer);
      }
    };
  }

  readonly #giveTicket = (stream: Stream, peer: PeerKey): void => {
    const reader = new StreamReader(stream);
    const given = writeAll(stream, encodeTicket(this.#bulkDoor.issue(peer)), messageIdleMs);
    given
      .then(() => finish(stream, reader, finishMs))
      .catch((error) => stream.abort(errorOf(error)))
      .finally(() => reader[Symbol.dispose]());
  };

  /** A line of its own where there can be one: a stream of the connection costs several times as much a byte. */
  async #openPullStream(peer: PeerKey): Promise<ByteStream> {
    const line = await this.#bulkClient.open(peer);
    if (line !== undefined) return line;
    const what = 'opening a pull stream';
    using deadline = new Deadline({ ms: limits.requestTimeoutMs, what });
    const connection = this.#dialer.connectionTo(peer);
    try {
      return await connection.newStream(`${this.#prefix}/pull/1`, {
        signal: deadline.signal,
        runOnLimitedConnection: true,
      });
    } catch (error) {
      throw unreachable(what, deadline.reasonOf(error));
    }
  }

  /** Membership may have changed during the handshake. */
  #onOpen(connection: Libp2pConnection): void {
    if (this.#admission.allows(connection.remotePeer)) return;
    connection.abort(new Error('the peer is not a member'));
  }

  #onPeer(id: PeerId, isConnected: boolean): void {
    const peer = peerKeyOf(id);
    if (peer === undefined) return;
    const isKnown = this.#admission.allows(id);
    if (!isConnected) {
      const cause = new Error('the peer has gone');
      this.#pullClient.forget(peer, cause);
      this.#bulkDoor.cut(peer, cause);
      this.#bulkClient.forget(peer);
      this.#admission.forgetHost(id);
    }
    // Who was connected when its membership ended is still seen to go.
    if (isKnown || !isConnected) for (const tell of this.#listeners) tell({ peer, isConnected });
  }
}

function selfOf(node: Libp2pNode): PeerKey {
  const self = peerKeyOf(node.peerId);
  if (self === undefined) throw new HoldfastError('failed', 'the transport key is not Ed25519');
  return self;
}
