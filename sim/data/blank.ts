import { HoldfastError } from '../../src/core/errors.ts';
import { publicKeyOf } from '../../src/core/crypto/signature.ts';
import { idOf, type PeerKey } from '../../src/core/ids.ts';
import type { Contact } from '../../src/core/format/records.ts';
import type { Log } from '../../src/ports/runtime.ts';
import type { DurabilityView } from '../../src/services/durability-view.ts';
import type { KeyRing } from '../../src/services/keys/key-ring.ts';
import type { Ledger, ManifestRecord } from '../../src/services/ledger.ts';
import type { Peers } from '../../src/services/peers.ts';
import type { RestoreSummary } from '../../src/services/restore.ts';
import type { SnapshotSession } from '../../src/services/snapshot-session.ts';
import type { Sync } from '../../src/services/sync.ts';
import { SimLog } from '../log.ts';
import { Life, type World } from '../world.ts';
import { type Founding, kitIdentity, kitSecret } from './cast.ts';
import { DataClock } from './clock.ts';
import { simCompute } from './compute.ts';
import { Device } from './device.ts';
import { type DataInternet, DataNetwork, type Weather } from './network.ts';
import type { DataParts } from './parts.ts';
import { toySealer } from './sealer.ts';
import { DataFacts } from './stores.ts';
import { SimTarget } from './target.ts';

export type Restored = {
  readonly target: SimTarget;
  /** Paths that the restore has named as lost or wrong, and why. */
  readonly problems: ReadonlyMap<string, string>;
  readonly summary: RestoreSummary | undefined;
  /** Nothing could be restored, and it has said why. */
  readonly refusal: HoldfastError | undefined;
};

export type BlankOptions = {
  readonly world: World;
  readonly internet: DataInternet;
  readonly weather: Weather;
  readonly founding: Founding;
  readonly parts: DataParts;
  readonly number: number;
};

/** Members that do not answer within this are left out. */
const memberTimeoutMs = 8000;

/**
 * A machine that has nothing but the recovery kit and the addresses of some members, as
 * src/agent/compose/recovery.ts makes one.
 */
export class BlankMachine {
  readonly ledger: Ledger;
  readonly view: DurabilityView;
  readonly life: Life;
  readonly #options: BlankOptions;
  readonly #peers: Peers;
  readonly #sync: Sync;
  readonly #network: DataNetwork;
  readonly #session: SnapshotSession;
  readonly #ring: KeyRing;
  readonly #clock: DataClock;
  readonly #pause: () => Promise<void>;

  private constructor(options: BlankOptions, network: DataNetwork, ledger: Ledger, device: Device) {
    const { parts, world } = options;
    const { life } = network;
    const facts = new DataFacts(device, life);
    const clock = new DataClock(world, life, rightTime);
    const shared = { network, ledger, clock, facts, version: '1.0.0', logger: quiet };
    this.#options = options;
    this.#network = network;
    this.#clock = clock;
    this.life = life;
    this.ledger = ledger;
    this.#peers = new parts.Peers(shared);
    this.#sync = new parts.Sync({ ...shared, peers: this.#peers });
    this.view = new parts.DurabilityView(ledger, facts);
    this.#pause = () => device.pause(life);
    const sealer = toySealer(noEntropy);
    const identities = [kitIdentity];
    this.#ring = new parts.KeyRing({ ledger, peers: this.#peers, sealer, identities });
    this.#session = new parts.SnapshotSession({
      ...shared,
      peers: this.#peers,
      view: this.view,
      compute: simCompute(parts, this.#pause),
      sealer,
      log: quiet,
    });
  }

  static async open(options: BlankOptions): Promise<BlankMachine> {
    const { world, internet, founding, parts, number, weather } = options;
    const life = new Life();
    const device = new Device(world);
    const clock = new DataClock(world, life, rightTime);
    const log = new SimLog(device, life);
    const { genesisBytes } = founding;
    const ledger = await parts.Ledger.open({ genesisBytes, log, clock });
    const network = new DataNetwork(internet, {
      self: idOf<PeerKey>(publicKeyOf(kitSecret)),
      ...{ life, weather },
      host: { address: '', name: `blank-${number}` },
      // Until the members are known, whoever answers may answer.
      admit: () => true,
    });
    return new BlankMachine(options, network, ledger, device);
  }

  /** Learns what the members know: of the first that answers who the others are, then of each. */
  async meet(contacts: readonly Contact[]): Promise<number> {
    for (const { peer, multiaddrs } of contacts) {
      const isMet = await this.#meetOne(peer, multiaddrs);
      if (isMet) break;
    }
    const members = this.ledger.roster.members();
    await Promise.all(members.map(({ peerKey, addresses }) => this.#meetOne(peerKey, addresses)));
    return this.#peers.reachable().length;
  }

  async #meetOne(peer: PeerKey, addresses: readonly string[]): Promise<boolean> {
    const attempt = async (): Promise<boolean> => {
      if (!this.#peers.isReachable(peer)) await this.#network.connect(peer, addresses);
      await this.#sync.withPeer(peer);
      return true;
    };
    const tooLate = this.#clock.sleep(memberTimeoutMs).then(() => false);
    return Promise.race([attempt().catch(isRefused), tooLate]);
  }

  /** Everything of a snapshot that can be had. */
  async restore(record: ManifestRecord): Promise<Restored> {
    const target = new SimTarget();
    const problems = new Map<string, string>();
    let summary: RestoreSummary | undefined;
    const { signal } = new AbortController();
    try {
      const identities = await this.#ring.identitiesOf(record);
      const opened = await this.#session.open(record, { identities }, { signal });
      await using _ = opened.frames;
      const order = {
        path: [],
        include: [],
        exclude: [],
        overwrite: 'always',
        dryRun: false,
      } as const;
      const events = this.#options.parts.restoreSnapshot({
        ...{ reader: opened.reader, target, clock: this.#clock, signal },
        stats: () => opened.packs.stats,
        order: { ...order, snapshot: record.hash },
      });
      for await (const event of events) {
        if (event.type === 'problem') problems.set(event.path, event.reason);
        if (event.type === 'summary') summary = event.summary;
      }
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return { target, problems, summary, refusal: error };
    }
    return { target, problems, summary, refusal: undefined };
  }

  async close(): Promise<void> {
    await this.#sync[Symbol.asyncDispose]();
    await this.#peers[Symbol.asyncDispose]();
    await this.#network[Symbol.asyncDispose]();
  }
}

function isRefused(error: unknown): false {
  if (error instanceof HoldfastError) return false;
  throw error;
}

const rightTime = { ratePerMille: 1000, skewMs: 0, isPaused: false, onResume: () => {} };
/** A machine that only restores makes no keys. */
const noEntropy = { bytes: (count: number) => new Uint8Array(count) };
const quiet: Log = { log: () => {} };
