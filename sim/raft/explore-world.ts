import { toHex } from '../../src/base/bytes.ts';
import type { AgentKey } from '../../src/core/ids.ts';
import type { Raft } from '../../src/core/protocol/raft/raft.ts';
import type {
  RaftEntry,
  RaftInput,
  RaftMessage,
  RaftOptions,
  RaftSettings,
  RaftStored,
} from '../../src/core/protocol/raft/types.ts';
import { RaftDisk } from './disk.ts';
import { keyOf, nameOf, numberOf } from './names.ts';

/** What a search may use up. */
export type Bounds = {
  /** The highest term that anybody may stand in. */
  readonly terms: number;
  readonly proposals: number;
  readonly crashes: number;
  /** Messages under way; one more is lost. */
  readonly messages: number;
  /** Moves in a row. */
  readonly depth: number;
};

/** One thing that may happen next. */
export type Move =
  | { readonly kind: 'deliver'; readonly message: string }
  /** It loses patience: stands, or goes another round if it leads. */
  | { readonly kind: 'time-out' | 'propose' | 'crash'; readonly member: number };

type Make = (stored: RaftStored, settings: RaftSettings, options: RaftOptions) => Raft;

type Member = { readonly raft: Raft; readonly disk: RaftDisk; readonly mark: string };

export const voterCount = 3;
const electionTicks = 2;
const voters = Array.from({ length: voterCount }, (_, number) => keyOf(number));

function settingsOf(self: AgentKey): RaftSettings {
  return {
    self,
    // No draws: time passes as the search decides.
    ...{ electionTicksMin: electionTicks, electionTicksMax: electionTicks, heartbeatTicks: 1 },
    ...{ messageBytesMax: 1, entriesInFlightMax: 2, seed: 0 },
  };
}

/** All that must be the same for two states to go on alike, and what has been promised so far. */
export class World {
  readonly #make: Make;
  readonly #members: readonly Member[];
  /** By what they say: two that say the same are one. */
  readonly #messages: ReadonlyMap<string, RaftMessage>;
  /** What somebody has applied, by index from 1 on, each with the term in which that was first known. */
  readonly #committed: readonly { readonly text: string; readonly knownInTerm: number }[];
  /** Who has led in which term. */
  readonly #leaders: readonly (AgentKey | undefined)[];
  readonly #used: { readonly proposals: number; readonly crashes: number };
  /** What is wrong; nothing is asked of such a state any more. */
  readonly violation: string | undefined;

  private constructor(parts: {
    make: Make;
    members: readonly Member[];
    messages: ReadonlyMap<string, RaftMessage>;
    committed: World['committed'];
    leaders: readonly (AgentKey | undefined)[];
    used: { readonly proposals: number; readonly crashes: number };
    violation: string | undefined;
  }) {
    this.#make = parts.make;
    this.#members = parts.members;
    this.#messages = parts.messages;
    this.#committed = parts.committed;
    this.#leaders = parts.leaders;
    this.#used = parts.used;
    this.violation = parts.violation;
  }

  static first(make: Make): World {
    const members = voters.map((self) => {
      const disk = new RaftDisk({ voters, learners: [] });
      return memberOf(make(disk.stored, settingsOf(self), {}), disk);
    });
    const used = { proposals: 0, crashes: 0 };
    const nothing = { messages: new Map(), committed: [], leaders: [], violation: undefined };
    return new World({ make, members, used, ...nothing });
  }

  get committed(): readonly { readonly text: string; readonly knownInTerm: number }[] {
    return this.#committed;
  }

  get mark(): string {
    const members = this.#members.map(({ mark }) => mark);
    const messages = [...this.#messages.keys()].sort();
    const past = this.#committed.map(({ text, knownInTerm }) => `${text}@${knownInTerm}`);
    const { proposals, crashes } = this.#used;
    return [...members, ...messages, ...past, ...this.#leaders, proposals, crashes].join('|');
  }

  moves(bounds: Bounds): Move[] {
    const moves: Move[] = [...this.#messages.keys()].map((message) => ({
      kind: 'deliver',
      message,
    }));
    this.#members.forEach(({ raft }, member) => {
      const { role, term } = raft.status();
      if (role === 'leader' || term < bounds.terms) moves.push({ kind: 'time-out', member });
      if (role === 'leader' && this.#used.proposals < bounds.proposals) {
        moves.push({ kind: 'propose', member });
      }
      const isFresh = term === 0 && role === 'follower';
      if (this.#used.crashes < bounds.crashes && !isFresh) moves.push({ kind: 'crash', member });
    });
    return moves;
  }

  after(move: Move, bounds: Bounds): World {
    const change = new Change(this.#committed, this.#leaders, this.#messages, bounds);
    let { proposals, crashes } = this.#used;
    let number: number;
    let member: Member;
    if (move.kind === 'deliver') {
      const message = this.#messages.get(move.message) as RaftMessage;
      change.messages.delete(move.message);
      number = numberOf(message.to);
      member = this.#stepped(number, [{ kind: 'message', message }], change);
    } else {
      number = move.member;
      if (move.kind === 'crash') {
        crashes++;
        member = this.#restarted(number);
      } else if (move.kind === 'propose') {
        const payload = Uint8Array.of(++proposals);
        member = this.#stepped(number, [{ kind: 'propose', payload }], change);
      } else {
        const isLeader = this.#members[number]?.raft.status().role === 'leader';
        const ticks = Array.from({ length: isLeader ? 1 : electionTicks }, tick);
        member = this.#stepped(number, ticks, change);
      }
    }
    const { messages, committed, leaders, violation } = change;
    return new World({
      make: this.#make,
      members: this.#members.with(number, member),
      ...{ messages, committed, leaders, violation },
      used: { proposals, crashes },
    });
  }

  /** The state machine is rebuilt from what is committed: who applies it again says the same again. */
  #restarted(number: number): Member {
    const { disk } = this.#members[number] as Member;
    return memberOf(this.#make(disk.stored, settingsOf(keyOf(number)), {}), disk);
  }

  #stepped(number: number, inputs: readonly RaftInput[], change: Change): Member {
    const before = this.#members[number] as Member;
    const raft = before.raft.clone();
    const disk = copyOf(before.disk);
    for (const input of inputs) {
      for (const effect of raft.step(input).effects) {
        if (effect.kind === 'persist') disk.write(effect.write);
        if (effect.kind === 'send') change.send(effect.message);
        if (effect.kind === 'apply') change.apply(effect.entries, disk);
        if (effect.kind === 'role' && effect.status.role === 'leader') {
          change.lead(keyOf(number), effect.status.term, disk);
        }
      }
    }
    return memberOf(raft, disk);
  }
}

/** What one move leads to beside the member that it moves. */
class Change {
  readonly messages: Map<string, RaftMessage>;
  committed: World['committed'];
  leaders: readonly (AgentKey | undefined)[];
  violation: string | undefined;
  readonly #bounds: Bounds;

  constructor(
    committed: World['committed'],
    leaders: readonly (AgentKey | undefined)[],
    messages: ReadonlyMap<string, RaftMessage>,
    bounds: Bounds,
  ) {
    this.committed = committed;
    this.leaders = leaders;
    this.messages = new Map(messages);
    this.#bounds = bounds;
  }

  send(message: RaftMessage): void {
    if (this.messages.size < this.#bounds.messages) this.messages.set(textOf(message), message);
  }

  /** Leader completeness, and one leader a term. */
  lead(leader: AgentKey, term: number, disk: RaftDisk): void {
    const other = this.leaders[term];
    if (other !== undefined && other !== leader) {
      this.violation ??= `${nameOf(other)} and ${nameOf(leader)} lead in term ${term}`;
    }
    const leaders = Array.from({ length: Math.max(this.leaders.length, term + 1) }, (_, i) =>
      i === term ? leader : this.leaders[i],
    );
    this.leaders = leaders;
    this.committed.forEach(({ text, knownInTerm }, i) => {
      const entry = disk.entryAt(i + 1);
      if (knownInTerm >= term || (entry !== undefined && entryText(entry) === text)) return;
      this.violation ??= `${nameOf(leader)} leads in term ${term} without entry ${i + 1}`;
    });
  }

  /** State machine safety, and that nothing is applied before it is durable. */
  apply(entries: readonly RaftEntry[], disk: RaftDisk): void {
    for (const entry of entries) {
      const text = entryText(entry);
      const known = this.committed[entry.index - 1];
      if (known === undefined) {
        this.committed = [...this.committed, { text, knownInTerm: disk.hard.term }];
      } else if (known.text !== text) {
        this.violation ??= `${text} is applied at ${entry.index}, where ${known.text} was`;
      }
      if (disk.termAt(entry.index) !== entry.term) this.violation ??= `${text} is not durable`;
    }
  }
}

function tick(): RaftInput {
  return { kind: 'tick' };
}

function memberOf(raft: Raft, disk: RaftDisk): Member {
  return { raft, disk, mark: raft.fingerprint() };
}

function copyOf(disk: RaftDisk): RaftDisk {
  const copy = new RaftDisk(disk.snapshot.config);
  copy.hard = disk.hard;
  copy.entries = [...disk.entries];
  return copy;
}

function entryText({ term, kind, payload }: RaftEntry): string {
  return `${term}${kind}${toHex(payload)}`;
}

function textOf({ from, to, term, body }: RaftMessage): string {
  const { kind, ...rest } = body;
  const fields = Object.values(rest).map((value) =>
    Array.isArray(value) ? value.map(entryText).join('+') : String(value),
  );
  return `${nameOf(from)}>${nameOf(to)} ${kind} ${term} ${fields.join(' ')}`;
}
