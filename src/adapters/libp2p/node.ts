import { fromBinary, toBinary, create } from '@bufbuild/protobuf';
import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Stream, PeerId } from '@libp2p/interface';
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { gossipsub } from '@libp2p/gossipsub';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { HoldfastError, isErrorCode } from '../../core/errors.ts';
import { PullRequestSchema, PullResponseSchema } from '../../core/format/gen/holdfast/v1/exchange_pb.js';
import { shardHeadFrom, shardHeadMessage } from '../../core/format/shard.ts';
import type { ClusterId, PeerKey } from '../../core/ids.ts';
import { idBytes, idOf } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { Network, PullReply, PullRequest } from '../../ports/network.ts';
import type { Log } from '../../ports/runtime.ts';

export type NetworkOptions = {
  transportSecret: Uint8Array;
  cluster: ClusterId;
  listen: readonly string[];
  announce?: readonly string[];
  admit: (peer: PeerKey) => boolean;
  log: Log;
  dht: boolean;
  gossip: boolean;
};
const toId = (key: PeerKey): PeerId => peerIdFromPublicKey(publicKeyFromRaw(idBytes(key)));
const toKey = (id: PeerId): PeerKey => idOf<PeerKey>(id.publicKey!.raw);
function drain(s: Stream): Promise<void> {
  return new Promise((ok, bad) => {
    const off = () => { s.removeEventListener('drain', yes); s.removeEventListener('close', no); };
    const yes = () => { off(); ok(); };
    const no = () => { off(); bad(new Error('closed')); };
    s.addEventListener('drain', yes); s.addEventListener('close', no);
    if (s.status !== 'open') no();
  });
}
async function write(s: Stream, buf: Uint8Array) {
  for (let o = 0; o < buf.length; o += 262144) {
    if (s.send(buf.subarray(o, o + 262144))) continue;
    do await drain(s); while (s.writeBufferLength > 1 << 20);
  }
}
class Reader {
  q: Uint8Array[] = []; size = 0; wake?: () => void; done = false; err?: unknown;
  constructor(s: Stream) {
    s.addEventListener('message', (e) => { const d = e.data.subarray(); this.q.push(d); this.size += d.length; this.wake?.(); });
    s.addEventListener('remoteCloseWrite', () => { this.done = true; this.wake?.(); });
    s.addEventListener('close', (e) => { this.done = true; this.err ??= (e as any).error; this.wake?.(); });
  }
  async take(n: number): Promise<Uint8Array | undefined> {
    while (this.size < n) { if (this.done) { if (this.size === 0) return undefined; throw new Error('short'); } await new Promise<void>((r) => { this.wake = r; }); }
    const out = new Uint8Array(n); let at = 0;
    while (at < n) { const h = this.q[0]!; const k = Math.min(h.length, n - at); out.set(h.subarray(0, k), at); at += k; if (k === h.length) this.q.shift(); else this.q[0] = h.subarray(k); }
    this.size -= n; return out;
  }
  async frame(): Promise<Uint8Array | undefined> { const l = await this.take(4); if (!l) return undefined; const n = new DataView(l.buffer).getUint32(0); if (n > limits.messageSizeMax) throw new Error('big'); return n === 0 ? new Uint8Array(0) : this.take(n); }
}
const framed = (b: Uint8Array) => { const o = new Uint8Array(b.length + 4); new DataView(o.buffer).setUint32(0, b.length); o.set(b, 4); return o; };

export async function openNetwork(o: NetworkOptions): Promise<Network> {
  const tag = `/holdfast/${o.cluster.slice(0, 8)}`;
  const privateKey = await generateKeyPairFromSeed('Ed25519', o.transportSecret);
  const pass = new Set<string>();
  let anyOut = 0;
  const ok = (id: PeerId) => o.admit(toKey(id)) || pass.has(id.toString());
  const topic = `${tag}/announce/1`;
  const node = await createLibp2p({
    privateKey, addresses: { listen: [...o.listen], announce: [...(o.announce ?? [])] }, transports: [tcp()], connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: 4 << 20, maxReadBufferLength: 9 << 20 } })],
    connectionManager: { inboundConnectionThreshold: 100, maxIncomingPendingConnections: 100, reconnectRetries: Infinity, reconnectBackoffFactor: 1 },
    connectionMonitor: { abortConnectionOnPingFailure: false },
    connectionGater: { denyDialMultiaddr: () => false, denyDialPeer: (id) => !ok(id) && !anyOut, denyInboundEncryptedConnection: (id) => !ok(id), denyOutboundEncryptedConnection: (id) => !ok(id) && !anyOut, filterMultiaddrForPeer: () => true },
    services: {
      identify: identify({ protocolPrefix: 'holdfast' }), ping: ping({ protocolPrefix: 'holdfast' }),
      ...(o.dht ? { dht: kadDHT({ protocol: `${tag}/kad/1.0.0`, clientMode: false, peerInfoMapper: passthroughMapper, allowQueryWithZeroPeers: true }) } : {}),
      ...(o.gossip ? { pubsub: gossipsub({ allowPublishToZeroTopicPeers: true, globalSignaturePolicy: 'StrictSign', fallbackToFloodsub: false, allowedTopics: [topic], scoreParams: { IPColocationFactorWeight: 0 } } as any) } : {}),
    } as any,
  });
  const services = node.services as any;
  const unreachable = (e: unknown, what: string) => e instanceof HoldfastError ? e : new HoldfastError('peer-unreachable', `${what}: ${(e as Error)?.message ?? e}`, { cause: e });
  let onCall: any, onPull: any; let onPub: any;
  await node.handle(`${tag}/call/1`, (stream, connection) => { const r = new Reader(stream); void (async () => { try { const f = await r.frame(); if (!f || !onCall) throw new Error('none'); await write(stream, framed(await onCall(toKey(connection.remotePeer), f, {}))); await stream.close(); } catch (e) { stream.abort(e as Error); } })(); }, { maxInboundStreams: 512, maxOutboundStreams: 512, runOnLimitedConnection: true });
  await node.handle(`${tag}/pull/1`, (stream, connection) => { const r = new Reader(stream); void (async () => { try { for (;;) { const f = await r.frame(); if (!f) break; const q = fromBinary(PullRequestSchema, f); let head; let bytes = new Uint8Array(0); let failure; try { const a: PullReply = await onPull(toKey(connection.remotePeer), { pack: q.pack, index: q.index, leaf: q.leaf, count: q.count, withHead: q.withHead }, {}); bytes = a.bytes as any; if (q.withHead && a.head) head = shardHeadMessage(a.head); } catch (e) { failure = { code: e instanceof HoldfastError ? e.code : 'failed', message: (e as Error).message }; } await write(stream, framed(toBinary(PullResponseSchema, create(PullResponseSchema, { size: bytes.length, ...(head ? { head } : {}), ...(failure ? { failure } : {}) } as any)))); if (bytes.length) await write(stream, bytes); } await stream.close(); } catch (e) { stream.abort(e as Error); } })(); }, { maxInboundStreams: 64, maxOutboundStreams: 64, runOnLimitedConnection: true });
  if (services.pubsub) { services.pubsub.subscribe(topic); services.pubsub.addEventListener('message', (e: any) => { if (e.detail.topic === topic) onPub?.(toKey(e.detail.from), e.detail.data); }); }
  let kept: readonly { peer: PeerKey; addresses: readonly string[] }[] = [];
  let stopped = false;
  const listeners = new Set<any>();
  node.addEventListener('peer:connect', (e) => { const p = toKey(e.detail); if (o.admit(p) || anyOut || pass.has(e.detail.toString())) for (const l of listeners) l({ peer: p, isConnected: true }); });
  node.addEventListener('peer:disconnect', (e) => { for (const l of listeners) l({ peer: toKey(e.detail), isConnected: false }); });
  const connect = async (peer: PeerKey, addresses: readonly string[], signal?: AbortSignal) => {
    const id = toId(peer);
    if (node.getConnections(id).length) return;
    try { await node.dial(addresses.map((a) => multiaddr(a.includes('/p2p/') ? a : `${a}/p2p/${id}`)), { signal: signal ?? AbortSignal.timeout(8000) }); await services.ping.ping(id, { signal: AbortSignal.timeout(5000) }); } catch (e) { throw unreachable(e, `${peer.slice(0, 8)} at ${addresses.join(' ')}`); }
  };
  const keeping = (async () => { while (!stopped) { for (const k of kept) if (k.addresses.length && node.getConnections(toId(k.peer)).length === 0) await connect(k.peer, k.addresses).catch(() => {}); await new Promise((r) => setTimeout(r, 1000)); } })();
  const self = idOf<PeerKey>(privateKey.publicKey.raw);
  type Pending = { ok: (r: PullReply) => void; bad: (e: unknown) => void };
  type Lane = { stream: Stream; pending: Pending[] };
  const lanes = new Map<PeerKey, Promise<Lane>[]>();
  const openLane = async (peer: PeerKey): Promise<Lane> => {
    const stream = await node.dialProtocol(toId(peer), `${tag}/pull/1`, { runOnLimitedConnection: true, signal: AbortSignal.timeout(10000) });
    const lane: Lane = { stream, pending: [] }; const r = new Reader(stream);
    void (async () => { try { for (;;) { const f = await r.frame(); if (!f) throw new Error('closed'); const m = fromBinary(PullResponseSchema, f); const bytes = m.size ? await r.take(m.size) : new Uint8Array(0); const p = lane.pending.shift()!; if (m.failure) p.bad(new HoldfastError(isErrorCode(m.failure.code) ? m.failure.code : 'peer-refused', m.failure.message)); else p.ok({ bytes: bytes!, ...(m.head ? { head: shardHeadFrom(m.head) } : {}) }); } } catch (e) { lanes.set(peer, []); for (const p of lane.pending) p.bad(unreachable(e, 'pull')); stream.abort(e as Error); } })();
    return lane;
  };
  const net: Network = {
    self,
    addresses: () => [...new Set(node.getMultiaddrs().map((m) => m.toString().replace(/\/p2p\/.*$/, '')))],
    connections: () => node.getConnections().filter((c) => c.status === 'open' && o.admit(toKey(c.remotePeer))).map((c) => ({ peer: toKey(c.remotePeer), address: c.remoteAddr.toString(), path: c.remoteAddr.toString().includes('/p2p-circuit') ? 'relayed' as const : 'direct' as const })),
    onConnection: (l) => { listeners.add(l); return () => listeners.delete(l); },
    connect: (p, a, x) => connect(p, a, x?.signal),
    connectTo: async (address, x) => {
      const text = address.startsWith('/') ? address : (() => { const m = /^\[?([^\]]+?)\]?:(\d+)$/.exec(address); if (!m) throw new HoldfastError('usage', `${address} is not an address`); const h = m[1]!; const kind = h.includes(':') ? 'ip6' : /^[\d.]+$/.test(h) ? 'ip4' : 'dns'; return `/${kind}/${h}/tcp/${m[2]}`; })();
      anyOut++;
      try { const c = await node.dial(multiaddr(text), { signal: AbortSignal.any([...(x?.signal ? [x.signal] : []), AbortSignal.timeout(8000)]) }); pass.add(c.remotePeer.toString()); await services.ping.ping(c.remotePeer, { signal: AbortSignal.timeout(5000) }); return toKey(c.remotePeer); } catch (e) { throw unreachable(e, address); } finally { anyOut--; }
    },
    disconnect: (p) => node.hangUp(toId(p)),
    enforceAdmission: async () => { for (const c of node.getConnections()) if (!ok(c.remotePeer)) await node.hangUp(c.remotePeer); },
    keep: (k) => { kept = k; },
    call: async (peer, request, x) => {
      const signal = AbortSignal.any([...(x?.signal ? [x.signal] : []), AbortSignal.timeout(x?.timeoutMs ?? limits.requestTimeoutMs)]);
      try { const s = await node.dialProtocol(toId(peer), `${tag}/call/1`, { signal, runOnLimitedConnection: true }); const r = new Reader(s); signal.addEventListener('abort', () => s.abort(new Error('timeout'))); await write(s, framed(request)); const f = await r.frame(); await s.close().catch(() => {}); if (!f) throw new Error('no answer'); return f; } catch (e) { throw signal.aborted ? new HoldfastError('timeout', `no answer from ${peer.slice(0, 8)}`) : unreachable(e, 'call'); }
    },
    serveCalls: (h) => { onCall = h; },
    pull: async (peer, q: PullRequest) => {
      const list = lanes.get(peer) ?? []; lanes.set(peer, list);
      if (list.length < 2) list.push(openLane(peer)); 
      let lane; try { const all = await Promise.all(list); lane = all.sort((a, b) => a.pending.length - b.pending.length)[0]!; } catch (e) { lanes.set(peer, []); throw unreachable(e, 'pull'); }
      const s = lane.stream;
      return new Promise<PullReply>((ok2, bad) => { lane.pending.push({ ok: ok2, bad }); try { s.send(framed(toBinary(PullRequestSchema, create(PullRequestSchema, q)))); } catch (e) { bad(unreachable(e, 'pull')); } });
    },
    servePulls: (h) => { onPull = h; },
    publish: async (m) => { if (services.pubsub) await services.pubsub.publish(topic, m); },
    onPublished: (h) => { onPub = h; },
    ping: (p, x) => services.ping.ping(toId(p), x).catch((e: unknown) => { throw unreachable(e, 'ping'); }),
    findAddresses: async () => [],
    [Symbol.asyncDispose]: async () => { stopped = true; await node.stop(); await keeping; },
  };
  return net;
}
