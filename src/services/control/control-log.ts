import { toHex } from '../../base/bytes.ts';
import { Listeners } from '../../base/listeners.ts';
import { KiB } from '../../base/units.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { sealCommand } from '../../core/format/control-envelope.ts';
import type { CommandId, ControlBody } from '../../core/format/control-records.ts';
import { decodeLogImage, encodeLogImage } from '../../core/format/log-image.ts';
import type { MerkleRange } from '../../core/format/merkle-range.ts';
import type { AgentKey } from '../../core/ids.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import { ControlState } from '../../core/protocol/control/control-state.ts';
import type { LogHead } from '../../core/protocol/control/log-checkpoint.ts';
import { decodeConfig } from '../../core/protocol/raft/config-codec.ts';
import { Raft } from '../../core/protocol/raft/raft.ts';
import type {
  RaftConfig,
  RaftEntry,
  RaftInput,
  RaftMessage,
  RaftOptions,
  RaftOutcome,
  RaftSnapshot,
  RaftStatus,
  RaftStored,
} from '../../core/protocol/raft/types.ts';
import type { ControlJournal } from '../../ports/control-journal.ts';
import type { Cancel, Clock, Entropy, Log } from '../../ports/runtime.ts';
import type { Ledger } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { AppliedCommand, ControlAccess } from './control-access.ts';
import { FormatGuard } from './format-guard.ts';
import { ImageExchange } from './image-exchange.ts';
import { type LogEnd, LogTail } from './log-end.ts';
import { LogHeads } from './log-heads.ts';
import { LogRequests } from './log-requests.ts';
import { firstOf, readable, snapshotState } from './log-snapshot.ts';
import { type Applied, LogWaiters } from './log-waiters.ts';
import { RaftDriver } from './raft-driver.ts';
import { RaftPost } from './raft-post.ts';

export type ControlLogOptions = {
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly journal: ControlJournal;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly self: AgentKey;
  readonly statementSecret: Uint8Array;
  readonly onFatal: (error: unknown) => void;
};

/** Entries kept after the last snapshot: a follower that lacks fewer needs no snapshot. */
const entriesMax = 1024;
const raftSettings = {
  electionTicksMin: 10,
  electionTicksMax: 20,
  heartbeatTicks: 3,
  messageBytesMax: 512 * KiB,
  entriesInFlightMax: 256,
} as const;

/** The control log as this host takes part in it. */
export class ControlLog implements ControlAccess {
  readonly self: AgentKey;
  readonly #options: ControlLogOptions;
  #driver: RaftDriver;
  #tail: LogTail;
  #heads: LogHeads;
  /** Brings images of the log, for whoever has to. */
  readonly images: ImageExchange;
  readonly #post: RaftPost;
  readonly #requests: LogRequests;
  readonly #waiters = new LogWaiters();
  readonly #guard: FormatGuard;
  readonly #appliedListeners = new Listeners<AppliedCommand>();
  readonly #stateListeners = new Listeners<ControlState>();
  readonly #fencedListeners = new Listeners<number>();
  readonly #statusListeners = new Listeners<RaftStatus>();
  #state: ControlState;
  #appliedIndex: number;
  /** Of the newest entry applied: a leader that has applied one of its own term knows all before it. */
  #appliedTerm: number;

  constructor(options: ControlLogOptions) {
    const { ledger, journal, self } = options;
    const { stored, damage } = journal;
    this.#options = options;
    this.#guard = new FormatGuard(options);
    this.self = self;
    const image = snapshotState(stored.snapshot, ledger);
    this.#state = image.state;
    this.#heads = new LogHeads(image.tree);
    this.#appliedIndex = stored.snapshot.index;
    this.#appliedTerm = stored.snapshot.term;
    this.images = new ImageExchange(options.peers);
    this.#post = new RaftPost(options);
    const parts = { post: this.#post, waiters: this.#waiters };
    this.#requests = new LogRequests(this, { ...options, ...parts });
    this.#tail = new LogTail(stored);
    this.#driver = this.#start(stored, damage);
  }

  #start(stored: RaftStored, damage?: RaftOptions): RaftDriver {
    const seed = new DataView(this.#options.entropy.bytes(4).buffer).getUint32(0);
    const raft = new Raft(stored, { self: this.self, seed, ...raftSettings }, damage);
    return new RaftDriver({
      ...this.#options,
      raft,
      send: (message) => this.#post.send(message),
      onWritten: (write) => this.#tail.written(write),
      apply: (entries) => this.#apply(entries),
      install: (installed) => this.#install(installed),
      onStatus: (status) => this.#tellStatus(status),
      onFenced: (generation) => this.#fencedListeners.tell(generation),
    });
  }

  get state(): ControlState {
    return this.#state;
  }

  /** Set once a decree has replaced the log that this host takes part in. */
  get fencedBy(): number | undefined {
    return this.#driver.fencedBy;
  }

  /** Format of the log, once it is one that this software does not know: see FormatGuard. */
  get outdatedBy(): number | undefined {
    return this.#guard.outdatedBy(this.#state);
  }

  get isLeading(): boolean {
    const { role, term } = this.status();
    if (role !== 'leader' || this.outdatedBy !== undefined) return false;
    return this.#appliedTerm === term && !this.#driver.isOver;
  }

  /** Index of the newest entry applied here. */
  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** Head of the log at this size, if it rests there: see LogHeads for what it has passed. */
  headAt(size: number): LogHead | undefined {
    return this.#heads.at(size);
  }

  /** Everything applied here, as bytes (core/format/log-image.ts). */
  image(): Uint8Array {
    return encodeLogImage({ tree: this.#heads.tree, state: this.#state.encode() });
  }

  /** Goes on from an image that a majority has vouched for, ahead of what Raft has brought here. */
  follow(image: Uint8Array): void {
    const { tree, state } = decodeLogImage(image);
    if (tree.size <= this.#appliedIndex) return;
    const { roster, cluster } = this.#options.ledger;
    this.#goOn({ state: ControlState.decode(state, roster.genesis, cluster), tree });
  }

  status(): RaftStatus {
    return this.#driver.status();
  }

  /** Takes part until the signal. */
  async run({ signal }: Cancel): Promise<void> {
    while (signal?.aborted !== true) {
      const driver = this.#driver;
      await driver.run(signal === undefined ? {} : { signal });
      // A decree puts another in its place; anything else ends this agent.
      await this.#adopting.catch(() => {});
      if (driver === this.#driver) return;
    }
  }

  /** Where the log ends here, whatever of it is committed. */
  end(): LogEnd {
    const { generation } = this.status();
    const place = { index: this.#appliedIndex, term: this.#appliedTerm, generation };
    return this.#tail.end(this.#state, place);
  }

  /**
   * Leaves the log for that of a newer generation, which begins with this state. What is written here replaces
   * all that was known.
   */
  adopt(state: ControlState, voters: readonly AgentKey[]): Promise<void> {
    this.#adopting = this.#adopt(state, voters);
    return this.#adopting;
  }

  #adopting: Promise<void> = Promise.resolve();

  async #adopt(state: ControlState, voters: readonly AgentKey[]): Promise<void> {
    await this.#driver.retire();
    const stored = firstOf(state, voters);
    await this.#options.journal.write(stored).catch((error) => this.#die(error));
    this.#state = state;
    this.#heads = new LogHeads();
    this.#appliedIndex = 0;
    this.#appliedTerm = 0;
    this.#tail = new LogTail(stored);
    this.#driver = this.#start(stored);
    this.#stateListeners.tell(this.#state);
    this.#tellStatus(this.status());
  }

  #die(error: unknown): never {
    this.#options.log.log('error', controlMessages.journalFailed, { code: codeOf(error) });
    this.#options.onFatal(error);
    throw error;
  }

  /** A message from the member that a connection has proved. */
  async receive(from: AgentKey, message: RaftMessage): Promise<void> {
    if (message.from !== from) {
      throw new HoldfastError('bad-signature', 'a message of the control log names another sender');
    }
    await this.#driver.step({ kind: 'message', message });
  }

  configure(config: RaftConfig): Promise<RaftOutcome> {
    return this.#driver.step({ kind: 'configure', config });
  }

  transfer(to?: AgentKey): Promise<RaftOutcome> {
    return this.#driver.step({ kind: 'transfer', ...(to === undefined ? {} : { to }) });
  }

  /** Signed by this host, and by `extraSecrets`. */
  seal(body: ControlBody, extraSecrets: readonly Uint8Array[] = []): Uint8Array {
    const { clock, entropy, statementSecret, ledger } = this.#options;
    const id = toHex(entropy.bytes(16)) as CommandId;
    const { bytes } = sealCommand({
      command: { id, timeMs: clock.nowMs(), body },
      cluster: ledger.cluster,
      generation: this.status().generation,
      secrets: [statementSecret, ...extraSecrets],
    });
    return bytes;
  }

  async submit(
    body: ControlBody,
    options: Cancel & { extraSecrets?: readonly Uint8Array[]; timeoutMs?: number } = {},
  ): Promise<Applied> {
    return this.submitSigned(this.seal(body, options.extraSecrets), options);
  }

  async submitSigned(
    envelope: Uint8Array,
    options: Cancel & { timeoutMs?: number } = {},
  ): Promise<Applied> {
    this.#guard.require(this.#state);
    return this.#requests.submitSigned(envelope, options);
  }

  /** Appends a command if this host leads. */
  offerHere(envelope: Uint8Array): Promise<boolean> {
    return this.#requests.offerHere(envelope);
  }

  /** Passes what another member asks on to the leader: see LogRequests. */
  passOn(envelope: Uint8Array): Promise<{ isAppended: boolean; readIndex: bigint }> {
    return this.#requests.passOn(envelope);
  }

  /** Who leads: as this host knows it or, where it knows nobody, as others have told it lately. */
  get leaderByHearsay(): AgentKey | undefined {
    return this.status().leader ?? this.#post.leaderElsewhere;
  }

  /** Somebody here waits for something to be applied. */
  get isAwaited(): boolean {
    return this.#waiters.isAny;
  }

  async confirm(options: Cancel & { timeoutMs?: number } = {}): Promise<void> {
    this.#guard.require(this.#state);
    return this.#requests.confirm(options);
  }

  applied(index: number, options: Cancel & { timeoutMs?: number } = {}): Promise<void> {
    return this.#requests.applied(index, options);
  }

  /** What was committed when this was asked, if this host leads. @throws HoldfastError no-quorum */
  read(): Promise<number> {
    return this.#driver.read();
  }

  step(input: RaftInput): Promise<RaftOutcome> {
    return this.#driver.step(input);
  }

  /** See LogRequests. */
  handOver(to?: AgentKey): Promise<void> {
    return this.#requests.handOver(to);
  }

  onApplied(listener: (command: AppliedCommand) => void): () => void {
    return this.#appliedListeners.add(listener);
  }

  /** Called whenever the state has changed, however it came. Returns a function that stops it. */
  onState(listener: (state: ControlState) => void): () => void {
    return this.#stateListeners.add(listener);
  }

  /** Called when a message has told that a newer generation exists. Returns a function that stops it. */
  onFenced(listener: (generation: number) => void): () => void {
    return this.#fencedListeners.add(listener);
  }

  onStatus(listener: (status: RaftStatus) => void): () => void {
    return this.#statusListeners.add(listener);
  }

  #apply(entries: readonly RaftEntry[]): void {
    if (this.outdatedBy !== undefined) return;
    this.#heads.moveOn();
    for (const entry of entries) {
      if (this.outdatedBy !== undefined) break;
      // Known already, from a checkpoint.
      if (entry.index <= this.#appliedIndex) continue;
      this.#applyOne(entry);
      this.#heads.append(entry);
      this.#appliedIndex = entry.index;
      this.#appliedTerm = entry.term;
      this.#tail.applied(entry.index);
      this.#waiters.appliedUpTo(entry.index);
    }
    this.#heads.rest(this.#state);
    this.#stateListeners.tell(this.#state);
    this.#compactSoon();
    this.#guard.note(this.#state);
  }

  /** Lets another one lead, where this software cannot read the log. */
  async yieldLead(): Promise<void> {
    if (this.status().role !== 'leader' || !this.#guard.mustYield(this.#state)) return;
    await this.#driver.step({ kind: 'transfer' });
  }

  #applyOne({ index, term, kind, payload }: RaftEntry): void {
    if (kind === 'config') this.#state.applyConfig(decodeConfig(payload), index);
    if (kind !== 'command') return;
    const { generation } = this.status();
    const outcome = this.#state.apply({ generation, index, term, envelope: payload });
    if (outcome.outcome === 'void') {
      const { reason } = outcome;
      this.#options.log.log('info', controlMessages.entryVoid, { index, reason });
    }
    const command = readable(payload);
    if (command === undefined) return;
    const { id, body } = command;
    this.#waiters.appliedCommand(id, { ...outcome, index });
    this.#appliedListeners.tell({ index, generation, body, outcome, envelope: payload });
  }

  #install(snapshot: RaftSnapshot): void {
    if (snapshot.index <= this.#appliedIndex || this.outdatedBy !== undefined) return;
    const image = this.#guard.read(snapshot, this.#options.ledger);
    this.#guard.note(this.#state);
    if (image === undefined) return;
    this.#appliedTerm = snapshot.term;
    this.#goOn(image);
  }

  /** From what all entries up to the size of the tree have led to. */
  #goOn({ state, tree }: { readonly state: ControlState; readonly tree: MerkleRange }): void {
    this.#state = state;
    this.#heads = new LogHeads(tree);
    this.#appliedIndex = tree.size;
    this.#tail.applied(tree.size);
    this.#waiters.appliedIn(state);
    this.#waiters.appliedUpTo(tree.size);
    this.#stateListeners.tell(state);
  }

  #isCompacting = false;
  #compactSoon(): void {
    if (this.#isCompacting || this.#appliedIndex - this.status().firstIndex < entriesMax) return;
    this.#isCompacting = true;
    const compact = { kind: 'compact', index: this.#appliedIndex, state: this.image() } as const;
    // After the effects that are being carried out now.
    const done = (): void => {
      this.#isCompacting = false;
    };
    void this.#driver.step(compact).then(done, done);
  }

  #tellStatus(status: RaftStatus): void {
    const { role, term, leader } = status;
    this.#options.log.log('info', controlMessages.roleInLog, { role, term, leader });
    this.#statusListeners.tell(status);
  }
}
