import type { AgentKey } from '../../src/core/ids.ts';
import { keyOf, numberOf } from './names.ts';

/** Voters are alike: whatever one may do, any of them may. The last member is none at first, and has no like. */
export const voterCount = 3;
export const memberCount = 4;

/** Beyond every byte that stands before a key in an encoding, so that keys are found in a text. */
const firstNumber = 0xa0;
/** One character for each member, in the private area of Unicode. */
const firstUnit = 0xe000;

export function memberKey(member: number): AgentKey {
  return keyOf(firstNumber + member);
}

export function memberOfKey(key: AgentKey): number {
  return numberOf(key) - firstNumber;
}

/** A, B, C, D. */
export function memberName(member: number): string {
  return String.fromCharCode(65 + member);
}

/** All ways to name the voters anew. */
const renamings: readonly (readonly number[])[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
].map((voters) => [...voters, voterCount]);

/** Two words of 32 bits for each renaming: sums of them are marks of sets. */
export type Marks = Int32Array;

type Token = string | readonly string[];

const unit = String.fromCharCode(firstUnit);
const units = `[${unit}-${String.fromCharCode(firstUnit + memberCount - 1)}]`;
const keys = new RegExp(Array.from({ length: memberCount }, (_, i) => memberKey(i)).join('|'), 'g');
/**
 * What has no order: the voters and the learners of an encoded configuration, what a leader knows of each
 * member, who has voted. Everywhere else a key stands alone.
 */
const unordered = new RegExp(
  `([0-9a-f]{4})(${units}+)|((?:\\["${units}",\\{[^{}]*\\{[^{}]*\\}[^{}]*\\}\\],?)+)|("${units}"(?:,"${units}")*)`,
  'g',
);

/** The marks of a text, in which keys are written in full: the same for texts that differ in names alone. */
export function marksOf(text: string, salt = 0): Marks {
  const tokens = tokensOf(text.replace(keys, (key) => unitOf(memberOfKey(key as AgentKey))));
  const marks = new Int32Array(2 * renamings.length);
  renamings.forEach((renaming, i) => {
    const mark = { low: 0x811c9dc5 ^ salt, high: 0x9dc5811c };
    for (const token of tokens) {
      if (typeof token === 'string') mixText(mark, token, renaming);
      else mixSet(mark, token, renaming);
    }
    marks[2 * i] = mark.low;
    marks[2 * i + 1] = mark.high;
  });
  return marks;
}

/** Who stands at this place, by each renaming. */
export function placed(marks: Marks, member: number): Marks {
  const result = marks.slice();
  renamings.forEach((renaming, i) => {
    const mark = { low: marks[2 * i] as number, high: marks[2 * i + 1] as number };
    mix(mark, renaming[member] as number);
    result[2 * i] = mark.low;
    result[2 * i + 1] = mark.high;
  });
  return result;
}

/** 53 bits of the sum of all marks, by the renaming in which it is least. */
export function leastOf(all: Iterable<Marks>): number {
  const sum = new Int32Array(2 * renamings.length);
  for (const marks of all) {
    for (let i = 0; i < sum.length; i++) sum[i] = ((sum[i] as number) + (marks[i] as number)) | 0;
  }
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < sum.length; i += 2) {
    const [low, high] = [sum[i] as number, sum[i + 1] as number];
    least = Math.min(least, (high >>> 11) * 2 ** 32 + (low >>> 0));
  }
  return least;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (const match of text.matchAll(unordered)) {
    const [all, counts, names, progress, votes] = match;
    tokens.push(text.slice(at, match.index));
    if (counts !== undefined && names !== undefined) {
      const voters = Number.parseInt(counts.slice(0, 2), 16);
      tokens.push(counts, [...names.slice(0, voters)], [...names.slice(voters)]);
    } else if (progress !== undefined) tokens.push(progress.split(/(?<=\}\]),?/));
    else tokens.push((votes ?? '').split(','));
    at = match.index + all.length;
  }
  tokens.push(text.slice(at));
  return tokens;
}

type Mark = { low: number; high: number };

function mixSet(mark: Mark, items: readonly string[], renaming: readonly number[]): void {
  const sum = { low: items.length, high: items.length };
  for (const item of items) {
    const one = { low: 0x811c9dc5, high: 0x9dc5811c };
    mixText(one, item, renaming);
    sum.low = (sum.low + one.low) | 0;
    sum.high = (sum.high + one.high) | 0;
  }
  mix(mark, sum.low);
  mix(mark, sum.high);
}

function mixText(mark: Mark, text: string, renaming: readonly number[]): void {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const member = code - firstUnit;
    mix(
      mark,
      member >= 0 && member < memberCount ? firstUnit + (renaming[member] as number) : code,
    );
  }
}

function mix(mark: Mark, value: number): void {
  mark.low = Math.imul(mark.low ^ value, 0x01000193);
  mark.high = Math.imul(mark.high ^ value ^ (mark.low >>> 13), 0x85ebca6b);
  mark.high ^= mark.high >>> 15;
}

function unitOf(member: number): string {
  return String.fromCharCode(firstUnit + member);
}
