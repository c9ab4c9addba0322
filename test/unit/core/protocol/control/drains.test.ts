import { beforeEach, expect, test } from 'vitest';
import { DrainBook } from '../../../../../src/core/protocol/control/drain-book.ts';
import type { AgentKey } from '../../../../../src/core/ids.ts';
import type { MemberBook } from '../../../../../src/core/protocol/control/member-book.ts';

const ada = '0a'.repeat(32) as AgentKey;
const bob = '0b'.repeat(32) as AgentKey;
const cyd = '0c'.repeat(32) as AgentKey;
let book: DrainBook;

beforeEach(() => {
  book = new DrainBook();
});

/** ada and bob store at one site each, cyd is a source at the first. */
const members = {
  all: () => [
    { agent: ada, site: 'riga', roles: ['storage'] },
    { agent: bob, site: 'bergen', roles: ['storage', 'source'] },
    { agent: cyd, site: 'riga', roles: ['source'] },
  ],
} as unknown as MemberBook;

function drain(target: { agent: AgentKey } | { site: string }, isOver = false): void {
  book.check({ kind: 'drain', target, isOver }, members)();
}

test('a host, or all hosts of a site, leave until they are let stay', () => {
  drain({ site: 'riga' });
  const leaving = [ada, bob, cyd].map((agent) =>
    book.isLeaving({ agent, site: agent === bob ? 'bergen' : 'riga' }),
  );
  expect(leaving).toEqual([true, false, true]);
  drain({ site: 'riga' }, true);
  expect(book.all()).toEqual([]);
  drain({ agent: ada });
  expect(book.isLeaving({ agent: cyd, site: 'riga' })).toBe(false);
});

test('nobody leaves twice, or is let stay who does not leave, or is unknown', () => {
  expect(() => drain({ site: 'riga' }, true)).toThrow('has not been asked');
  drain({ site: 'riga' });
  expect(() => drain({ site: 'riga' })).toThrow('already');
  expect(() => drain({ site: 'oslo' })).toThrow('no such');
});

test('the last ones that store anything cannot leave', () => {
  drain({ agent: ada });
  expect(() => drain({ site: 'bergen' })).toThrow('nobody else');
  drain({ agent: ada }, true);
  drain({ site: 'bergen' });
});

test('an image brings it back', () => {
  drain({ agent: ada });
  const other = new DrainBook();
  other.load(book.image() as never);
  expect(other.all()).toEqual([{ agent: ada }]);
});
