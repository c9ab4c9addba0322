import type { AgentKey } from '../../src/core/ids.ts';
import { networkMessages } from '../../src/core/log-messages/network.ts';
import type { Log } from '../../src/ports/runtime.ts';
import type { CheckpointKeeper } from '../../src/services/control/checkpoint-keeper.ts';
import type { ControlLog } from '../../src/services/control/control-log.ts';
import type { DecreeKeeper } from '../../src/services/control/decree-keeper.ts';
import type { StepActions, StepTask } from '../../src/services/plan/step-actions.ts';
import type { WriteRight } from '../../src/services/plan/write-right.ts';
import type { StepOutcome } from '../../src/services/plan/step-outcome.ts';
import type { Internet } from '../internet.ts';
import { SimFacts, SimLog } from '../log.ts';
import { Prng } from '../prng.ts';
import { Life, type World } from '../world.ts';
import type { Cast, Person } from './cast.ts';
import { HostClock, type HostTime } from './clock.ts';
import {
  type Begun,
  ControlDisk,
  SimFences,
  SimGenerations,
  SimJournal,
  SimSteps,
} from './disk.ts';
import { SimLeaseGuard } from './lease-guard.ts';
import { PausableNetwork } from './network.ts';
import type { ControlSeen } from './observation.ts';
import type { Parts } from './parts.ts';

export type ControlAgentOptions = {
  readonly world: World;
  readonly internet: Internet;
  readonly person: Person;
  readonly cast: Cast;
  /** A copy of a host, which has an address of its own. */
  readonly isClone?: boolean;
  readonly parts: Parts;
  readonly begun: Begun;
  readonly hasCheckpoints: boolean;
  readonly hasLeases: boolean;
  readonly observe: (seen: ControlSeen) => void;
  /** A bug. */
  readonly onFailure: (error: unknown) => void;
};

type Run = {
  readonly life: Life;
  readonly clock: HostClock;
  readonly network: PausableNetwork;
  readonly control: ControlLog;
  readonly checkpoints: CheckpointKeeper;
  readonly decrees: DecreeKeeper;
  readonly writeRight: WriteRight;
};

/** What happened, without who it happened to. */
type Seen = ControlSeen extends infer One
  ? One extends ControlSeen
    ? Omit<One, 'agent' | 'name'>
    : never
  : never;

/** A host of the control plane: its disk stays, its program starts, crashes and starts again. */
export class ControlAgent implements HostTime {
  readonly person: Person;
  readonly disk: ControlDisk;
  readonly guard: SimLeaseGuard;
  readonly address: string;
  ratePerMille = 1000;
  skewMs = 0;
  run: Run | undefined;
  isPaused = false;
  /** The program that it starts next. */
  parts: Parts;
  /** What it sends in the place of what its program says. */
  lie: ((request: Uint8Array) => Uint8Array) | undefined;
  /** Its journal has failed: the agent stops, and somebody must start it again. */
  hasStopped = false;
  /** Nobody can start it: it burnt, or is taken for that. */
  isLost = false;
  #resumed: (() => void)[] = [];
  readonly #options: ControlAgentOptions;
  readonly #random: Prng;

  constructor(options: ControlAgentOptions) {
    this.#options = options;
    this.person = options.person;
    this.parts = options.parts;
    this.address = `/sim/${this.name}${options.isClone === true ? '/clone' : ''}`;
    this.disk = new ControlDisk(options.world, options.begun);
    this.#random = options.world.random.fork();
    this.guard = new SimLeaseGuard({
      ...{ world: options.world, time: this, random: new Prng(options.world.seed) },
      onStart: (dataset) => {
        options.world.meet('programs started under a lease');
        options.world.note(`${this.name} starts the programs of ${dataset}`);
        this.#see({ kind: 'programs', dataset });
      },
    });
  }

  get name(): string {
    return this.person.descriptor.name;
  }

  get agentKey(): AgentKey {
    return this.person.agentKey;
  }

  get control(): ControlLog | undefined {
    return this.run?.control;
  }

  onResume(run: () => void): void {
    this.#resumed.push(run);
  }

  /** The process stands still, and does not know it. */
  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    const resumed = this.#resumed;
    this.#resumed = [];
    for (const run of resumed) run();
  }

  /** Starts the shipped services over this host's ports, as src/agent/control-plane.ts does. */
  async start(): Promise<void> {
    const { world, internet, cast } = this.#options;
    const { parts } = this;
    world.note(`${this.name} starts`);
    const life = new Life();
    const clock = new HostClock(world, life, this);
    const log = this.#logger();
    const { agentKey: self, statementSecret, peerKey } = this.person;
    const statements = new SimLog(this.disk.statements, life);
    const ledger = await parts.Ledger.open({
      genesisBytes: cast.genesisBytes,
      log: statements,
      clock,
      self: this.person,
    });
    // Known from the start on: no crash comes between.
    if (ledger.heads().length === 0) for (const one of cast.founding) await ledger.ingest(one);
    const network = new PausableNetwork(internet, {
      ...{ self: peerKey, life, host: this },
      time: this,
      alter: (request) => this.lie?.(request) ?? request,
      admit: (peer) => ledger.roster.mayConnect(peer, clock.nowMs()) !== undefined,
    });
    const facts = new SimFacts(this.disk.statements, life);
    const shared = { network, ledger, clock, logger: log, log, version: '1.0.0', facts };
    const peers = new parts.Peers(shared);
    const serve = new parts.Serve(shared);
    const control = new parts.ControlLog({
      ...{ ledger, peers, journal: new SimJournal(this.disk, life), clock, log, self },
      ...{ statementSecret, entropy: this.#random },
      onFatal: () => this.#stop(life),
    });
    const steps = new SimSteps(this.disk, life);
    const fences = new SimFences(this.disk, life);
    const keys = { recipient: async () => 'age1', forget: async () => {} };
    const actions = this.#actions(clock);
    const worker = new parts.PlanWorker({ control, fences, steps, actions, keys, clock, log });
    parts.answerControl(serve, control);
    worker.answerPeers(serve);
    const full = { control, ledger, peers, clock, log, statementSecret };
    const checkpoints = new parts.CheckpointKeeper(full);
    checkpoints.answer(serve);
    const generations = new SimGenerations(this.disk, life);
    const decrees = new parts.DecreeKeeper({ ...full, generations, entropy: this.#random });
    decrees.answer(serve);
    this.#listen(control, life);
    serve.start();
    peers.start();
    const leases = new parts.LeaseKeeper({ control, guard: this.guard, clock, log });
    const writeRight = new parts.WriteRight(control, leases);
    this.run = { life, clock, network, control, checkpoints, decrees, writeRight };
    await worker.start();
    const duties = [
      control,
      new parts.VoterKeeper(full),
      decrees,
      new parts.FenceVoter({ control, fences, clock, log }),
      new parts.SiteWatch({ control, peers, clock, log }),
      new parts.Failover({ control, clock, log }),
      new parts.TimeKeeper({ control, clock, log, time: clock }),
      new parts.PlanCoordinator({ control, peers, worker, clock, log }),
      ...(this.#options.hasCheckpoints ? [checkpoints] : []),
      ...(this.#options.hasLeases ? [leases, new parts.LeaseWatch({ control, clock, log })] : []),
    ];
    for (const duty of duties) duty.run({}).catch((error) => this.#options.onFailure(error));
  }

  /** Power off. What was written and not synced may be lost. */
  crash(): void {
    const { world, internet } = this.#options;
    this.isPaused = false;
    this.#resumed = [];
    if (this.run === undefined) return;
    world.note(`${this.name} crashes`);
    this.run.life.isAlive = false;
    this.run.clock.abandon();
    internet.crash(this.run.network);
    this.run = undefined;
    this.disk.device.crash();
  }

  #stop(life: Life): void {
    this.#options.world.meet('an agent that stops because its journal fails');
    this.#options.world.after(0, () => {
      if (this.run?.life === life) this.crash();
      this.hasStopped = true;
    });
  }

  #listen(control: ControlLog, life: Life): void {
    const see = (seen: Seen): void => {
      if (life.isAlive) this.#see(seen);
    };
    see({ kind: 'started' });
    see({ kind: 'state', control });
    control.onStatus((status) => see({ kind: 'status', status }));
    control.onState(() => see({ kind: 'state', control }));
    control.onFenced((generation) => see({ kind: 'fenced', generation }));
    control.onApplied((command) => see({ kind: 'applied', command, control }));
  }

  #see(seen: Seen): void {
    this.#options.observe({ ...seen, agent: this.agentKey, name: this.name } as ControlSeen);
  }

  #actions(clock: HostClock): StepActions {
    const play = async (task: StepTask, isUndo: boolean): Promise<StepOutcome> => {
      this.#see({ kind: 'deed', task, isUndo });
      const { world } = this.#options;
      world.note(`${this.name} ${isUndo ? 'undoes' : 'does'} ${task.step.id} ${task.attempt}`);
      world.meet(`${isUndo ? 'undoing a' : 'a'} ${task.step.kind}`);
      await clock.sleep(this.#random.pick([50, 500, 3000]), { signal: task.signal });
      const state = this.#random.chance(120) ? 'failed' : 'done';
      return { state, detail: `${task.step.id} is ${state}`, evidence: new Uint8Array(4) };
    };
    return { perform: (task) => play(task, false), undo: (task) => play(task, true) };
  }

  /** What the program takes for impossible is a failure; the rest belongs into the trace. */
  #logger(): Log {
    return {
      log: (level, message, context = {}) => {
        if (level === 'debug') return;
        const fields = Object.entries(context).map(([key, value]) => `${key} ${String(value)}`);
        this.#options.world.note(`${this.name} logs: ${message} (${fields.join(', ')})`);
        if (level !== 'error' || message !== networkMessages.requestNotAnswered) return;
        this.#options.onFailure(new Error(`${this.name}: ${message}: ${String(context.problem)}`));
      },
    };
  }
}
