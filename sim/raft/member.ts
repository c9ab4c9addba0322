import type { AgentKey } from '../../src/core/ids.ts';
import type {
  RaftEffect,
  RaftInput,
  RaftLike,
  RaftMessage,
  RaftOptions,
  RaftOutcome,
  RaftSettings,
  RaftStatus,
  RaftStored,
} from '../../src/core/protocol/raft/types.ts';
import type { RaftDisk } from './disk.ts';
import { DigestMachine } from './machine.ts';
import { numberOf } from './names.ts';
import type { Observation } from './observation.ts';

export type MakeRaft = (
  stored: RaftStored,
  settings: RaftSettings,
  options: RaftOptions,
) => RaftLike;

/** What happened, without who it happened to. */
type Seen = Observation extends infer One
  ? One extends Observation
    ? Omit<One, 'member' | 'disk'>
    : never
  : never;

/** Where a member is: it runs, its inputs wait for it, it will start again, or its disk is gone. */
type Condition = 'running' | 'paused' | 'down' | 'lost';

/** A driver of `Raft` as the agent's: it does the effects in order, and may die before each of them. */
export class SimMember {
  readonly key: AgentKey;
  readonly number: number;
  readonly disk: RaftDisk;
  readonly #settings: RaftSettings;
  readonly #make: MakeRaft;
  readonly #send: (message: RaftMessage) => void;
  readonly #observe: (seen: Observation) => void;
  /** Of inputs that came while it was paused. */
  #waiting: RaftInput[] = [];
  #raft: RaftLike | undefined;
  #machine = new DigestMachine();
  #effectsToCrash: number | undefined;
  #onCrash: (() => void) | undefined;
  condition: Condition = 'down';
  /** Moments from one tick to the next. */
  tickPeriod: number;

  constructor(options: {
    readonly settings: RaftSettings;
    readonly disk: RaftDisk;
    readonly tickPeriod: number;
    readonly make: MakeRaft;
    readonly send: (message: RaftMessage) => void;
    readonly observe: (seen: Observation) => void;
  }) {
    this.key = options.settings.self;
    this.number = numberOf(this.key);
    this.disk = options.disk;
    this.tickPeriod = options.tickPeriod;
    this.#settings = options.settings;
    this.#make = options.make;
    this.#send = options.send;
    this.#observe = options.observe;
  }

  /** Undefined while it does not run. */
  get status(): RaftStatus | undefined {
    return this.condition === 'running' ? this.#raft?.status() : undefined;
  }

  /** The index up to which its machine has applied. */
  get applied(): number {
    return this.#machine.index;
  }

  /** True while it may be elected, now or when it is back. */
  get isSound(): boolean {
    return this.condition !== 'lost' && this.disk.lostUpTo === undefined;
  }

  start(): void {
    if (this.condition !== 'down') return;
    const { stored, lost } = this.disk;
    const lostTerm = Number.isFinite(lost?.term) ? lost?.term : undefined;
    this.#raft = this.#make(stored, this.#settings, { lostUpTo: lost?.index, lostTerm });
    this.#machine = DigestMachine.decode(stored.snapshot.state);
    this.condition = 'running';
    this.#see({ kind: 'started' });
  }

  /** Dies at once. */
  crash(): void {
    if (this.condition === 'lost') return;
    this.condition = 'down';
    this.#raft = undefined;
    this.#waiting = [];
    this.#effectsToCrash = undefined;
    this.#onCrash?.();
    this.#onCrash = undefined;
  }

  /** Dies once it has done so many more effects, before the next: between a write and what rests on it, too. */
  crashAfter(effects: number, onCrash: () => void): void {
    if (this.condition !== 'running') return;
    this.#effectsToCrash = effects;
    this.#onCrash = onCrash;
  }

  /** Takes back an order to die. */
  spare(): void {
    this.#effectsToCrash = undefined;
    this.#onCrash = undefined;
  }

  loseDisk(): void {
    this.spare();
    this.crash();
    this.condition = 'lost';
  }

  pause(): void {
    if (this.condition === 'running') this.condition = 'paused';
  }

  resume(): void {
    if (this.condition !== 'paused') return;
    this.condition = 'running';
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const input of waiting) this.step(input);
  }

  step(input: RaftInput): RaftOutcome | undefined {
    if (this.condition === 'paused' && input.kind === 'message') this.#waiting.push(input);
    const raft = this.#raft;
    if (raft === undefined || this.condition !== 'running') return undefined;
    const { outcome, effects } = raft.step(input);
    for (const effect of effects) {
      if (this.#effectsToCrash === 0) {
        this.crash();
        return undefined;
      }
      if (this.#effectsToCrash !== undefined) this.#effectsToCrash--;
      this.#do(effect);
    }
    this.#see({ kind: 'stepped', status: raft.status() });
    return outcome;
  }

  read(id: number): void {
    this.#see({ kind: 'read-asked', id });
    this.step({ kind: 'read', id });
  }

  compact(): void {
    this.step({ kind: 'compact', index: this.#machine.index, state: this.#machine.encode() });
  }

  #do(effect: RaftEffect): void {
    switch (effect.kind) {
      case 'persist':
        this.disk.write(effect.write);
        this.#see({ kind: 'persisted', write: effect.write });
        return;
      case 'send':
        this.#see({ kind: 'sent', message: effect.message });
        this.#send(effect.message);
        return;
      case 'apply':
        for (const entry of effect.entries) {
          this.#machine.apply(entry);
          this.#see({ kind: 'applied', entry, machine: this.#machine });
        }
        return;
      case 'install':
        this.#machine = DigestMachine.decode(effect.snapshot.state);
        this.#see({ kind: 'installed', index: effect.snapshot.index, machine: this.#machine });
        return;
      case 'readable': {
        const { id, index } = effect;
        this.#see({ kind: 'read-answered', id, index, applied: this.applied });
        return;
      }
      case 'role':
        this.#see({ kind: 'role', status: effect.status });
        return;
      case 'unreadable':
      case 'fenced':
        return;
    }
  }

  #see(seen: Seen): void {
    this.#observe({ ...seen, member: this.key, disk: this.disk });
  }
}
