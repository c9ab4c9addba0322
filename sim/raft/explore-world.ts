import { toHex } from '../../src/base/bytes.ts';
import { encodeConfig } from '../../src/core/protocol/raft/config-codec.ts';
import type { RaftInput, RaftMessage } from '../../src/core/protocol/raft/types.ts';
import { Explored, type Make, type Take } from './explore-member.ts';
import { type Budget, foundings, type Move, movesOf, type Start } from './explore-moves.ts';
import { entryText, Keeper, nothingPromised, type Promises } from './explore-promises.ts';
import {
  leastOf,
  type Marks,
  marksOf,
  memberCount,
  memberKey,
  memberName,
  memberOfKey,
} from './explore-symmetry.ts';

/** A message under way: two that say the same are one. */
type Sent = { readonly message: RaftMessage; readonly marks: Marks };

type Parts = {
  readonly start: Start;
  readonly members: readonly Explored[];
  readonly messages: ReadonlyMap<string, Sent>;
  readonly promises: Promises;
  readonly left: Budget;
  readonly violation?: string | undefined;
};

/** All that must be the same for two states to go on alike, and what has been promised so far. */
export class World {
  readonly start: Start;
  readonly members: readonly Explored[];
  readonly messages: ReadonlyMap<string, Sent>;
  readonly promises: Promises;
  /** What may still be used up. */
  readonly left: Budget;
  /** What is wrong; nothing is asked of such a state any more. */
  readonly violation: string | undefined;

  private constructor(parts: Parts) {
    this.start = parts.start;
    this.members = parts.members;
    this.messages = parts.messages;
    this.promises = parts.promises;
    this.left = parts.left;
    this.violation = parts.violation;
  }

  /** `led`: A leads in term 1, and everybody knows; else nobody has done anything yet. */
  static first(start: Start, left: Budget, make: Make): World {
    const founding = foundings[start];
    const members = Array.from({ length: memberCount }, (_, i) =>
      Explored.first(i, founding, make),
    );
    const fresh = { start, members, messages: new Map(), promises: nothingPromised, left };
    const world = new World(fresh);
    if (start === 'fresh') return world;
    const led = world.settled({ kind: 'stand', member: 0, term: 1 });
    return new World({ ...led, left });
  }

  /** The same number for worlds that differ in the names of voters alone, and for them only, but for 53 bits. */
  get mark(): number {
    const all = [...this.members, ...this.messages.values()].map(({ marks }) => marks);
    const { committed, leaders, reads } = this.promises;
    for (const [i, { text, knownInTerm }] of committed.entries()) {
      all.push(marked(`${i} ${text} ${knownInTerm}`));
    }
    leaders.forEach((leader, term) => {
      if (leader !== undefined) all.push(marked(`leads ${term} ${memberKey(leader)}`));
    });
    all.push(marked(`${this.start} ${reads.join()} ${Object.values(this.left).join()}`));
    return leastOf(all);
  }

  /** All that may happen next, with nobody standing beyond a term. */
  moves(termMax: number): Move[] {
    return movesOf(this, termMax);
  }

  #actorOf(move: Move): number {
    if ('member' in move) return move.member;
    return memberOfKey((this.messages.get(move.message) as Sent).message.to);
  }

  /** @returns undefined when nothing comes of it */
  after(move: Move): World | undefined {
    const change = new Change(this, this.#actorOf(move));
    switch (move.kind) {
      case 'deliver':
      case 'exchange':
      case 'repeat':
        return this.#delivered(move, change);
      case 'stand':
        return change.done(change.member.standing(move.term, change.take), { stands: 1 });
      case 'crash':
        return change.done(unlike(change.member, change.member.restarted({ isDamaged: false })), {
          crashes: 1,
        });
      case 'damage':
        return change.done(change.member.restarted({ isDamaged: true }), { damages: 1 });
      case 'beat':
        return change.step({ kind: 'tick' }, { beats: 1 });
      case 'propose':
        return change.step(
          { kind: 'propose', payload: Uint8Array.of(this.left.proposals) },
          { proposals: 1 },
        );
      case 'read':
        return change.step({ kind: 'read', id: change.keeper.ask() }, { reads: 1 });
      case 'configure':
        return change.step({ kind: 'configure', config: move.config }, { changes: 1 });
      case 'compact': {
        const { commit } = change.member.raft.status();
        return change.step(
          { kind: 'compact', index: commit, state: Uint8Array.of(commit) },
          { compactions: 1 },
        );
      }
    }
  }

  /** After a move, and after everything has arrived that follows from it. */
  settled(move: Move): World {
    let world = this.after(move) ?? this;
    for (;;) {
      const [message] = world.messages.keys();
      if (message === undefined) return world;
      world = world.after({ kind: 'deliver', message }) ?? world.without(message);
    }
  }

  /** What changes nothing is as good as lost, and to lose a message takes no move. */
  #delivered(move: Extract<Move, { message: string }>, change: Change): World | undefined {
    const { message } = this.messages.get(move.message) as Sent;
    if (move.kind !== 'repeat') change.messages.delete(move.message);
    const member = change.member.stepped([{ kind: 'message', message }], change.take);
    const isWithout = change.hasSaidNothing && unlike(change.member, member) === undefined;
    if (isWithout && change.keeper.violation === undefined) return undefined;
    const isLate = move.kind === 'deliver' && change.answerTo(message) !== undefined;
    const used = move.kind === 'repeat' ? { repeats: 1 } : { lates: isLate ? 1 : 0 };
    const world = change.world(member, used);
    if (move.kind !== 'exchange') return world;
    const answer = change.answerTo(message);
    return answer === undefined || world.violation !== undefined
      ? world
      : (world.after({ kind: 'deliver', message: answer }) ?? world);
  }

  without(message: string): World {
    const messages = new Map(this.messages);
    messages.delete(message);
    return this.with({ messages });
  }

  with(parts: Partial<Parts>): World {
    return new World({ ...this, ...parts });
  }
}

/** What one move leads to. */
class Change {
  readonly member: Explored;
  readonly keeper: Keeper;
  readonly messages: Map<string, Sent>;
  readonly #before: World;
  readonly #said: string[] = [];

  constructor(before: World, member: number) {
    this.#before = before;
    this.member = before.members[member] as Explored;
    this.keeper = new Keeper(before.promises, member, foundings[before.start]);
    this.messages = new Map(before.messages);
  }

  readonly take: Take = (effect, disk) => {
    this.keeper.take(effect, disk);
    if (effect.kind === 'send') this.#send(effect.message);
  };

  step(input: RaftInput, used: Partial<Budget>): World {
    return this.world(this.member.stepped([input], this.take), used);
  }

  done(member: Explored | undefined, used: Partial<Budget>): World | undefined {
    return member === undefined ? undefined : this.world(member, used);
  }

  world(member: Explored, used: Partial<Budget>): World {
    const left = { ...this.#before.left };
    for (const key of Object.keys(used) as (keyof Budget)[]) left[key] -= used[key] ?? 0;
    const { promises, violation } = this.keeper;
    const members = this.#before.members.with(member.number, member);
    return this.#before.with({ members, messages: this.messages, promises, left, violation });
  }

  get hasSaidNothing(): boolean {
    return this.#said.length === 0;
  }

  /** What was said to the sender of a request. */
  answerTo({ from }: RaftMessage): string | undefined {
    return this.#said.find((text) => this.messages.get(text)?.message.to === from);
  }

  #send(sent: RaftMessage): void {
    const message = asOfTransfer(sent);
    // It says no more than a term, which whoever stands knows here anyway.
    if (message.body.kind === 'vote-response' && !message.body.isGranted) return;
    if (memberOfKey(message.to) >= memberCount) return;
    const text = textOf(message);
    this.#said.push(text);
    this.messages.set(text, { message, marks: marked(text) });
  }
}

/** What a member has become; undefined when it is as it was. */
function unlike(before: Explored, after: Explored): Explored | undefined {
  return before.marks.every((mark, i) => mark === after.marks[i]) ? undefined : after;
}

/** No voter refuses because it hears a leader: safety must not rest on that. */
function asOfTransfer(message: RaftMessage): RaftMessage {
  const { body } = message;
  return body.kind === 'vote-request'
    ? { ...message, body: { ...body, isTransfer: true } }
    : message;
}

const known = new Map<string, Marks>();

function marked(text: string): Marks {
  let marks = known.get(text);
  if (marks === undefined) {
    if (known.size > 200_000) known.clear();
    marks = marksOf(text, 1);
    known.set(text, marks);
  }
  return marks;
}

function textOf({ from, to, term, body }: RaftMessage): string {
  const { kind, ...rest } = body;
  const fields = Object.entries(rest).map(([name, value]) => {
    if (name === 'config') return toHex(encodeConfig(value));
    if (value instanceof Uint8Array) return toHex(value);
    return Array.isArray(value) ? value.map(entryText).join('+') : String(value);
  });
  return `${from}>${to} ${kind} ${term} ${fields.join(' ')}`;
}

/** For somebody who reads the way to a violation. */
export function moveText(world: World, move: Move): string {
  if ('message' in move) {
    const { message } = world.messages.get(move.message) as Sent;
    const [from, to] = [message.from, message.to].map((key) => memberName(memberOfKey(key)));
    return `${move.kind} ${from}>${to} ${message.body.kind} of term ${message.term}`;
  }
  const { kind, member, ...rest } = move;
  const what =
    'config' in rest
      ? rest.config.voters.map((key) => memberName(memberOfKey(key)))
      : Object.values(rest);
  return `${memberName(member)} ${kind} ${what.join('')}`;
}
