import type { BodyOf } from '../../format/control-records.ts';
import { idField } from '../../format/field.ts';
import { type ControlImage, TimeWordImageSchema } from '../../format/gen/holdfast/v1/control_pb.js';
import { type AgentKey, idBytes } from '../../ids.ts';
import type { ConfigBook } from './config-book.ts';
import { imageOnce } from './record-image.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

/** A place in the logs of all generations. */
export type LogPlace = { readonly generation: number; readonly index: number };

/** The newest time that a voter has said, and where. */
export type TimeWord = LogPlace & { readonly voter: AgentKey; readonly timeMs: number };

/** Something that lasts for a span of log time, and began with an entry. */
export type TimeWait = LogPlace & {
  readonly lengthMs: number;
  /**
   * What a majority had said after the entry, from where the span counts; undefined until then. Log time as it
   * was at the entry would not do: it may be an hour old, and the wait would be shorter by that hour.
   */
  readonly sinceMs: number | undefined;
};

/**
 * Log time: the only clock of the control state. Voters say what time it is for them; log time is the highest
 * value that a majority of the current voters has said or passed, and never falls. So fewer than a majority can
 * neither bring a moment nearer nor, while the others speak, keep it away.
 */
export class TimeBook {
  readonly #config: ConfigBook;
  /** Of current voters only. */
  readonly #words = new Map<AgentKey, TimeWord>();
  #nowMs = 0;

  constructor(config: ConfigBook) {
    this.#config = config;
  }

  /** Milliseconds since 1970; 0 until a majority of the voters has spoken. */
  get nowMs(): number {
    return this.#nowMs;
  }

  of(voter: AgentKey): TimeWord | undefined {
    return this.#words.get(voter);
  }

  /** Sorted by voter. */
  words(): readonly TimeWord[] {
    return [...this.#words.values()].sort((a, b) => (a.voter < b.voter ? -1 : 1));
  }

  /** A voter whose clock was mended may say less than before. @throws HoldfastError not-permitted */
  check(body: BodyOf<'time'>, voter: AgentKey, { generation, index }: CommandPlace): Change {
    const timeMs = body.logTimeMs;
    if (this.#words.get(voter)?.timeMs === timeMs) throw refusal('this voter has said so already');
    return () => {
      this.#words.set(voter, { generation, index, voter, timeMs });
      this.#advance();
    };
  }

  /** Forgets the words of those who vote no more, and judges by those who do now. */
  votersChanged(): void {
    const { voters } = this.#config;
    for (const voter of this.#words.keys()) {
      if (!voters.includes(voter)) this.#words.delete(voter);
    }
    this.#advance();
  }

  /** A wait that begins with the entry at this place. */
  begin({ generation, index }: LogPlace, lengthMs: number): TimeWait {
    return { generation, index, lengthMs, sinceMs: undefined };
  }

  /**
   * The same wait, with its beginning as far as it is known by now. To be asked after each `time` command. As log
   * time ends a wait by what a majority has passed, a wait begins by what no minority can make earlier: of the words
   * said after the entry, with the silent counted as latest, the middle one. More words can only bring it nearer.
   */
  settled(wait: TimeWait): TimeWait {
    const { voters } = this.#config;
    const times = voters.map((voter) => {
      const word = this.#words.get(voter);
      return word !== undefined && isAfter(word, wait) ? word.timeMs : Number.POSITIVE_INFINITY;
    });
    const middleMs = times.sort((a, b) => b - a)[Math.floor(voters.length / 2)];
    if (middleMs === undefined || middleMs === Number.POSITIVE_INFINITY) return wait;
    const sinceMs = Math.max(middleMs, wait.sinceMs === undefined ? this.#nowMs : 0);
    return { ...wait, sinceMs: Math.min(sinceMs, wait.sinceMs ?? Number.POSITIVE_INFINITY) };
  }

  isOver({ sinceMs, lengthMs }: TimeWait): boolean {
    return sinceMs !== undefined && this.#nowMs >= sinceMs + lengthMs;
  }

  /** Whether a word of this voter would help one of these waits, its conservative time being `nowMs`. */
  isAwaited(voter: AgentKey, waits: readonly TimeWait[], nowMs: number): boolean {
    const word = this.#words.get(voter);
    return waits.some((wait) => {
      if (word === undefined || !isAfter(word, wait)) return true;
      if (wait.sinceMs === undefined) return false;
      const endMs = wait.sinceMs + wait.lengthMs;
      return this.#nowMs < endMs && word.timeMs < endMs && endMs <= nowMs;
    });
  }

  image(): Pick<ControlImage, 'logTimeMs' | 'timeWords'> {
    return { logTimeMs: BigInt(this.#nowMs), timeWords: this.words().map(wordImage) };
  }

  load({ logTimeMs, timeWords }: ControlImage): void {
    this.#nowMs = Number(logTimeMs);
    this.#words.clear();
    for (const { voter: key, timeMs, generation, index } of timeWords) {
      const voter = idField<AgentKey>(key, 32, 'voter');
      const place = { generation: Number(generation), index: Number(index) };
      this.#words.set(voter, { ...place, voter, timeMs: Number(timeMs) });
    }
  }

  #advance(): void {
    const { voters } = this.#config;
    const times = voters.map((voter) => this.#words.get(voter)?.timeMs ?? 0);
    const passedMs = times.sort((a, b) => b - a)[Math.floor(voters.length / 2)] ?? 0;
    this.#nowMs = Math.max(this.#nowMs, passedMs);
  }
}

function isAfter(word: LogPlace, entry: LogPlace): boolean {
  if (word.generation !== entry.generation) return word.generation > entry.generation;
  return word.index > entry.index;
}

const wordImage = imageOnce(TimeWordImageSchema, (word: TimeWord) => ({
  voter: idBytes(word.voter),
  timeMs: BigInt(word.timeMs),
  generation: BigInt(word.generation),
  index: BigInt(word.index),
}));
