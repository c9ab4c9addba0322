import { publicKeyOf } from '../src/core/crypto/signature.ts';
import { HoldfastError } from '../src/core/errors.ts';
import { inviteSecret } from '../src/core/format/invite-code.ts';
import type { Contact } from '../src/core/format/records.ts';
import { type AgentKey, idOf, type PeerKey } from '../src/core/ids.ts';
import { networkMessages } from '../src/core/log-messages/network.ts';
import type { Log } from '../src/ports/runtime.ts';
import type { FactStore, StatementLog } from '../src/ports/statement-log.ts';
import { joinCluster, registerJoin } from '../src/services/join.ts';
import { Ledger, type StatementEvent } from '../src/services/ledger.ts';
import { Peers } from '../src/services/peers.ts';
import { Serve } from '../src/services/serve.ts';
import { Sync } from '../src/services/sync.ts';
import { cluster, genesisBytes, type Person } from './cast.ts';
import type { Internet } from './internet.ts';
import { SimDisk, SimFacts, SimLog } from './log.ts';
import { SimNetwork } from './network.ts';
import { Life, SimClock, type World } from './world.ts';

/** What a deliberately broken build of the program does otherwise, to see whether the checkers notice. */
export type Mutant = {
  readonly name: string;
  /** In the text of the violation that shows it. */
  readonly finding: RegExp;
  /** What it takes to meet it. */
  readonly needs?: 'liar' | 'roll-back';
  readonly log?: (log: StatementLog, world: World) => StatementLog;
  readonly facts?: (facts: FactStore) => FactStore;
  /** Called with everything opened and nothing started. */
  readonly change?: (parts: { ledger: Ledger; log: StatementLog }) => void;
};

/** A statement that its writer was told is durable. */
export type Acknowledged = {
  readonly writer: AgentKey;
  readonly stream: string;
  readonly sequence: number;
  readonly hash: string;
};

/** A run of the program. */
export type Run = {
  readonly life: Life;
  readonly clock: SimClock;
  readonly network: SimNetwork;
  readonly ledger: Ledger;
  readonly facts: FactStore;
};

export type SimAgentOptions = {
  readonly world: World;
  readonly internet: Internet;
  readonly person: Person;
  readonly address: string;
  readonly mutant?: Mutant | undefined;
  /** A bug, or what only a bug can do. */
  readonly onFailure: (error: unknown) => void;
};

/** One simulated host: a disk that stays, and the program that is started, crashes, and starts again from it. */
export class SimAgent {
  readonly person: Person;
  readonly disk: SimDisk;
  readonly acknowledged: Acknowledged[] = [];
  address: string;
  skewMs = 0;
  run: Run | undefined;
  contacts: readonly Contact[] = [];
  isMember = false;
  readonly #options: SimAgentOptions;

  constructor(options: SimAgentOptions) {
    this.#options = options;
    this.person = options.person;
    this.address = options.address;
    this.disk = new SimDisk(options.world);
  }

  get name(): string {
    return this.person.descriptor.name;
  }

  /** Starts the shipped services over this host's ports, as src/agent/agent.ts does. */
  async start(): Promise<void> {
    const { world, internet, mutant } = this.#options;
    world.note(`${this.name} starts`);
    const life = new Life();
    const clock = new SimClock(world, life, this);
    const plainLog = new SimLog(this.disk, life);
    const log = mutant?.log?.(plainLog, world) ?? plainLog;
    const plainFacts = new SimFacts(this.disk, life);
    const facts = mutant?.facts?.(plainFacts) ?? plainFacts;
    const logger = this.#logger();
    const ledger = await Ledger.open({ genesisBytes, log, clock, self: this.person, logger });
    const network = new SimNetwork(internet, {
      self: this.person.peerKey,
      life,
      host: this,
      admit: (peer) => ledger.roster.mayConnect(peer, clock.nowMs()) !== undefined,
    });
    const shared = { network, ledger, clock, logger, version: '1.0.0', facts };
    const peers = new Peers(shared);
    const serve = new Serve(shared);
    const sync = new Sync({ ...shared, peers });
    registerJoin(serve, shared);
    mutant?.change?.({ ledger, log });
    ledger.onStatement((event) => this.#note(event));
    serve.start();
    peers.start();
    sync.start();
    this.isMember = true;
    this.run = { life, clock, network, ledger, facts };
    for (const { peer, multiaddrs } of this.contacts) {
      if (peer !== network.self) network.connect(peer, multiaddrs).catch(ignoreFailure);
    }
  }

  #note({ statement, hash }: StatementEvent): void {
    const { writer, stream, sequence } = statement;
    this.#options.world.note(`${this.name} has ${writer.slice(0, 8)}/${stream} ${sequence}`);
    if (writer === this.person.agentKey) {
      this.acknowledged.push({ writer, stream, sequence, hash });
    }
  }

  /** Power off. What was written and not synced may be lost. */
  crash(): void {
    const { world, internet } = this.#options;
    if (this.run === undefined) return;
    world.note(`${this.name} crashes`);
    world.meet('crash');
    this.run.life.isAlive = false;
    internet.crash(this.run.network);
    this.run = undefined;
    this.disk.crash();
  }

  /** @returns false when it has to be tried again with the same code, which is of no use after it has ended. */
  async join(code: { secret: Uint8Array; notAfterMs: number; contact: Contact }): Promise<boolean> {
    const { world, internet } = this.#options;
    const secret = inviteSecret(code.secret);
    const life = new Life();
    const clock = new SimClock(world, life, this);
    const self = idOf<PeerKey>(publicKeyOf(secret));
    const host = { address: '', name: `${this.name} (joining)` };
    const network = new SimNetwork(internet, { self, life, host, admit: () => true });
    const { descriptor, statementSecret } = this.person;
    const { site, region, roles } = descriptor;
    const contacts = [code.contact];
    const full = { cluster, secret: code.secret, site, region, roles, contacts };
    try {
      const joined = await joinCluster({
        network,
        code: { ...full, notAfterMs: code.notAfterMs },
        descriptor,
        statementSecret,
        inviteSecret: secret,
        clock,
      });
      const log = new SimLog(this.disk, life);
      const ledger = await Ledger.open({ genesisBytes: joined.genesisBytes, log, clock });
      for (const envelope of joined.envelopes) await ledger.ingest(envelope);
      this.contacts = joined.contacts;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      world.note(`${this.name} cannot join: ${error.code}`);
      world.meet('attempt to join failed');
      return false;
    } finally {
      await network[Symbol.asyncDispose]();
    }
    world.note(`${this.name} has joined`);
    world.meet('member joined');
    await this.start();
    return true;
  }

  /** What the program takes for impossible is a failure; the rest belongs into the trace. */
  #logger(): Log {
    return {
      log: (level, message, context = {}) => {
        if (level !== 'debug') this.#options.world.note(`${this.name} logs: ${message}`);
        if (level !== 'error' || message !== networkMessages.requestNotAnswered) return;
        this.#options.onFailure(new Error(`${this.name}: ${message}: ${String(context.problem)}`));
      },
    };
  }
}

function ignoreFailure(error: unknown): void {
  if (!(error instanceof HoldfastError)) throw error;
}
