import { randomFillSync } from 'node:crypto';
import type { Role } from '../../src/core/format/records.ts';
import type { AgentKey } from '../../src/core/ids.ts';
import type { GenerationStart, GenerationStore } from '../../src/ports/generation-store.ts';
import { AlarmBook } from '../../src/services/alarm-book.ts';
import { Alarms } from '../../src/services/alarms.ts';
import { answerControl } from '../../src/services/control/answer-control.ts';
import { CheckpointKeeper } from '../../src/services/control/checkpoint-keeper.ts';
import { ControlLog } from '../../src/services/control/control-log.ts';
import { DecreeKeeper } from '../../src/services/control/decree-keeper.ts';
import { initialLog } from '../../src/services/control/initial-log.ts';
import { LogTroubles } from '../../src/services/control/log-troubles.ts';
import { VoterKeeper } from '../../src/services/control/voter-keeper.ts';
import { LoopHub } from './loop-network.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryControlJournal } from './memory-control-journal.ts';
import { MemoryKeyValue } from './memory-key-value.ts';
import { MemoryStatementLog } from './memory-statement-log.ts';
import { type SampleAgent, SampleCluster, sampleAgent } from './sample-cluster.ts';
import { type SampleHost, sampleHost } from './sample-host.ts';

const entropy = {
  bytes: (count: number): Uint8Array => randomFillSync(new Uint8Array(count)),
};

/** One member of the control log, over a loop network and a journal in memory. */
export type ControlHost = {
  readonly host: SampleHost;
  readonly control: ControlLog;
  readonly voters: VoterKeeper;
  readonly checkpoints: CheckpointKeeper;
  readonly decrees: DecreeKeeper;
  /** Fatal errors, in order. */
  readonly fatal: unknown[];
  stop(): Promise<void>;
};

/** What lies on a host's disk. */
type Disk = { journal: MemoryControlJournal; start: GenerationStart | undefined };

/** Members at sites of their own, named site-0 and so on; the first is the founder and operator. */
export class ControlGroup implements AsyncDisposable {
  readonly hub = new LoopHub();
  readonly clock = new ManualClock();
  readonly cluster: SampleCluster;
  readonly agents: readonly SampleAgent[];
  readonly hosts: ControlHost[] = [];
  readonly #envelopes: readonly Uint8Array[];
  readonly #disks: Disk[] = [];
  readonly #ending = new AbortController();

  /** `rolesOf`: of each but the founder; the usual ones where it says nothing. */
  constructor(
    count: number,
    rolesOf: (i: number) => readonly Role[] | undefined = () => undefined,
  ) {
    const founder = sampleAgent('site-0');
    this.cluster = new SampleCluster('sample', { founder: founder.descriptor });
    Object.assign(this.cluster, { founder });
    const others = Array.from({ length: count - 1 }, (_, i) => {
      const roles = rolesOf(i + 1);
      return sampleAgent(`site-${i + 1}`, roles === undefined ? {} : { roles });
    });
    this.agents = [founder, ...others];
    this.#envelopes = others.flatMap((agent) => this.cluster.admit(agent));
  }

  keyOf(i: number): AgentKey {
    return (this.agents[i] as SampleAgent).agentKey;
  }

  /** Starts a host, with the disk that it had, and connects it with all that run. */
  async start(i: number): Promise<ControlHost> {
    const agent = this.agents[i] as SampleAgent;
    const { hub, cluster, clock } = this;
    const host = await sampleHost(
      { hub, cluster, clock, agent },
      { log: new MemoryStatementLog(), envelopes: this.#envelopes },
    );
    const disk = this.#disks[i] ?? {
      journal: MemoryControlJournal.create(initialLog(this.keyOf(0))),
      start: undefined,
    };
    this.#disks[i] = disk;
    const { journal } = disk;
    const fatal: unknown[] = [];
    const { statementSecret, agentKey: self } = agent;
    const { ledger, peers, logger: log } = host;
    const generations: GenerationStore = {
      read: async () => disk.start,
      write: async (start) => {
        disk.start = start;
      },
    };
    const shared = { ledger, peers, clock, entropy, log, self, statementSecret, journal };
    const control = new ControlLog({ ...shared, onFatal: (error) => fatal.push(error) });
    const voters = new VoterKeeper({ ...shared, control });
    const checkpoints = new CheckpointKeeper({ ...shared, control });
    const decrees = new DecreeKeeper({ ...shared, control, generations });
    answerControl(host.serve, control);
    checkpoints.answer(host.serve);
    decrees.answer(host.serve);
    host.start();
    const stop = new AbortController();
    const running = [control, voters, checkpoints, decrees].map((one) =>
      one.run({ signal: stop.signal }),
    );
    const started: ControlHost = {
      ...{ host, control, voters, checkpoints, decrees, fatal },
      stop: async () => {
        stop.abort(new Error('stopped'));
        disk.journal = journal.crash();
        await Promise.allSettled(running);
        await host[Symbol.asyncDispose]();
      },
    };
    this.hosts[i] = started;
    await this.meet(i);
    return started;
  }

  /** A host loses power: what was not durable is lost. */
  async kill(i: number): Promise<void> {
    const host = this.hosts[i];
    delete this.hosts[i];
    await host?.stop();
  }

  /** The next write to a host's journal fails. */
  failJournal(i: number): void {
    this.#disks[i]?.journal.failNext('io-error');
  }

  async meet(i: number): Promise<void> {
    const own = this.hosts[i] as ControlHost;
    for (const other of this.running()) {
      if (other === own) continue;
      const { self } = other.host.network;
      await own.host.network.connect(self, other.host.network.addresses()).catch(() => {});
    }
  }

  running(): ControlHost[] {
    return this.hosts.filter((host) => host !== undefined);
  }

  at(i: number): ControlHost {
    return this.hosts[i] as ControlHost;
  }

  leader(): ControlHost | undefined {
    return this.running().find(({ control }) => control.isLeading);
  }

  /** Lets time pass until it is true; fails after a minute of the cluster's time. */
  async until(isTrue: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 600; i++) {
      if (isTrue()) return;
      await this.clock.advance(100);
    }
    throw new Error(`${what} did not happen`);
  }

  /** Lets time pass until the promise is settled. */
  async finished<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const noted = work.finally(() => {
      isDone = true;
    });
    noted.catch(() => {});
    for (let i = 0; i < 1200 && !isDone; i++) await this.clock.advance(100);
    return noted;
  }

  /** What people at a host are told is wrong with the log, and not yet that it is over: kinds and names. */
  async peopleAt(i: number): Promise<() => string[]> {
    const { clock } = this;
    const { control, decrees, checkpoints, host } = this.at(i);
    const { ledger, logger: log } = host;
    const book = await AlarmBook.open(new MemoryKeyValue(), log);
    const alarms = new Alarms({ clock, book, log });
    const parts = { control, decrees, checkpoints, ledger, alarms, clock, log };
    void new LogTroubles(parts).run({ signal: this.#ending.signal });
    return () =>
      alarms
        .all()
        .filter(({ clearedMs }) => clearedMs === undefined)
        .map(({ kind, subject }) => `${kind} ${subject}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error('the test is over'));
    for (const host of this.running()) await host.stop();
  }
}
