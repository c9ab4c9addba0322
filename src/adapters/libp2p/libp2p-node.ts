import { noise } from '@chainsafe/libp2p-noise';
import { noiseCrypto } from './noise-crypto.ts';
import { circuitRelayServer } from '@libp2p/circuit-relay-v2';
import { privateKeyFromRaw } from '@libp2p/crypto/keys';
import type { GossipSub, gossipsub } from '@libp2p/gossipsub';
import { type Identify, identify } from '@libp2p/identify';
import type { Libp2p, PrivateKey } from '@libp2p/interface';
import type { KadDHT } from '@libp2p/kad-dht';
import { type Ping, ping } from '@libp2p/ping';
import { yamux } from '@libp2p/yamux';
import { createLibp2p, type Libp2pOptions } from 'libp2p';
import { concat } from '../../base/bytes.ts';
import { MiB, secondMs } from '../../base/units.ts';
import { publicKeyOf } from '../../core/crypto/signature.ts';
import { limits } from '../../core/limits.ts';
import type { Admission } from './admission.ts';
import type { BulkDoor } from './bulk-door.ts';
import { guardedTcp } from './guarded-tcp.ts';
import type { NodeMetrics } from './node-metrics.ts';
import { OwnAddresses } from './own-addresses.ts';
import { relaySearch, relayTransport } from './relay-places.ts';

export type Services = {
  identify: Identify;
  ping: Ping;
  dht?: KadDHT;
  pubsub?: GossipSub;
  ownAddresses: OwnAddresses;
  relay?: unknown;
};

export type Libp2pNode = Libp2p<Services>;

export type NodeOptions = {
  /** Seed of the Ed25519 key that other agents know this one by, 32 bytes. */
  readonly transportSecret: Uint8Array;
  /** Multiaddrs; none for an agent that only dials. */
  readonly listen: readonly string[];
  /** Told to others instead of the addresses that it listens on, when there are any. */
  readonly announce?: readonly string[] | undefined;
  /** Passes connections on between members that cannot reach each other. */
  readonly isRelay?: boolean;
  /** Nobody can dial it: it keeps a place at members that are relays, and is reached through them. */
  readonly usesRelays?: boolean;
  readonly dht: boolean;
  readonly gossip: boolean;
  readonly metrics?: NodeMetrics | undefined;
};

/** Of one stream. Much more only fills queues, and delays small messages beside bulk data by seconds. */
const streamWindowMax = 4 * MiB;
/** A paused stream still receives up to its window; libp2p resets it above this. */
const streamReadBufferMax = 9 * MiB;

/** One dead address must not use up the time for the others. */
const addressDialTimeoutMs = 5 * secondMs;
/** One site may start many agents behind one address; libp2p's 5 a second are too few. */
const inboundPerSecondMax = 100;
/** Two per member, for simultaneous dials, and some that are being refused. */
const connectionsMax = 2 * limits.membersMax + 100;
/** Pings of both sides, heartbeats included; libp2p's 2 are missed when they overlap. */
const pingStreamsMax = 16;

/**
 * libp2p lets 15 peers in, and 128 KiB through within two minutes: good manners among strangers. Only members get
 * through the gater, and what they move are backups.
 */
const relaySettings = {
  reservations: { maxReservations: limits.membersMax, applyDefaultLimit: false },
  maxInboundHopStreams: limits.membersMax,
  maxOutboundStopStreams: limits.membersMax,
};

export type NodeParts = {
  /** Keeps clusters apart that share an address. */
  readonly prefix: string;
  readonly admission: Admission;
  /** Sees every socket that comes in first. */
  readonly door: Pick<BulkDoor, 'guard'>;
};

/** OpenSSL works out the public key: 4 ms where libp2p's own way takes 58, at the start of each command and agent. */
function keyPairOf(secret: Uint8Array): PrivateKey {
  return privateKeyFromRaw(concat([secret, publicKeyOf(secret)]));
}

/** Makes the node, not started. */
export async function createNode(
  options: NodeOptions,
  { prefix, admission, door }: NodeParts,
): Promise<Libp2pNode> {
  const announce = options.announce ?? [];
  const listen = options.usesRelays === true ? [...options.listen, relaySearch] : options.listen;
  const settings: Libp2pOptions<Services> = {
    start: false,
    privateKey: keyPairOf(options.transportSecret),
    nodeInfo: { name: 'holdfast', version: '1', userAgent: 'holdfast' },
    addresses: { listen: [...listen], announce: [...announce] },
    // Everybody may have to dial through a relay.
    transports: [guardedTcp(door), relayTransport()],
    connectionEncrypters: [noise({ crypto: noiseCrypto })],
    streamMuxers: [
      yamux({
        streamOptions: {
          maxStreamWindowSize: streamWindowMax,
          maxReadBufferLength: streamReadBufferMax,
        },
      }),
    ],
    connectionGater: admission.gater(),
    connectionManager: {
      maxConnections: connectionsMax,
      inboundConnectionThreshold: inboundPerSecondMax,
      maxIncomingPendingConnections: inboundPerSecondMax,
      addressDialTimeout: addressDialTimeoutMs,
      // The keeper redials; the DHT also asks libp2p to, which would go on after a member has left.
      reconnectRetries: 0,
    },
    // See heartbeat.ts.
    connectionMonitor: { enabled: false },
    services: await services(options, prefix),
    ...(options.metrics === undefined ? {} : { metrics: options.metrics.factory }),
  };
  return createLibp2p(settings);
}

/** Code of what only agents run is loaded by agents alone: a command that restores one file waits for its own. */
async function services(
  options: NodeOptions,
  prefix: string,
): Promise<NonNullable<Libp2pOptions<Services>['services']>> {
  return {
    identify: identify({ protocolPrefix: 'holdfast', runOnLimitedConnection: true }),
    ping: ping({
      protocolPrefix: 'holdfast',
      maxInboundStreams: pingStreamsMax,
      maxOutboundStreams: pingStreamsMax,
    }),
    ownAddresses: (components) => new OwnAddresses(components as never),
    ...(options.isRelay === true && { relay: circuitRelayServer(relaySettings) }),
    ...(options.dht && { dht: await routing(prefix) }),
    ...(options.gossip && { pubsub: await announcing(prefix) }),
  };
}

/** The topic that all members follow. */
export function topicOf(prefix: string): string {
  return `${prefix}/announce/1`;
}

/** Only routes to peers: members' addresses are often private, and no value is ever stored. */
async function routing(prefix: string) {
  const { kadDHT, passthroughMapper } = await import('@libp2p/kad-dht');
  return kadDHT({
    protocol: `${prefix}/kad/1.0.0`,
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    allowQueryWithZeroPeers: true,
    validators: {
      holdfast: () => {
        throw new Error('values are not stored here');
      },
    },
    selectors: { holdfast: () => 0 },
  });
}

async function announcing(prefix: string) {
  const { gossipsub } = await import('@libp2p/gossipsub');
  return gossipsub(gossipSettings(prefix));
}

function gossipSettings(prefix: string): Parameters<typeof gossipsub>[0] {
  return {
    allowPublishToZeroTopicPeers: true,
    globalSignaturePolicy: 'StrictSign',
    fallbackToFloodsub: false,
    allowedTopics: [topicOf(prefix)],
    runOnLimitedConnection: true,
    // More than ten agents behind one address would be taken for an attack.
    scoreParams: { IPColocationFactorWeight: 0 },
  };
}
