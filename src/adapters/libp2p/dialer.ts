import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { secondMs } from '../../base/units.ts';
import { HoldfastError } from '../../core/errors.ts';
import { type PeerKey, shortId } from '../../core/ids.ts';
import { addressFor, addressOf, isRelayed, plainAddress } from './address.ts';
import type { Admission } from './admission.ts';
import { Deadline } from './deadline.ts';
import { unreachable } from './failure.ts';
import type { Libp2pNode } from './libp2p-node.ts';
import { peerIdOf, peerKeyOf } from './peer-key.ts';
import { probe } from './probe.ts';

/** All addresses of one peer together; each has its own shorter limit in libp2p-node.ts. */
const dialTimeoutMs = 15 * secondMs;
const confirmTimeoutMs = 5 * secondMs;

/** Opens connections, and reports success only when the far end has let us in. */
export class Dialer {
  readonly #node: Libp2pNode;
  readonly #admission: Admission;
  readonly #obstacles = new Map<PeerKey, string>();

  constructor(node: Libp2pNode, admission: Admission) {
    this.#node = node;
    this.#admission = admission;
  }

  /** Open connections to a peer, best first: direct ones, then the newest, since an old one may be half dead. */
  connectionsTo(peer: PeerKey): Connection[] {
    const open = this.#node.getConnections(peerIdOf(peer)).filter((c) => c.status === 'open');
    const rank = (c: Connection): number => (c.direct ? 1 : 0);
    return open.sort((a, b) => rank(b) - rank(a) || b.timeline.open - a.timeline.open);
  }

  /** The connection to use. @throws HoldfastError peer-unreachable */
  connectionTo(peer: PeerKey): Connection {
    const [best] = this.connectionsTo(peer);
    if (best === undefined) {
      throw new HoldfastError('peer-unreachable', `not connected to peer ${shortId(peer)}`);
    }
    return best;
  }

  /** @throws HoldfastError peer-unreachable */
  async connect(
    peer: PeerKey,
    addresses: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const what = `cannot reach peer ${shortId(peer)}`;
    const id = peerIdOf(peer);
    const targets = addresses.map(addressOf).filter((address) => address !== undefined);
    if (targets.length === 0 && this.connectionsTo(peer).length === 0) {
      throw new HoldfastError('peer-unreachable', `${what}: no address of it is known`);
    }
    const dial = (deadline: AbortSignal): Promise<Connection> =>
      this.#dial(
        targets.map((address) => addressFor(id, address)),
        id,
        deadline,
      );
    await this.#within(what, signal, async (deadline) => {
      const isNew = this.connectionsTo(peer).length === 0;
      try {
        await confirm(await dial(deadline), deadline);
      } catch (error) {
        // A connection that was there before may have died unnoticed.
        if (isNew || deadline.aborted || targets.length === 0) throw error;
        await confirm(await dial(deadline), deadline);
      }
    });
  }

  /**
   * A direct connection beside the relayed one, which stays until then: whoever uses it next takes the direct one.
   * @throws HoldfastError peer-unreachable
   */
  async connectDirectly(
    peer: PeerKey,
    addresses: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const id = peerIdOf(peer);
    const targets = addresses
      .map(addressOf)
      .filter((address) => address !== undefined && !isRelayed(address))
      .map((address) => addressFor(id, address as Multiaddr));
    if (targets.length === 0) {
      this.#obstacles.set(peer, 'it has told no address of its own');
      return;
    }
    try {
      await this.#within(`cannot reach peer ${shortId(peer)}`, signal, async (deadline) => {
        await confirm(await this.#node.dial(targets, { signal: deadline, force: true }), deadline);
      });
      this.#obstacles.delete(peer);
      for (const one of this.connectionsTo(peer)) if (!one.direct) await one.close();
    } catch (error) {
      const where = targets.map(plainAddress).join(', ');
      this.#obstacles.set(peer, `${where} did not answer`);
      throw error;
    }
  }

  /** What the last attempt at a direct connection came to. */
  obstacleTo(peer: PeerKey): string | undefined {
    return this.#obstacles.get(peer);
  }

  /** @throws HoldfastError usage (no address) | peer-unreachable */
  async connectTo(text: string, signal: AbortSignal | undefined): Promise<PeerKey> {
    const address = addressOf(text);
    if (address === undefined) {
      throw new HoldfastError('usage', `${text} is not an address`, {
        next: 'write it as host:port, [v6 address]:port or a multiaddr',
      });
    }
    using _ = this.#admission.expect(address);
    return await this.#within(`cannot reach ${text}`, signal, async (deadline) => {
      const connection = await this.#dial([address], undefined, deadline);
      const peer = peerKeyOf(connection.remotePeer);
      if (peer === undefined) {
        connection.abort(new Error('not an Ed25519 peer'));
        throw new HoldfastError('peer-unreachable', `${text} is not a holdfast agent`);
      }
      await confirm(connection, deadline);
      return peer;
    });
  }

  async #dial(
    addresses: Multiaddr[],
    existing: PeerId | undefined,
    signal: AbortSignal,
  ): Promise<Connection> {
    const target = addresses.length === 0 && existing !== undefined ? existing : addresses;
    try {
      return await this.#node.dial(target, { signal });
    } catch (error) {
      throw isRefusal(error) ? refused(error) : error;
    }
  }

  async #within<T>(
    what: string,
    signal: AbortSignal | undefined,
    work: (deadline: AbortSignal) => Promise<T>,
  ): Promise<T> {
    using deadline = new Deadline({ ms: dialTimeoutMs, what: 'dialling', signal });
    try {
      return await work(deadline.signal);
    } catch (error) {
      signal?.throwIfAborted();
      const reason = deadline.reasonOf(error);
      const isTimeout = reason instanceof HoldfastError && reason.code === 'timeout';
      if (reason instanceof HoldfastError && !isTimeout) throw prefixed(what, reason);
      throw unreachable(what, isTimeout ? new Error(reason.message) : reason);
    }
  }
}

/**
 * A dial resolves when our half of the handshake is done; a peer that does not know us cuts the connection only
 * then. The first round trip tells.
 */
async function confirm(connection: Connection, signal: AbortSignal): Promise<void> {
  try {
    await probe(connection, { timeoutMs: confirmTimeoutMs, signal });
  } catch (error) {
    const wasCut = connection.status !== 'open';
    connection.abort(new Error('the peer did not confirm the connection'));
    if (wasCut && !signal.aborted) throw refused(error);
    throw error;
  }
}

/** The muxer is agreed on right after the identities have been proved. */
function isRefusal(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isRefusal);
  return error instanceof Error && error.name === 'MuxerUnavailableError';
}

function refused(cause: unknown): HoldfastError {
  return new HoldfastError(
    'peer-unreachable',
    'refused after the handshake: is this agent a member?',
    { details: { wasRefused: true }, cause },
  );
}

function prefixed(what: string, error: HoldfastError): HoldfastError {
  return new HoldfastError(error.code, `${what}: ${error.message}`, {
    ...(error.next === undefined ? {} : { next: error.next }),
    details: error.details,
    cause: error,
  });
}
