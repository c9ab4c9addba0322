import { ageSealer } from '../../adapters/age/sealer.ts';
import { memoryFactStore } from '../../adapters/fs/fact-store.ts';
import { memoryStatementLog } from '../../adapters/fs/memory-statement-log.ts';
import { openNetwork } from '../../adapters/libp2p/node.ts';
import { systemClock } from '../../adapters/system/runtime.ts';
import { codeOf, type ErrorCode, HoldfastError } from '../../core/errors.ts';
import { decodeResponse, encodeRequest, throwFailure } from '../../core/format/exchange.ts';
import type { RecoveryKit } from '../../core/format/recovery-kit.ts';
import { recoverySecret } from '../../core/format/recovery-kit.ts';
import type { PeerKey } from '../../core/ids.ts';
import type { ProvenLog } from '../../core/protocol/control/proven-log.ts';
import type { Network } from '../../ports/network.ts';
import type { Log } from '../../ports/runtime.ts';
import { newestProvenLog } from '../../services/control/log-proofs.ts';
import { KeyRing } from '../../services/keys/key-ring.ts';
import { Ledger, type ManifestRecord } from '../../services/ledger.ts';
import { Peers } from '../../services/peers.ts';
import { Sync } from '../../services/sync.ts';
import { version } from '../version.ts';

/** A member that does not answer within this is left out; the others suffice, or the restore says so. */
const memberTimeoutMs = 8_000;

/** The cluster as a holder of its recovery kit sees it: nothing is stored on this machine. */
export class RecoveryPeers implements AsyncDisposable {
  readonly kit: RecoveryKit;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly sync: Sync;
  readonly facts: ReturnType<typeof memoryFactStore>;
  readonly ring: KeyRing;
  /** Members that handed out what nobody has signed as it stands, each with the first reason. */
  readonly liars = new Map<PeerKey, string>();
  readonly #stack: AsyncDisposableStack;

  private constructor(parts: {
    kit: RecoveryKit;
    network: Network;
    ledger: Ledger;
    log: Log;
    stack: AsyncDisposableStack;
  }) {
    const { kit, network, ledger, log, stack } = parts;
    const clock = systemClock();
    this.kit = kit;
    this.network = network;
    this.ledger = ledger;
    this.facts = memoryFactStore();
    this.peers = new Peers({ network, ledger, clock, version, logger: log });
    const { facts, peers } = this;
    const onRefused = (peer: PeerKey, code: ErrorCode, reason: string): void => {
      if (code === 'bad-signature' && !this.liars.has(peer)) this.liars.set(peer, reason);
    };
    this.sync = new Sync({ network, ledger, peers, facts, clock, logger: log, onRefused });
    this.ring = new KeyRing({ ledger, peers, sealer: ageSealer(), identities: [kit.identity] });
    this.#stack = stack;
  }

  /**
   * Meets one member, learns the cluster from it, then meets all others that answer.
   * @throws HoldfastError peer-unreachable | wrong-key (the kit of another cluster) | usage (it is of a site to be avoided)
   */
  static async open(
    kit: RecoveryKit,
    addresses: readonly string[],
    options: { log: Log; signal: AbortSignal; without?: readonly string[] },
  ): Promise<RecoveryPeers> {
    await using opening = new AsyncDisposableStack();
    const secret = recoverySecret(kit.identity);
    const { without = [], signal } = options;
    let members: Ledger | undefined;
    const isAvoided = ({ site }: { site: string }): boolean => without.includes(site);
    const network = opening.use(
      await openNetwork({
        transportSecret: secret,
        cluster: kit.clusterId,
        listen: [],
        // Until the member list has been verified, whoever answers may answer: nothing secret is said.
        admit: (peer) => {
          const member = members?.roster.memberByPeer(peer);
          return members === undefined || (member !== undefined && !isAvoided(member));
        },
        log: options.log,
        dht: false,
        gossip: false,
      }),
    );
    const first = await meetOne(network, kit, addresses, options.signal);
    const genesisBytes = await askGenesis(network, first);
    const log = memoryStatementLog();
    const ledger = await Ledger.open({ genesisBytes, log, clock: systemClock() });
    const { roster } = ledger;
    if (ledger.cluster !== kit.clusterId) {
      throw new HoldfastError('wrong-key', `this kit is not of cluster ${roster.genesis.name}`, {
        next: 'use the kit that was made with the cluster: holdfast restore --kit FILE ...',
      });
    }
    const stack = opening.move();
    const found = new RecoveryPeers({ kit, network, ledger, log: options.log, stack });
    await found.sync.withPeer(first);
    members = ledger;
    const met = roster.memberByPeer(first);
    if (met !== undefined && isAvoided(met)) throw ofLostSite(met);
    await found.#meetOthers({ signal, without });
    return found;
  }

  async #meetOthers({
    signal,
    without,
  }: {
    signal: AbortSignal;
    without: readonly string[];
  }): Promise<void> {
    const meet = async (peer: PeerKey, addresses: readonly string[]): Promise<void> => {
      const timed = AbortSignal.any([signal, AbortSignal.timeout(memberTimeoutMs)]);
      if (!this.peers.isReachable(peer))
        await this.network.connect(peer, addresses, { signal: timed });
      await this.sync.withPeer(peer);
    };
    await Promise.all(
      this.ledger.roster
        .members()
        .filter(({ site }) => !without.includes(site))
        .map(({ peerKey, addresses }) => meet(peerKey, addresses).catch(tolerate)),
    );
    signal.throwIfAborted();
  }

  /**
   * The newest control log that a member reached can prove, taken over here: who was put out counts no more.
   * @returns why there is none, where there is none
   */
  async provenLog({ signal }: { signal: AbortSignal }): Promise<ProvenLog | string> {
    const timed = AbortSignal.any([signal, AbortSignal.timeout(memberTimeoutMs)]);
    try {
      const proven = await newestProvenLog(this, { signal: timed });
      if (typeof proven === 'string') return proven;
      const { roster } = this.ledger;
      roster.adoptLog(proven.state);
      roster.adoptPolicy(proven.state.policy.current);
      return proven;
    } catch (error) {
      signal.throwIfAborted();
      tolerate(error);
      return (error as Error).message;
    }
  }

  /** The identities that open a snapshot's packs. @throws HoldfastError wrong-key | key-needed | corrupt | shredded */
  identitiesOf(record: ManifestRecord): Promise<readonly string[]> {
    return this.ring.identitiesOf(record);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sync[Symbol.asyncDispose]();
    await this.peers[Symbol.asyncDispose]();
    await this.#stack[Symbol.asyncDispose]();
  }
}

function ofLostSite({ name, site }: { name: string; site: string }): HoldfastError {
  return new HoldfastError('usage', `${name} is at ${site}, which shall count as lost`, {
    next: 'name a member of another site: --peer HOST:PORT',
  });
}

/** A member that is gone is no error here: that is what the kit is for. */
function tolerate(error: unknown): void {
  if (codeOf(error) === undefined && (error as Error).name !== 'TimeoutError') throw error;
}

async function meetOne(
  network: Network,
  kit: RecoveryKit,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<PeerKey> {
  const problems: string[] = [];
  const note = (where: string, error: unknown): void => {
    signal.throwIfAborted();
    problems.push(`${where}: ${(error as Error).message}`);
  };
  for (const address of addresses) {
    try {
      return await network.connectTo(address, { signal });
    } catch (error) {
      note(address, error);
    }
  }
  for (const { peer, multiaddrs } of addresses.length > 0 ? [] : kit.addresses) {
    try {
      await network.connect(peer, multiaddrs, { signal });
      return peer;
    } catch (error) {
      note(multiaddrs.join(' '), error);
    }
  }
  if (problems.some((problem) => problem.includes('refused after the handshake'))) {
    throw new HoldfastError(
      'wrong-key',
      `this recovery kit was refused:\n  ${problems.join('\n  ')}`,
      {
        next: 'use the newest kit of the cluster: one that holdfast key kit has replaced opens nothing more',
      },
    );
  }
  throw new HoldfastError('peer-unreachable', `no member answered:\n  ${problems.join('\n  ')}`, {
    next: 'name another member: --peer HOST:PORT',
  });
}

async function askGenesis(network: Network, peer: PeerKey): Promise<Uint8Array> {
  const value = { version, timeMs: BigInt(Date.now()) };
  const request = encodeRequest({ body: { case: 'hello', value } });
  const response = await network.call(peer, request).then(decodeResponse, (cause: unknown) => {
    throw new HoldfastError('wrong-key', 'the peer does not accept this recovery kit', {
      next: 'check that kit and address are of one cluster',
      cause,
    });
  });
  throwFailure(response);
  if (response.body.case !== 'hello') {
    throw new HoldfastError('bad-encoding', 'the peer did not answer as a member would');
  }
  const { genesis } = response.body.value;
  return genesis;
}
