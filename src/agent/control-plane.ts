import { cosignCommand } from '../core/format/control-envelope.ts';
import { commandIn } from '../core/format/control-peek.ts';
import type { AgentKey, ClusterId } from '../core/ids.ts';
import { controlMessages } from '../core/log-messages/control.ts';
import type { LogProof } from '../core/protocol/control/proven-log.ts';
import type { Compute } from '../ports/compute.ts';
import type { ControlJournal } from '../ports/control-journal.ts';
import type { FenceStore, StepStore } from '../ports/fence-store.ts';
import type { GenerationStore } from '../ports/generation-store.ts';
import type { HookRunner } from '../ports/hook.ts';
import type { LeaseGuard } from '../ports/lease-guard.ts';
import type { Network } from '../ports/network.ts';
import type { ProbeRunner } from '../ports/probe.ts';
import type { RecordStore } from '../ports/record-store.ts';
import type { RestorePlaces } from '../ports/restore-place.ts';
import type { Cancel, Clock, Entropy, Log } from '../ports/runtime.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { SecretStore } from '../ports/secrets.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { FactStore } from '../ports/statement-log.ts';
import type { Alarms } from '../services/alarms.ts';
import { AnchorKeeper } from '../services/control/anchor-keeper.ts';
import { answerControl } from '../services/control/answer-control.ts';
import { CheckpointKeeper } from '../services/control/checkpoint-keeper.ts';
import { ControlLog } from '../services/control/control-log.ts';
import { DecreeKeeper } from '../services/control/decree-keeper.ts';
import { LogTroubles } from '../services/control/log-troubles.ts';
import { InviteKeeper } from '../services/control/invite-keeper.ts';
import type { Applied } from '../services/control/log-waiters.ts';
import { OperatorKeeper } from '../services/control/operator-keeper.ts';
import { TimeKeeper } from '../services/control/time-keeper.ts';
import { anchoredFirst, type AnchoredFirstOptions } from '../services/control/unanchored.ts';
import { VoterKeeper } from '../services/control/voter-keeper.ts';
import type { DurabilityView } from '../services/durability-view.ts';
import { Farewell } from '../services/farewell.ts';
import type { HostClock } from '../services/host-clock.ts';
import type { Ledger } from '../services/ledger.ts';
import type { Peers } from '../services/peers.ts';
import { PlanCoordinator } from '../services/plan/coordinator.ts';
import { Failover } from '../services/plan/failover.ts';
import { FenceVoter } from '../services/plan/fence-voter.ts';
import { LeaseKeeper } from '../services/plan/lease-keeper.ts';
import { LeaseWatch } from '../services/plan/lease-watch.ts';
import { RestoreStep } from '../services/plan/restore-step.ts';
import { RunKeys } from '../services/plan/run-keys.ts';
import { SiteWatch } from '../services/plan/site-watch.ts';
import { HostActions } from '../services/plan/step-actions.ts';
import { PlanWorker } from '../services/plan/worker.ts';
import { WriteRight } from '../services/plan/write-right.ts';
import type { Serve } from '../services/serve.ts';
import { SnapshotSession } from '../services/snapshot-session.ts';
import type { Sync } from '../services/sync.ts';

/** What the control plane needs of the world beside what services share. */
export type ControlPorts = {
  readonly controlJournal: ControlJournal;
  readonly generations: GenerationStore;
  readonly fences: FenceStore;
  readonly steps: StepStore;
  readonly probes: ProbeRunner;
  readonly hooks: HookRunner;
  readonly places: RestorePlaces;
  /** Undefined on a host that has no programs to start and stop. */
  readonly leaseGuard?: LeaseGuard;
};

export type ControlPlaneOptions = ControlPorts & {
  readonly ledger: Ledger;
  readonly network: Network;
  readonly peers: Peers;
  readonly sync: Sync;
  readonly view: DurabilityView;
  readonly facts: FactStore;
  /** Undefined on an agent that holds no shards. */
  readonly store: ShardStore | undefined;
  readonly secrets: SecretStore;
  readonly sealer: Sealer;
  readonly compute: Compute;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly self: AgentKey;
  readonly statementSecret: Uint8Array;
  readonly hostClock: HostClock;
  readonly promises: RecordStore;
  readonly alarms: Alarms;
  readonly onFatal: (error: unknown) => void;
};

/** What an agent does for what needs agreement: its part of the control log, its duties, and work for plans. */
export class ControlPlane implements AsyncDisposable {
  readonly log: ControlLog;
  readonly voters: VoterKeeper;
  readonly decrees: DecreeKeeper;
  readonly checkpoints: CheckpointKeeper;
  readonly troubles: LogTroubles;
  readonly worker: PlanWorker;
  readonly keys: RunKeys;
  readonly writeRight: WriteRight;
  readonly farewell: Farewell;
  readonly #facts: FactStore;
  readonly #generations: GenerationStore;
  readonly #anchoring: AnchoredFirstOptions & Pick<ControlPlaneOptions, 'log'>;
  readonly #signing: { readonly cluster: ClusterId; readonly secret: Uint8Array };
  /** Each runs until the agent stops. */
  readonly #duties: readonly { run(options: Cancel): Promise<void> }[];

  constructor(options: ControlPlaneOptions) {
    const control = new ControlLog({ ...options, journal: options.controlJournal });
    this.log = control;
    const shared = { ...options, control };
    this.#anchoring = shared;
    const leases = new LeaseKeeper({ ...shared, guard: options.leaseGuard });
    this.writeRight = new WriteRight(control, leases);
    const { roster } = options.ledger;
    roster.adoptLog(control.state);
    roster.adoptPolicy(control.state.policy.current);
    roster.adoptRecoveryKey(control.state.keys.kit.recoveryKey);
    this.farewell = new Farewell(shared);
    control.onState((state) => {
      if (roster.adoptLog(state)) this.farewell.membersChanged(state);
      roster.adoptPolicy(state.policy.current);
      roster.adoptRecoveryKey(state.keys.kit.recoveryKey);
    });
    this.voters = new VoterKeeper(shared);
    this.decrees = new DecreeKeeper(shared);
    this.checkpoints = new CheckpointKeeper(shared);
    const { decrees, checkpoints } = this;
    this.troubles = new LogTroubles({ ...shared, decrees, checkpoints });
    const keys = new RunKeys(shared);
    this.keys = keys;
    this.#facts = options.facts;
    this.#signing = { cluster: options.ledger.cluster, secret: options.statementSecret };
    this.#generations = options.generations;
    this.worker = new PlanWorker({ ...shared, keys, actions: actionsOf(shared, keys) });
    this.#duties = [
      control,
      this.voters,
      this.decrees,
      this.checkpoints,
      this.troubles,
      this.farewell,
      new AnchorKeeper(shared),
      new OperatorKeeper(shared),
      new InviteKeeper(shared),
      new TimeKeeper({ ...shared, time: options.hostClock }),
      new FenceVoter(shared),
      leases,
      new LeaseWatch(shared),
      new SiteWatch(shared),
      new Failover(shared),
      new PlanCoordinator({ ...shared, worker: this.worker }),
    ];
  }

  /** Keeps a part of a grant, for the member that it is sealed to. Durable when resolved. */
  keepFact(hash: Uint8Array, fact: Uint8Array): Promise<void> {
    return this.#facts.put(hash, fact);
  }

  /** A command that somebody has signed and brings to this host. */
  async submitBrought(envelope: Uint8Array): Promise<Applied> {
    for (const { hash } of await anchoredFirst(this.#anchoring, commandIn(envelope).body)) {
      const { log } = this.#anchoring;
      log.log('warn', controlMessages.endedUnanchored, { snapshot: hash });
    }
    return this.log.submitSigned(this.#cosigned(envelope));
  }

  /** A proof that a share is there is signed by its custodian's host, too. */
  #cosigned(envelope: Uint8Array): Uint8Array {
    if (commandIn(envelope).body.kind !== 'share-proof') return envelope;
    return cosignCommand(envelope, this.#signing);
  }

  /** What proves the log, up to its newest complete checkpoint, to who knows the genesis alone; undefined: none yet. */
  async proof(): Promise<LogProof | undefined> {
    const { complete } = this.checkpoints;
    if (complete === undefined) return undefined;
    const { note, image, generation } = complete;
    const start = generation === 1 ? undefined : await this.#generations.read();
    return { note, image, decree: start?.envelope };
  }

  /** Lets other members speak to it. */
  answer(serve: Pick<Serve, 'register'>): void {
    answerControl(serve, this.log);
    this.decrees.answer(serve);
    this.checkpoints.answer(serve);
    this.worker.answerPeers(serve);
    this.farewell.answer(serve);
  }

  /** Takes part until the signal. */
  async run(options: Cancel): Promise<void> {
    await this.worker.start();
    await Promise.all(this.#duties.map((duty) => duty.run(options)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker[Symbol.asyncDispose]();
  }
}

function actionsOf(options: ControlPlaneOptions, keys: RunKeys): HostActions {
  const { store, ...rest } = options;
  const session = new SnapshotSession({ ...rest, ...(store === undefined ? {} : { store }) });
  const restores = new RestoreStep({ ...options, session, keys });
  return new HostActions({ ...options, restores });
}
