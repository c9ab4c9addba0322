import type { BodyOf } from '../../format/control-records.ts';
import type { AgentKey, ClusterId } from '../../ids.ts';
import { controlBounds } from './control-bounds.ts';
import { certified, votersIn, votersNamedIn } from './log-checkpoint.ts';
import { type Change, type CommandPlace, refusal } from './refusal.ts';

/** A checkpoint in which the voters before vouch for those that it names. */
export type Vouch = { readonly note: string; readonly voters: readonly AgentKey[] };

type OfLog = { readonly cluster: ClusterId; readonly generation: number };

/**
 * How the voters of today follow from those of the beginning: each set vouched for by a majority of the one
 * before it. Who knows any of them, if only the founder, can follow this to the newest, whoever brings it and
 * whoever is left of the first.
 */
export class VouchBook {
  readonly #cluster: ClusterId;
  #links: readonly Vouch[] = [];
  /** Those of the genesis, or of the decree that has begun the generation. */
  #first: readonly AgentKey[];

  constructor(cluster: ClusterId, first: readonly AgentKey[]) {
    this.#cluster = cluster;
    this.#first = first;
  }

  /** Oldest first. */
  all(): readonly Vouch[] {
    return this.#links;
  }

  /** The newest that are vouched for. */
  get voters(): readonly AgentKey[] {
    return this.#links.at(-1)?.voters ?? this.#first;
  }

  /** @throws HoldfastError not-permitted */
  check({ note }: BodyOf<'vouch'>, { generation, index }: CommandPlace): Change {
    const log = { cluster: this.#cluster, generation };
    const checkpoint = certified(note, { ...log, voters: this.voters });
    if (checkpoint === undefined) throw refusal('too few of the voters before have signed it');
    const voters = votersIn(checkpoint);
    if (voters === undefined || certified(note, { ...log, voters }) === undefined) {
      throw refusal('too few of the voters that it names have signed it');
    }
    if (checkpoint.size >= index) throw refusal('it is of entries that come later');
    if (isSameSet(voters, this.voters)) throw refusal('these voters are vouched for already');
    return () => {
      this.#links = [...this.#kept(note, log), { note, voters }].slice(-controlBounds.vouchesMax);
    };
  }

  /** The last link is not needed when those before it have signed the new one as well. */
  #kept(note: string, log: OfLog): readonly Vouch[] {
    if (this.#links.length === 0) return this.#links;
    const voters = this.#links.at(-2)?.voters ?? this.#first;
    const isDirect = certified(note, { ...log, voters }) !== undefined;
    return isDirect ? this.#links.slice(0, -1) : this.#links;
  }

  /** A decree has named the voters: nothing before it leads to them. */
  restart(voters: readonly AgentKey[]): void {
    this.#first = voters;
    this.#links = [];
  }

  image(): string[] {
    return this.#links.map(({ note }) => note);
  }

  /** What does not name voters was not made by `image`. `first`: see the constructor. */
  load(notes: readonly string[], first: readonly AgentKey[]): void {
    this.#first = first;
    this.#links = notes.map((note) => ({ note, voters: votersNamedIn(note) }));
  }
}

/**
 * Whether the voters known here have vouched, step by step, for those who have signed a checkpoint: with it, an
 * image of the log is as good as their word.
 */
export function isVouchedFor(
  note: string,
  {
    known,
    links,
    ...log
  }: OfLog & {
    /** Sets of voters that are known to have been. */
    readonly known: readonly (readonly AgentKey[])[];
    /** As another host has told them. */
    readonly links: readonly Vouch[];
  },
): boolean {
  let trusted = known;
  const isBy = (text: string, voters: readonly AgentKey[]): boolean =>
    certified(text, { ...log, voters }) !== undefined;
  for (const link of links) {
    if (!trusted.some((voters) => isBy(link.note, voters)) || !isBy(link.note, link.voters))
      continue;
    trusted = [...known, link.voters];
  }
  return trusted.some((voters) => isBy(note, voters));
}

export function isSameSet(a: readonly AgentKey[], b: readonly AgentKey[]): boolean {
  return a.length === b.length && a.every((agent) => b.includes(agent));
}
