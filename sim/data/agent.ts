import type { Agent } from '../../src/agent/agent.ts';
import { inviteSecret } from '../../src/core/format/invite-code.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { publicKeyOf } from '../../src/core/crypto/signature.ts';
import type { Contact } from '../../src/core/format/records.ts';
import { type AgentKey, idOf, type PeerKey } from '../../src/core/ids.ts';
import { networkMessages } from '../../src/core/log-messages/network.ts';
import type { Roster } from '../../src/core/protocol/roster.ts';
import type { Log } from '../../src/ports/runtime.ts';
import { initialLog } from '../../src/services/control/initial-log.ts';
import { SimLog } from '../log.ts';
import type { Prng } from '../prng.ts';
import { Life, type World } from '../world.ts';
import type { HostTime } from '../control/clock.ts';
import { type Founding, founder, newcomer, type Person } from './cast.ts';
import { DataClock } from './clock.ts';
import { DataDisk } from './disk.ts';
import type { Lie } from './liar.ts';
import { type DataInternet, DataNetwork, type Weather } from './network.ts';
import type { DataParts } from './parts.ts';
import { portsOf } from './ports.ts';
import { SimTree } from './tree.ts';

export type DataAgentOptions = {
  readonly world: World;
  readonly internet: DataInternet;
  readonly weather: Weather;
  readonly person: Person;
  readonly founding: Founding;
  readonly parts: DataParts;
  /** Bytes of shards that fit its disk. */
  readonly capacity: number;
  /** Changes of a file that are so close to each other have one time. */
  readonly tickNs: bigint;
  readonly version: string;
  readonly onStarted: (agent: DataAgent, run: Run) => void;
  /** A bug. */
  readonly onFailure: (error: unknown) => void;
};

/** A run of the program. */
export type Run = {
  readonly life: Life;
  readonly clock: DataClock;
  readonly network: DataNetwork;
  /** Undefined while it starts. */
  agent: Agent | undefined;
  /** Whose tasks are to end before the next run begins. */
  isStopping: boolean;
};

/** A host: its disk and its files stay, its program starts, crashes and starts again. */
export class DataAgent implements HostTime {
  readonly person: Person;
  readonly options: DataAgentOptions;
  readonly disk: DataDisk;
  readonly tree: SimTree;
  readonly random: Prng;
  address: string;
  ratePerMille = 1000;
  skewMs = 0;
  readonly isPaused = false;
  run: Run | undefined;
  contacts: readonly Contact[] = [];
  isMember: boolean;
  /** Nobody will see it again: its machine has burned. */
  isGone = false;
  lie: Lie | undefined;
  /** Told of each of its files that a backup reads. */
  onLook: () => void = () => {};
  /** A store of it may have failed, and takes nothing until the program starts anew. */
  hasFailed = false;
  #ctime = 0n;

  constructor(options: DataAgentOptions) {
    const { world, person, tickNs } = options;
    this.options = options;
    this.person = person;
    this.address = `/sim/${this.name}`;
    this.disk = new DataDisk(world, initialLog(founder.agentKey));
    this.random = world.random.fork();
    this.isMember = person !== newcomer;
    this.tree = new SimTree(() => {
      const nowNs = BigInt(Math.floor(this.#wallMs())) * 1_000_000n;
      if (tickNs > 0n) return nowNs - (nowNs % tickNs);
      return nowNs + (this.#ctime++ % 1_000_000n);
    });
  }

  get name(): string {
    return this.person.descriptor.name;
  }

  get agentKey(): AgentKey {
    return this.person.agentKey;
  }

  get site(): string {
    return this.person.descriptor.site;
  }

  /** What runs, and has started. */
  get agent(): Agent | undefined {
    return this.run?.isStopping === true ? undefined : this.run?.agent;
  }

  get isSource(): boolean {
    return this.person.descriptor.roles.includes('source');
  }

  #wallMs(): number {
    return DataClock.wallMs(this.options.world, this);
  }

  /** Processes never stand still here. */
  onResume(): void {}

  /** Starts the shipped agent over this host's ports. Starting again what has stopped is the caller's part. */
  async start(): Promise<void> {
    const { world, internet, founding, parts, weather, version } = this.options;
    world.note(`${this.name} starts`);
    const life = new Life();
    const clock = new DataClock(world, life, this);
    const known: { roster?: Roster } = {};
    const network = new DataNetwork(internet, {
      ...{ self: this.person.peerKey, life, host: this, weather },
      admit: (peer) => known.roster?.mayConnect(peer, clock.nowMs()) !== undefined,
    });
    const run: Run = { life, clock, network, agent: undefined, isStopping: false };
    this.run = run;
    try {
      run.agent = await parts.Agent.start(portsOf(this, run, this.#logger()), {
        genesisBytes: founding.genesisBytes,
        agentKey: this.agentKey,
        statementSecret: this.person.statementSecret,
        config: configOf(this.name),
        hostName: this.name,
        stateDir: new TextEncoder().encode('/state'),
        version,
        onRoster: (roster) => {
          known.roster = roster;
        },
        contacts: this.contacts,
        onFatal: () => this.#stopSoon(life),
      });
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      world.note(`${this.name} does not start: ${error.code}`);
      world.meet('agent that did not start');
      this.#stopSoon(life);
      return;
    }
    if (life.isAlive) this.options.onStarted(this, run);
  }

  /** It can no longer keep what it promises. A supervisor starts it again. */
  #stopSoon(life: Life): void {
    const { world } = this.options;
    world.meet('agent that stops because a store fails');
    world.after(0, () => {
      if (this.run?.life !== life) return;
      this.crash();
      world.after(3000, () => this.startAgain());
    });
  }

  /** Unless it runs, or never will. */
  startAgain(): void {
    if (this.run !== undefined || !this.isMember || this.isGone) return;
    this.start().catch((error) => this.options.onFailure(error));
  }

  /** Power off. What was written and not synced may be lost. */
  crash(): void {
    const { world, internet } = this.options;
    if (this.run === undefined) return;
    world.note(`${this.name} crashes`);
    world.meet('crash');
    this.run.life.isAlive = false;
    this.run.clock.abandon();
    internet.crash(this.run.network);
    this.run = undefined;
    this.disk.crash(this.random);
  }

  /** Asked to stop, as by a signal: ends what it does, then the process ends. */
  async stop(): Promise<void> {
    const { world } = this.options;
    const { run } = this;
    if (run?.agent === undefined || run.isStopping) return;
    world.note(`${this.name} stops`);
    run.isStopping = true;
    await run.agent[Symbol.asyncDispose]();
    if (this.run !== run) return;
    world.meet('stop in order');
    await run.network[Symbol.asyncDispose]();
    run.clock.abandon();
    this.run = undefined;
    this.disk.crash(this.random);
  }

  /** @returns false when it has to be tried again with the same code. */
  async join(contact: Contact): Promise<boolean> {
    const { world, internet, founding, parts, weather } = this.options;
    const secret = inviteSecret(founding.newcomerCode);
    const life = new Life();
    const clock = new DataClock(world, life, this);
    const self = idOf<PeerKey>(publicKeyOf(secret));
    const host = { address: '', name: `${this.name} (joining)` };
    const network = new DataNetwork(internet, { self, life, host, weather, admit: () => true });
    const { descriptor, statementSecret } = this.person;
    const { site, region, roles } = descriptor;
    const invite = {
      cluster: founding.cluster,
      secret: founding.newcomerCode,
      site,
      region,
      roles,
    };
    try {
      const code = { ...invite, notAfterMs: Number.MAX_SAFE_INTEGER, contacts: [contact] };
      const asking = { network, code, descriptor, statementSecret, inviteSecret: secret, clock };
      const joined = await parts.joinCluster(asking);
      const log = new SimLog(this.disk.device, life);
      const { genesisBytes } = joined;
      const ledger = await parts.Ledger.open({ genesisBytes, log, clock });
      for (const envelope of joined.envelopes) await ledger.ingest(envelope);
      this.contacts = joined.contacts;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      world.note(`${this.name} cannot join: ${error.code}`);
      return false;
    } finally {
      await network[Symbol.asyncDispose]();
    }
    world.meet('member joined');
    this.isMember = true;
    return true;
  }

  /** What the program takes for impossible is a failure; the rest belongs into the trace. */
  #logger(): Log {
    return {
      log: (level, message, context = {}) => {
        if (level === 'debug') return;
        const fields = Object.entries(context).map(([key, value]) => `${key} ${String(value)}`);
        this.options.world.note(
          `${this.name} logs: ${message} (${fields.join(', ').slice(0, 160)})`,
        );
        if (level !== 'error' || message !== networkMessages.requestNotAnswered) return;
        this.options.onFailure(new Error(`${this.name}: ${message}: ${String(context.problem)}`));
      },
    };
  }
}

type Config = Parameters<typeof Agent.start>[1]['config'];

/** Each source has one dataset, of its own name, with the smallest chunks there are. */
function configOf(name: string): Config {
  const nothing = { exclude: [], iexclude: [], excludeIfPresent: [], tags: [] };
  const nothingAround = { before: [], after: [] };
  const dataset = { ...nothing, excludeCaches: false, oneFileSystem: false };
  return {
    listen: [],
    announce: [],
    storage: { reserve: 0 },
    log: { level: 'info' },
    alerts: { webhooks: [] },
    metrics: {},
    traces: {},
    leases: {},
    hooks: { backup: nothingAround, restore: nothingAround, drill: nothingAround },
    repair: { enabled: true, bandwidth: 0, recode: 0, repack: 30 },
    relay: { serve: false, use: false },
    scrub: { bandwidth: 0 },
    bandwidth: { upload: 0, download: 0, windows: [], busyLoad: 0 },
    cold: { bandwidth: 0 },
    dashboard: { enabled: false, listen: '127.0.0.1:0', hosts: [] },
    compression: { level: 1 },
    datasets: { [name]: { ...dataset, paths: ['/data'], chunkAverage: 16 * 1024 } },
  };
}
