import type { RaftMessage } from '../../src/core/protocol/raft/types.ts';
import type { Prng } from '../prng.ts';
import type { Agenda } from './agenda.ts';
import { numberOf } from './names.ts';

const membersMax = 64;
const calmDelayMax = 3;
const lateDelayMax = 200;
const answersMax = 60;
const clogMax = 200;

/** Loses, doubles, delays and so reorders messages, and cuts each direction of each link. */
export class RaftNetwork {
  readonly #agenda: Agenda;
  readonly #random: Prng;
  readonly #deliver: (message: RaftMessage) => void;
  /** How many faults cut a link, by sender and receiver. */
  #cuts = new Int16Array(membersMax * membersMax);
  /** Answers of some time ago, which may come once more. */
  #answers: RaftMessage[] = [];
  /** What waits at the end of a link, by sender and receiver. */
  readonly #clogged = new Map<number, RaftMessage[]>();
  /** How often it was healed: what was under way then is lost. */
  #healings = 0;
  lossPerMille = 0;
  doublePerMille = 0;
  latePerMille = 0;
  delayMax = calmDelayMax;
  /** Messages sent so far, those lost on the way included. */
  sentCount = 0;

  constructor(agenda: Agenda, random: Prng, deliver: (message: RaftMessage) => void) {
    this.#agenda = agenda;
    this.#random = random;
    this.#deliver = deliver;
  }

  send(message: RaftMessage): void {
    this.sentCount++;
    if (message.body.kind.endsWith('response')) this.#answers.push(message);
    if (this.#answers.length > answersMax) this.#answers.shift();
    if (this.#isCut(message) || this.#random.chance(this.lossPerMille)) return;
    const healings = this.#healings;
    const copies = this.#random.chance(this.doublePerMille) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const isLate = this.#random.chance(this.latePerMille);
      const delay = this.#random.between(1, isLate ? lateDelayMax : this.delayMax);
      this.#agenda.after(delay, () => {
        if (healings === this.#healings) this.#arrive(message);
      });
    }
  }

  /** Answers that somebody has had, or lost, arrive now: a network may double and delay as it likes. */
  echo(count: number): void {
    for (let i = 0; i < count && this.#answers.length > 0; i++) {
      this.#arrive(this.#random.pick(this.#answers));
    }
  }

  /** Keeps what comes over one direction. @returns what lets it arrive; to be called once at most */
  clog(from: number, to: number): () => void {
    const link = from * membersMax + to;
    const waiting: RaftMessage[] = [];
    this.#clogged.set(link, waiting);
    return () => {
      if (this.#clogged.get(link) !== waiting) return;
      this.#clogged.delete(link);
      for (const message of waiting) this.#arrive(message);
    };
  }

  /** Cuts one direction for a while. */
  cut(from: number, to: number, span: number): void {
    this.#agenda.after(span, this.hold(from, to));
  }

  /** Cuts one direction. @returns what ends it; to be called once at most */
  hold(from: number, to: number): () => void {
    const cuts = this.#cuts;
    const link = from * membersMax + to;
    cuts[link] = (cuts[link] ?? 0) + 1;
    return () => {
      cuts[link] = (cuts[link] ?? 0) - 1;
    };
  }

  /** Ends all trouble; what it held back never comes. */
  heal(): void {
    this.#healings++;
    this.#clogged.clear();
    this.#answers = [];
    this.#cuts = new Int16Array(membersMax * membersMax);
    this.calm();
  }

  calm(): void {
    this.lossPerMille = 0;
    this.doublePerMille = 0;
    this.latePerMille = 0;
    this.delayMax = calmDelayMax;
  }

  #arrive(message: RaftMessage): void {
    if (this.#isCut(message)) return;
    const waiting = this.#clogged.get(numberOf(message.from) * membersMax + numberOf(message.to));
    if (waiting === undefined) this.#deliver(message);
    else if (waiting.length < clogMax) waiting.push(message);
  }

  #isCut({ from, to }: RaftMessage): boolean {
    return (this.#cuts[numberOf(from) * membersMax + numberOf(to)] ?? 0) > 0;
  }
}
