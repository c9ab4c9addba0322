import { RaftDisk } from '../../../../../sim/raft/disk.ts';
import { keyOf, nameOf } from '../../../../../sim/raft/names.ts';
import { idOf } from '../../../../../src/core/ids.ts';
import { Raft } from '../../../../../src/core/protocol/raft/raft.ts';
import type {
  RaftConfig,
  RaftEffect,
  RaftEntry,
  RaftInput,
  RaftMessage,
  RaftMessageBody,
  RaftOptions,
  RaftOutcome,
  RaftSettings,
} from '../../../../../src/core/protocol/raft/types.ts';

/** A is the first member, B the second. */
export function key(name: string) {
  return keyOf(name.charCodeAt(0) - 65);
}

export function configOf(voters: string, learners = ''): RaftConfig {
  return { voters: [...voters].map(key), learners: [...learners].map(key) };
}

export function command(index: number, term: number, size = 2): RaftEntry {
  return { index, term, kind: 'command', payload: new Uint8Array(size).fill(term) };
}

/** Entries of these terms, from index 1 on. */
export function logOf(...terms: readonly number[]): RaftEntry[] {
  return terms.map((term, i) => command(i + 1, term));
}

export const electionTicks = 10;

type Told = RaftMessage & { readonly text: string };

/** Members whose clocks, messages and crashes a test moves one by one. */
export class ScriptedGroup {
  readonly #settings: Partial<RaftSettings>;
  readonly #founding: RaftConfig;
  readonly #members = new Map<string, { raft: Raft | undefined; disk: RaftDisk }>();
  /** All effects so far, of whom. */
  readonly effects: { readonly name: string; readonly effect: RaftEffect }[] = [];
  /** Messages on their way. */
  messages: Told[] = [];
  /** Links that lose everything: "AB" is from A to B. */
  readonly cuts = new Set<string>();

  constructor(founding: RaftConfig, settings: Partial<RaftSettings> = {}) {
    this.#founding = founding;
    this.#settings = settings;
    for (const agent of [...founding.voters, ...founding.learners]) this.join(nameOf(agent));
  }

  /** Starts a member with an empty disk, or with this log and term on it. */
  join(name: string, entries: readonly RaftEntry[] = [], term = entries.at(-1)?.term ?? 0): void {
    const disk = new RaftDisk(this.#founding);
    disk.write({ hard: { generation: 1, term, votedFor: undefined }, append: entries });
    this.#members.set(name, { raft: undefined, disk });
    this.restart(name);
  }

  crash(name: string): void {
    this.#member(name).raft = undefined;
  }

  /** Starts from what is on the disk. */
  restart(name: string, options: RaftOptions = {}): void {
    const member = this.#member(name);
    member.raft = new Raft(
      member.disk.stored,
      {
        self: key(name),
        electionTicksMin: electionTicks,
        electionTicksMax: electionTicks,
        heartbeatTicks: 2,
        messageBytesMax: 1024,
        entriesInFlightMax: 64,
        seed: 1,
        ...this.#settings,
      },
      options,
    );
  }

  raft(name: string): Raft {
    const { raft } = this.#member(name);
    if (raft === undefined) throw new Error(`${name} does not run`);
    return raft;
  }

  disk(name: string): RaftDisk {
    return this.#member(name).disk;
  }

  status(name: string) {
    return this.raft(name).status();
  }

  /** Gives an input, and does what follows in the order that is asked for. */
  step(name: string, input: RaftInput): RaftOutcome {
    const { outcome, effects } = this.raft(name).step(input);
    for (const effect of effects) {
      this.effects.push({ name, effect });
      if (effect.kind === 'persist') this.disk(name).write(effect.write);
      if (effect.kind === 'send') this.#sent(effect.message);
    }
    return outcome;
  }

  tick(name: string, count = 1): void {
    for (let i = 0; i < count; i++) this.step(name, { kind: 'tick' });
  }

  /** A message from anybody, made by the test. */
  tell(from: string, to: string, term: number, body: RaftMessageBody, generation = 1): RaftOutcome {
    return this.step(to, {
      kind: 'message',
      message: { from: key(from), to: key(to), generation, term, body },
    });
  }

  /** Delivers messages, and what they cause, until none is left or none may pass. */
  deliver(mayPass: (message: Told) => boolean = () => true): void {
    for (let i = 0; i < 10_000; i++) {
      const at = this.messages.findIndex((message) => mayPass(message));
      const [message] = at < 0 ? [] : this.messages.splice(at, 1);
      if (message === undefined) return;
      const name = nameOf(message.to);
      if (this.#members.get(name)?.raft !== undefined)
        this.step(name, { kind: 'message', message });
    }
    throw new Error('the messages never end');
  }

  /** Loses what is on its way. */
  drop(isLost: (message: Told) => boolean = () => true): void {
    this.messages = this.messages.filter((message) => !isLost(message));
  }

  /** Makes a member stand, and lets the others answer. */
  elect(name: string): void {
    this.tick(name, electionTicks);
    this.deliver();
  }

  /** Lets a leader's heartbeats, and all that they cause, go round a few times. */
  settle(leader: string, ticks = 6): void {
    for (let i = 0; i < ticks; i++) {
      this.tick(leader);
      this.deliver();
    }
  }

  propose(name: string, size = 1): RaftOutcome {
    return this.step(name, { kind: 'propose', payload: new Uint8Array(size) });
  }

  /** Terms of the entries on a disk. */
  terms(name: string): number[] {
    return this.disk(name).entries.map(({ term }) => term);
  }

  /** What was said so far: "A>B append-request". */
  said(): string[] {
    return this.effects.flatMap(({ effect }) =>
      effect.kind === 'send' ? [textOf(effect.message)] : [],
    );
  }

  /** Bodies of one kind that a member has sent so far. */
  sentBy<Kind extends RaftMessageBody['kind']>(name: string, kind: Kind) {
    return this.effects.flatMap((one) => {
      if (one.name !== name || one.effect.kind !== 'send') return [];
      const { body } = one.effect.message;
      return body.kind === kind ? [body as Extract<RaftMessageBody, { kind: Kind }>] : [];
    });
  }

  /** Effects of one kind of a member. */
  did<Kind extends RaftEffect['kind']>(name: string, kind: Kind) {
    return this.effects.flatMap((one) =>
      one.name === name && one.effect.kind === kind
        ? [one.effect as Extract<RaftEffect, { kind: Kind }>]
        : [],
    );
  }

  #sent(message: RaftMessage): void {
    const text = textOf(message);
    if (!this.cuts.has(text.slice(0, 3).replace('>', ''))) this.messages.push({ ...message, text });
  }

  #member(name: string) {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`there is no ${name}`);
    return member;
  }
}

function textOf({ from, to, body }: RaftMessage): string {
  return `${nameOf(from)}>${nameOf(to)} ${body.kind}`;
}

/** Another key than all of the above. */
export const stranger = idOf<ReturnType<typeof key>>(new Uint8Array(32).fill(0xee));
