import { dayMs, MiB, secondMs } from '../../src/base/units.ts';
import type { AgentKey } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import { encodeAnnouncement } from '../../src/core/protocol/stream-heads.ts';

/**
 * How agents keep each other up to date. `shipped`: as src/services and src/adapters/libp2p do it. `bounded`: not
 * built; what a cluster of thousands would need, so that the cost of the shipped design has a measure.
 */
export type Design = 'shipped' | 'bounded';

export type Load = {
  /** That are up, the asking one included. */
  readonly online: number;
  readonly members: number;
  /** Of each member. */
  readonly backupsPerDay: number;
};

/** What one agent sends in a day: mean over agents. */
export type Traffic = {
  readonly antiEntropyBytes: number;
  readonly antiEntropyMessages: number;
  readonly gossipBytes: number;
  readonly gossipMessages: number;
  /** Pings and greetings. */
  readonly upkeepBytes: number;
  readonly upkeepMessages: number;
  /** Between two rounds of anti-entropy with the same peer. */
  readonly roundMs: number;
};

/** libp2p-node.ts: connectionsMax. */
export const connectionsMax = 2 * limits.membersMax + 100;
/** sync.ts: peersAtOnce. */
export const peersAtOnce = 3;
/** gossip.ts: gatherMs. */
export const gatherMs = 100;
/** gossipsub keeps its mesh between 4 and 12 links, aiming at 6; grafts of both ends leave about 8. */
export const meshDegree = 8;
/** gossipsub's Dlazy, share and history of message names told to peers outside the mesh. */
export const lazyPeersMin = 6;
const lazyShare = 0.25;
const lazyHeartbeats = 3;
/** Connections of an agent of the bounded design. */
export const boundedConnections = 24;

/** Sequences of one member: its words to the cluster, its receipts, the snapshots of one dataset. */
const streamsPerMember = 3;
/** Opening a stream, agreeing on a protocol, and the headers of Noise, TCP and IP, one way; an estimate. */
const callOverhead = 400;
/** Of a gossip message: signature, key, sender, number, topic, headers; an estimate. */
const gossipOverhead = 270;
/** Name of one gossip message. */
const messageNameSize = 46;
/** A receipt with its envelope, the most frequent statement; an estimate. */
const statementSize = 380;
/** Receipts of one snapshot arrive within about this time, so that some share an announcement. */
const burstMs = 2 * secondMs;
const roundTripMs = 80;
/** Heads of one response, as serve.ts has it. Those behind it take further requests, which are not counted here. */
export const headsMax = Math.floor((limits.messageSizeMax - 16 * 1024) / 160);
/** The hosts of a bounded snapshot that sign: at most 10 with shards and 8 with metadata copies. */
const boundedReceipts = 18;
const digestSize = 64;
/** Of bounded exchanges, those that find a difference and go down a tree of digests. */
const digestMissShare = 0.1;
/** 20 Mbit/s: the uplink that rounds are paced by. */
const uplinkPerMs = 20e6 / 8 / 1000;

/** Bytes of one head on the wire, from the shipped encoder, mean of the three kinds. */
export const headSize = Math.round(
  encodeAnnouncement(
    ['cluster', 'receipts', `manifests/${'0'.repeat(32)}`].map((stream) => ({
      writer: '11'.repeat(32) as AgentKey,
      stream,
      sequence: 100_000,
      hash: new Uint8Array(32).fill(1),
    })),
  ).length / streamsPerMember,
);

/** Bytes of the first answer with heads. */
export function headsAnswerSize(members: number): number {
  return callOverhead + headSize * Math.min(headsMax, streamsPerMember * members);
}

/** Share of all sequences that the first answer leaves to further ones. */
export function headsLeftOut(members: number): number {
  return Math.max(0, 1 - headsMax / (streamsPerMember * members));
}

/** Of all that it does, pings included. */
export function totalBytes(traffic: Traffic): number {
  return traffic.antiEntropyBytes + traffic.gossipBytes + traffic.upkeepBytes;
}

export function totalMessages(traffic: Traffic): number {
  return traffic.antiEntropyMessages + traffic.gossipMessages + traffic.upkeepMessages;
}

export function dailyTraffic(design: Design, load: Load): Traffic {
  return design === 'shipped' ? shippedTraffic(load) : boundedTraffic(load);
}

function shippedTraffic({ online, members, backupsPerDay }: Load): Traffic {
  const connected = Math.max(0, Math.min(online - 1, connectionsMax));
  const answer = headsAnswerSize(members);
  const callMs = roundTripMs + answer / uplinkPerMs;
  const roundMs = limits.syncPeriodMs + Math.ceil(connected / peersAtOnce) * callMs;
  const calls = (connected * dayMs) / roundMs;
  const backups = backupsPerDay * online;
  const statements = backups * (1 + online);
  const windows = Math.min(1 + online, burstMs / gatherMs);
  const announced = Math.min(backups * windows, dayMs / gatherMs);
  const heads = Math.ceil((1 + online) / windows);
  const gossip = gossipOf({ announced, online, connected, size: headSize * heads });
  const newsBytes = announced * answer + statements * statementSize;
  return {
    antiEntropyBytes: calls * (callOverhead + answer),
    antiEntropyMessages: 2 * calls,
    gossipBytes: gossip.bytes + newsBytes,
    gossipMessages: gossip.messages + 2 * announced,
    ...upkeepOf(connected),
    roundMs,
  };
}

function boundedTraffic({ online, members, backupsPerDay }: Load): Traffic {
  const connected = Math.max(0, Math.min(online - 1, boundedConnections));
  const calls = dayMs / limits.syncPeriodMs;
  const levels = Math.max(1, Math.log(streamsPerMember * members) / Math.log(16));
  const difference = digestMissShare * levels * (callOverhead + 16 * 32);
  // Each statement travels itself, from its writer: nobody announces what it has learnt.
  const announced = backupsPerDay * (1 + Math.min(boundedReceipts, online));
  const gossip = gossipOf({ announced, online, connected, size: statementSize });
  return {
    antiEntropyBytes: 2 * calls * (callOverhead + digestSize + difference),
    antiEntropyMessages: 2 * calls * (1 + digestMissShare * levels),
    gossipBytes: gossip.bytes,
    gossipMessages: gossip.messages,
    ...upkeepOf(connected),
    roundMs: limits.syncPeriodMs * connected,
  };
}

/**
 * gossipsub: the publisher sends to everyone it is connected to, everybody then forwards over the mesh (each link
 * carries a message at least once), and tells the names of what it has seen to some others.
 */
function gossipOf(options: {
  /** By one agent, a day. */
  announced: number;
  online: number;
  connected: number;
  size: number;
}): { bytes: number; messages: number } {
  const { announced, online, connected } = options;
  const mesh = Math.min(meshDegree, connected);
  const passing = announced * online;
  const copies = announced * connected + (passing * mesh) / 2;
  const outside = connected - mesh;
  const lazyPeers = Math.min(outside, Math.max(lazyPeersMin, lazyShare * outside));
  const beats = Math.min(dayMs / secondMs, passing * lazyHeartbeats);
  return {
    bytes:
      copies * (options.size + gossipOverhead) +
      lazyPeers * (passing * lazyHeartbeats * messageNameSize + beats * gossipOverhead * 0.25),
    messages: copies + beats * lazyPeers,
  };
}

/** Pings from both ends and greetings, each once a period and connection. */
function upkeepOf(connected: number): { upkeepBytes: number; upkeepMessages: number } {
  const beats = (connected * dayMs) / limits.syncPeriodMs;
  return { upkeepBytes: beats * (2 * 150 + 2 * (callOverhead + 60)), upkeepMessages: 4 * beats };
}

/** Of a pack that a source has filled, and how much of them an agent is taken to protect. */
export const packSize = limits.packSizeTarget;
export const packsPerAgent = (100 * 1024 * MiB) / packSize;
