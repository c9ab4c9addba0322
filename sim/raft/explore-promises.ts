import { toHex } from '../../src/base/bytes.ts';
import { encodeConfig } from '../../src/core/protocol/raft/config-codec.ts';
import type {
  RaftConfig,
  RaftEffect,
  RaftEntry,
  RaftMessage,
} from '../../src/core/protocol/raft/types.ts';
import type { RaftDisk } from './disk.ts';
import { memberName } from './explore-symmetry.ts';

/** An entry that somebody has applied, with the term in which that was first known. */
type Known = { readonly text: string; readonly knownInTerm: number };

/** What an explored world has promised so far, and whether it was kept. Each change makes another one. */
export type Promises = {
  /** What is committed, by index from 1 on. */
  readonly committed: readonly Known[];
  /** Who has led in which term. */
  readonly leaders: readonly (number | undefined)[];
  /** What each read that was asked must see at least. */
  readonly reads: readonly number[];
};

export const nothingPromised: Promises = { committed: [], leaders: [], reads: [] };

/** Keeps the promises while one member steps. */
export class Keeper {
  promises: Promises;
  /** The first thing that was wrong. */
  violation: string | undefined;
  readonly #member: number;
  readonly #founding: RaftConfig;

  constructor(promises: Promises, member: number, founding: RaftConfig) {
    this.promises = promises;
    this.#member = member;
    this.#founding = founding;
  }

  /** A read is asked: it must see what is committed now. @returns its id */
  ask(): number {
    const { reads, committed } = this.promises;
    this.promises = { ...this.promises, reads: [...reads, committed.length] };
    return reads.length;
  }

  take(effect: RaftEffect, disk: RaftDisk): void {
    switch (effect.kind) {
      case 'send':
        this.#sent(effect.message, disk);
        return;
      case 'apply':
        this.#applied(effect.entries, disk);
        return;
      case 'install':
        this.#installed(effect.snapshot);
        return;
      case 'role':
        if (effect.status.role === 'leader') this.#leads(effect.status.term, disk);
        return;
      case 'readable':
        if (effect.index < (this.promises.reads[effect.id] ?? 0)) this.#wrong('it reads too early');
        return;
      default:
        return;
    }
  }

  /** Nothing leaves that rests on what is not on the disk. */
  #sent({ body, to, term }: RaftMessage, { hard, lastIndex }: RaftDisk): void {
    const isPreVote = 'isPreVote' in body && body.isPreVote;
    if (!isPreVote && term !== hard.term) this.#wrong('its term is not durable');
    if (body.kind === 'vote-response' && body.isGranted && !isPreVote && hard.votedFor !== to) {
      this.#wrong('its vote is not durable');
    }
    if (body.kind === 'append-response' && body.isAccepted && body.matchIndex > lastIndex) {
      this.#wrong('it acknowledges what is not durable');
    }
  }

  /** State machine safety, and that nothing is applied before it is durable. */
  #applied(entries: readonly RaftEntry[], disk: RaftDisk): void {
    for (const entry of entries) {
      const text = entryText(entry);
      const { committed } = this.promises;
      const known = committed[entry.index - 1];
      if (known === undefined) {
        const added = { text, knownInTerm: disk.hard.term };
        this.promises = { ...this.promises, committed: [...committed, added] };
      } else if (known.text !== text) {
        this.#wrong(`it applies ${text} at ${entry.index}, where ${known.text} was`);
      }
      if (disk.termAt(entry.index) !== entry.term) this.#wrong(`${text} is not durable`);
    }
  }

  /** A snapshot holds what was committed, and its configuration. */
  #installed(snapshot: { readonly index: number; readonly config: RaftConfig }): void {
    const { committed } = this.promises;
    if (snapshot.index > committed.length) this.#wrong('it installs what is not committed');
    const config = toHex(encodeConfig(snapshot.config));
    const last = committed.slice(0, snapshot.index).findLast(({ text }) => text.includes('config'));
    const right = last?.text.split('config')[1] ?? toHex(encodeConfig(this.#founding));
    if (config !== right) this.#wrong('it installs a configuration that was not committed');
  }

  /** Leader completeness, and one leader a term. */
  #leads(term: number, disk: RaftDisk): void {
    const { leaders, committed } = this.promises;
    const other = leaders[term];
    if (other !== undefined && other !== this.#member) {
      this.#wrong(`it leads in term ${term}, and so does ${memberName(other)}`);
    }
    const size = Math.max(leaders.length, term + 1);
    const next = Array.from({ length: size }, (_, i) => (i === term ? this.#member : leaders[i]));
    this.promises = { ...this.promises, leaders: next };
    committed.forEach(({ text, knownInTerm }, i) => {
      if (knownInTerm >= term || i < disk.snapshot.index) return;
      const entry = disk.entryAt(i + 1);
      if (entry === undefined || entryText(entry) !== text) {
        this.#wrong(`it leads in term ${term} without entry ${i + 1}`);
      }
    });
  }

  #wrong(text: string): void {
    this.violation ??= `${memberName(this.#member)}: ${text}`;
  }
}

export function entryText({ term, kind, payload }: RaftEntry): string {
  return `${term}${kind}${toHex(payload)}`;
}
