import { assert } from '../../base/assert.ts';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../errors.ts';

/** Longer patterns are no patterns but mistakes; matching costs at most this times the name's length. */
const patternSizeMax = 4096;

const slash = 0x2f;

type Token =
  | { readonly kind: 'literal'; readonly code: number }
  | { readonly kind: 'any' }
  | { readonly kind: 'star' }
  | { readonly kind: 'class'; readonly isNegated: boolean; readonly ranges: readonly Range[] };

type Range = { readonly first: number; readonly last: number };

/** One path component, or any number of them. */
type Segment = readonly Token[] | 'any-depth';

/**
 * One include or exclude pattern, read as gitignore reads it: `*`, `?` and `[..]` stay within a component,
 * `**` as a whole component spans any number, a slash anywhere but at the end anchors the pattern at the
 * root, a slash at the end asks for a directory, a backslash takes the next character as it is.
 * Matches without backtracking over components, so that no pattern can be made slow.
 */
export class PathPattern {
  readonly text: string;
  readonly #segments: readonly Segment[];
  readonly #isAnchored: boolean;
  readonly #isForDirectories: boolean;
  readonly #ignoreCase: boolean;

  private constructor(text: string, segments: readonly Segment[], flags: Flags) {
    this.text = text;
    this.#segments = segments;
    this.#isAnchored = flags.isAnchored;
    this.#isForDirectories = flags.isForDirectories;
    this.#ignoreCase = flags.ignoreCase;
  }

  /** @throws HoldfastError usage when the text is empty, negated, or not well formed. */
  static parse(text: string, options: { ignoreCase?: boolean } = {}): PathPattern {
    const refuse = (reason: string): never => {
      throw new HoldfastError('usage', `pattern ${JSON.stringify(text)}: ${reason}`);
    };
    if (text.length > patternSizeMax) refuse(`longer than ${patternSizeMax} characters`);
    if (text.startsWith('!')) refuse('negation is not supported; write \\! for a literal !');
    const ignoreCase = options.ignoreCase ?? false;
    const isForDirectories = text.endsWith('/') && !text.endsWith('\\/');
    const body = text.replace(/^\/+/, '').replace(/\/+$/, '');
    if (body === '') refuse('names nothing');
    const isAnchored = text.startsWith('/') || body.includes('/');
    const segments = body
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .map((part): Segment => (part === '**' ? 'any-depth' : parseSegment(part, refuse)));
    if (segments.length === 0) refuse('names nothing');
    return new PathPattern(text, segments, { isAnchored, isForDirectories, ignoreCase });
  }

  /** True when the pattern names this very path (not when it names a directory above it). `path`: leading slashes do not count. */
  matches(path: Uint8Array, isDirectory: boolean): boolean {
    if (this.#isForDirectories && !isDirectory) return false;
    if (!this.#isAnchored) {
      const only = this.#segments[0];
      assert(only !== undefined, 'a pattern has a segment');
      return only === 'any-depth' || matchSegment(only, codesOf(baseName(path)), this.#ignoreCase);
    }
    return this.#advance(path).has(this.#segments.length);
  }

  /** False when nothing below this directory can match, so that a walk may pass it by. */
  couldMatchBelow(directory: Uint8Array): boolean {
    if (!this.#isAnchored) return true;
    for (const position of this.#advance(directory))
      if (position < this.#segments.length) return true;
    return false;
  }

  /** The positions in the pattern that the path's components can have led to. */
  #advance(path: Uint8Array): Set<number> {
    let positions = this.#withSkips([0]);
    for (const component of components(path)) {
      const codes = codesOf(component);
      const next: number[] = [];
      for (const position of positions) {
        const segment = this.#segments[position];
        if (segment === undefined) continue;
        if (segment === 'any-depth') {
          next.push(position, position + 1);
        } else if (matchSegment(segment, codes, this.#ignoreCase)) next.push(position + 1);
      }
      positions = this.#withSkips(next);
    }
    return positions;
  }

  /** `**` may stand for nothing, except as the last component, where it means what is inside. */
  #withSkips(positions: readonly number[]): Set<number> {
    const reached = new Set<number>();
    for (let position of positions) {
      reached.add(position);
      while (this.#segments[position] === 'any-depth' && position < this.#segments.length - 1) {
        reached.add(++position);
      }
    }
    return reached;
  }
}

type Flags = {
  readonly isAnchored: boolean;
  readonly isForDirectories: boolean;
  readonly ignoreCase: boolean;
};

function parseSegment(part: string, refuse: (reason: string) => never): Token[] {
  const characters = Array.from(part);
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string;
    if (character === '*') {
      if (tokens.at(-1)?.kind !== 'star') tokens.push({ kind: 'star' });
    } else if (character === '?') {
      tokens.push({ kind: 'any' });
    } else if (character === '[') {
      const parsed = parseClass(characters, at, refuse);
      tokens.push(parsed.token);
      at = parsed.end;
    } else if (character === '\\') {
      const escaped = characters[++at] ?? refuse('ends in a lone backslash');
      tokens.push({ kind: 'literal', code: codeOf(escaped) });
    } else tokens.push({ kind: 'literal', code: codeOf(character) });
  }
  return tokens;
}

function parseClass(
  characters: readonly string[],
  start: number,
  refuse: (reason: string) => never,
): { token: Token; end: number } {
  const isNegated = characters[start + 1] === '!' || characters[start + 1] === '^';
  const first = start + (isNegated ? 2 : 1);
  const ranges: Range[] = [];
  let at = first;
  const take = (): number => {
    if (characters[at] === '\\') at++;
    const character = characters[at++] ?? refuse('has a [ without its ]');
    return codeOf(character);
  };
  // A ] right after the opening stands for itself (POSIX 2.13.1).
  while (characters[at] !== ']' || at === first) {
    const low = take();
    let high = low;
    if (characters[at] === '-' && characters[at + 1] !== ']' && at + 1 < characters.length) {
      at++;
      high = take();
    }
    if (high < low) refuse('has a range that runs backwards');
    ranges.push({ first: low, last: high });
  }
  return { token: { kind: 'class', isNegated, ranges }, end: at };
}

/** Glob match of one component: on a mismatch only the last star is tried again, which suffices. */
function matchSegment(
  tokens: readonly Token[],
  codes: readonly number[],
  ignoreCase: boolean,
): boolean {
  let at = 0;
  let token = 0;
  let star = -1;
  let starAt = 0;
  while (at < codes.length) {
    const current = tokens[token];
    if (current?.kind === 'star') {
      star = token++;
      starAt = at;
    } else if (current !== undefined && matchOne(current, codes[at] as number, ignoreCase)) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (tokens[token]?.kind === 'star') token++;
  return token === tokens.length;
}

function matchOne(token: Token, code: number, ignoreCase: boolean): boolean {
  if (token.kind === 'any') return true;
  const forms = ignoreCase ? caseForms(code) : [code];
  if (token.kind === 'literal') {
    return ignoreCase
      ? caseForms(token.code).some((form) => forms.includes(form))
      : token.code === code;
  }
  if (token.kind === 'star') return false;
  const isListed = token.ranges.some((range) =>
    forms.some((form) => form >= range.first && form <= range.last),
  );
  return isListed !== token.isNegated;
}

function caseForms(code: number): number[] {
  if (code > 0x10ffff) return [code];
  const character = String.fromCodePoint(code);
  return [code, codeOf(character.toLowerCase()), codeOf(character.toUpperCase())];
}

function codeOf(character: string): number {
  return character.codePointAt(0) as number;
}

/** Code points of a name; bytes that are no UTF-8 become codes above Unicode, so that `?` and `*` still match them. */
function codesOf(name: Uint8Array): number[] {
  const text = fromUtf8(name);
  if (text !== undefined) return Array.from(text, codeOf);
  return Array.from(name, (byte) => (byte < 0x80 ? byte : 0x110000 + byte));
}

function components(path: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at <= path.length; at++) {
    if (at < path.length && path[at] !== slash) continue;
    if (at > start) parts.push(path.subarray(start, at));
    start = at + 1;
  }
  return parts;
}

function baseName(path: Uint8Array): Uint8Array {
  return components(path).at(-1) ?? utf8('');
}
