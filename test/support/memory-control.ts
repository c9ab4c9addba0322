import { assert } from '../../src/base/assert.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { sealCommand } from '../../src/core/format/control-envelope.ts';
import { commandIn } from '../../src/core/format/control-peek.ts';
import type { CommandId, ControlBody } from '../../src/core/format/control-records.ts';
import type { AgentKey } from '../../src/core/ids.ts';
import { type ApplyOutcome, ControlState } from '../../src/core/protocol/control/control-state.ts';
import type { RaftConfig, RaftStatus } from '../../src/core/protocol/raft/types.ts';
import type { Cancel, Clock } from '../../src/ports/runtime.ts';
import type { AppliedCommand, ControlAccess } from '../../src/services/control/control-access.ts';
import type { SampleAgent, SampleCluster } from './sample-cluster.ts';

type Entry = { readonly index: number } & (
  | { readonly kind: 'command'; readonly envelope: Uint8Array }
  | { readonly kind: 'config'; readonly config: RaftConfig }
);

type Applied = ApplyOutcome & { readonly index: number };

/**
 * A control log without consensus: one list of entries, and a real ControlState for each agent that reads it.
 * Who leads is what the test says. Entries are applied at once, except by agents that `hold` back.
 */
export class MemoryControlLog {
  readonly cluster: SampleCluster;
  readonly clock: Clock;
  readonly entries: Entry[] = [];
  readonly #replicas = new Map<AgentKey, MemoryControl>();
  /** Reads everything and does nothing. */
  readonly #reader: MemoryControl;
  #leader: AgentKey | undefined;
  #term = 0;
  #config: RaftConfig;
  #idCount = 0;
  /** Called before an entry is appended; what it throws, the submitter gets instead. */
  beforeAppend: ((body: ControlBody, from: AgentKey) => void) | undefined;
  /** Called when an entry has been applied by all who are not held back. */
  afterAppend: ((body: ControlBody, index: number) => void) | undefined;

  constructor(cluster: SampleCluster, clock: Clock) {
    this.cluster = cluster;
    this.clock = clock;
    this.#config = { voters: [cluster.founder.agentKey], learners: [] };
    this.#reader = new MemoryControl(this, cluster.founder);
  }

  /** What the whole log has led to. */
  get state(): ControlState {
    this.#reader.catchUp();
    return this.#reader.state;
  }

  /** What became of an entry. */
  outcome(index: number): ApplyOutcome | undefined {
    return this.#reader.replayed(index);
  }

  get leader(): AgentKey | undefined {
    return this.#leader;
  }

  get term(): number {
    return this.#term;
  }

  get config(): RaftConfig {
    return this.#config;
  }

  /** This agent's part of the log, from its beginning on. Call again for an agent that was restarted. */
  access(agent: SampleAgent): MemoryControl {
    const replica = new MemoryControl(this, agent);
    this.#replicas.set(agent.agentKey, replica);
    replica.catchUp();
    return replica;
  }

  /** Makes agents members of the log, by the founder's hand. */
  admit(agents: readonly SampleAgent[]): void {
    for (const agent of agents) {
      const [invite, admission] = this.cluster.admit(agent);
      assert(
        invite !== undefined && admission !== undefined,
        'an agent is admitted by two statements',
      );
      this.say({ kind: 'admit', invite, admission }, [this.cluster.founder.statementSecret]);
    }
  }

  vote(voters: readonly AgentKey[]): void {
    this.#config = { voters: [...voters].sort(), learners: [] };
    this.#append((index) => ({ kind: 'config', index, config: this.#config }));
    this.#tell();
  }

  /** Somebody leads from now on, or nobody does. */
  lead(agent: AgentKey | undefined): void {
    this.#leader = agent;
    this.#term++;
    this.#tell();
  }

  /** A command with any signatures, as it would come from an operator's terminal. It must be applied. */
  say(body: ControlBody, secrets: readonly Uint8Array[] = [this.cluster.operatorSecret]): number {
    const index = this.append(this.seal(body, secrets));
    const outcome = this.outcome(index);
    assert(outcome?.outcome === 'applied', `applied: ${JSON.stringify(outcome)}`);
    return index;
  }

  seal(body: ControlBody, secrets: readonly Uint8Array[]): Uint8Array {
    const id = (++this.#idCount).toString(16).padStart(32, '0') as CommandId;
    const command = { id, timeMs: this.clock.nowMs(), body };
    return sealCommand({ command, cluster: this.cluster.id, generation: 1, secrets }).bytes;
  }

  append(envelope: Uint8Array): number {
    return this.#append((index) => ({ kind: 'command', index, envelope }));
  }

  #append(make: (index: number) => Entry): number {
    const index = this.entries.length + 1;
    const entry = make(index);
    this.entries.push(entry);
    for (const replica of this.#replicas.values()) replica.catchUp();
    if (entry.kind === 'command') this.afterAppend?.(commandIn(entry.envelope).body, index);
    return index;
  }

  #tell(): void {
    for (const replica of this.#replicas.values()) replica.tellStatus();
  }
}

/** One agent's view of a MemoryControlLog. */
export class MemoryControl implements ControlAccess {
  readonly self: AgentKey;
  readonly state: ControlState;
  /** Commands of this agent no longer reach the log, and it leads no more, whatever others think. */
  isCut = false;
  readonly #log: MemoryControlLog;
  readonly #secret: Uint8Array;
  readonly #applied = new Set<(command: AppliedCommand) => void>();
  readonly #status = new Set<(status: RaftStatus) => void>();
  readonly #outcomes = new Map<number, Applied>();
  readonly #waiting = new Set<() => void>();
  #position = 0;
  #isHeld = false;
  #isCatchingUp = false;

  constructor(log: MemoryControlLog, agent: SampleAgent) {
    this.#log = log;
    this.self = agent.agentKey;
    this.#secret = agent.statementSecret;
    this.state = new ControlState(log.cluster.genesis, log.cluster.id);
  }

  get isLeading(): boolean {
    return !this.isCut && this.#log.leader === this.self;
  }

  status(): RaftStatus {
    const { term, leader, config, entries } = this.#log;
    const position = { commit: entries.length, lastIndex: entries.length, firstIndex: 0 };
    const role = this.isLeading ? 'leader' : 'follower';
    return { role, generation: 1, term, leader, config, ...position, progress: [] };
  }

  async submit(
    body: ControlBody,
    { signal, extraSecrets = [] }: Cancel & { extraSecrets?: readonly Uint8Array[] } = {},
  ): Promise<Applied> {
    // As over a network: nothing has happened when the call returns.
    await Promise.resolve();
    signal?.throwIfAborted();
    if (this.isCut || this.#log.leader === undefined) throw noQuorum();
    this.#log.beforeAppend?.(body, this.self);
    return this.#outcome(this.#log.append(this.#log.seal(body, [this.#secret, ...extraSecrets])));
  }

  async submitSigned(envelope: Uint8Array): Promise<Applied> {
    await Promise.resolve();
    if (this.isCut || this.#log.leader === undefined) throw noQuorum();
    return this.#outcome(this.#log.append(envelope));
  }

  async #outcome(index: number): Promise<Applied> {
    await this.applied(index);
    const outcome = this.#outcomes.get(index);
    assert(outcome !== undefined, 'a command that was applied has an outcome');
    return outcome;
  }

  async confirm(): Promise<void> {
    if (this.isCut) throw noQuorum();
    await this.applied(this.#log.entries.length);
  }

  async applied(
    index: number,
    { signal, timeoutMs }: Cancel & { timeoutMs?: number } = {},
  ): Promise<void> {
    if (this.#position >= index) return;
    const over = new AbortController();
    const all = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
    const late =
      timeoutMs === undefined
        ? new Promise<never>(() => {})
        : this.#log.clock.sleep(timeoutMs, { signal: all }).then(() => {
            throw new HoldfastError('timeout', `entry ${index} has not arrived here`);
          });
    late.catch(() => {});
    const done = new Promise<void>((resolve) => {
      const check = (): void => {
        if (this.#position < index) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
    });
    await Promise.race([done, late]).finally(() => over.abort(new Error('no longer waited for')));
  }

  onApplied(listener: (command: AppliedCommand) => void): () => void {
    this.#applied.add(listener);
    return () => this.#applied.delete(listener);
  }

  onStatus(listener: (status: RaftStatus) => void): () => void {
    this.#status.add(listener);
    return () => this.#status.delete(listener);
  }

  /** Takes nothing more of the log until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.catchUp();
  }

  tellStatus(): void {
    for (const listener of this.#status) listener(this.status());
  }

  /** Applies what is new, in order, even when a listener adds to it meanwhile. */
  catchUp(): void {
    if (this.#isCatchingUp || this.#isHeld) return;
    this.#isCatchingUp = true;
    for (
      let entry = this.#log.entries[this.#position];
      entry !== undefined && !this.#isHeld;
      entry = this.#log.entries[this.#position]
    ) {
      this.#apply(entry);
    }
    this.#isCatchingUp = false;
  }

  /** The outcome of one entry, for an agent that has read the log up to it. */
  replayed(index: number): Applied | undefined {
    this.catchUp();
    return this.#outcomes.get(index);
  }

  #apply(entry: Entry): void {
    const { index } = entry;
    this.#position = index;
    if (entry.kind === 'config') this.state.applyConfig(entry.config, index);
    else {
      const { envelope } = entry;
      const outcome = this.state.apply({ generation: 1, index, term: 1, envelope });
      this.#outcomes.set(index, { ...outcome, index });
      const { body } = commandIn(envelope);
      const applied = { index, generation: 1, body, outcome, envelope };
      for (const listener of this.#applied) listener(applied);
    }
    for (const check of [...this.#waiting]) check();
  }
}

function noQuorum(): HoldfastError {
  return new HoldfastError('no-quorum', 'nobody leads the control log');
}
