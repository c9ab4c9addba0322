import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { codeOf } from '../../../../src/core/errors.ts';
import { HeadsResponseSchema } from '../../../../src/core/format/gen/holdfast/v1/exchange_pb.js';
import { type AgentKey, idOf } from '../../../../src/core/ids.ts';
import {
  announcementHeadsMax,
  announcementSizeMax,
  decodeAnnouncement,
  encodeAnnouncement,
  headMessage,
  headPage,
  lastOf,
  pageFrom,
  type StreamHead,
} from '../../../../src/core/protocol/stream-heads.ts';

function headOf(i: number, change: Partial<StreamHead> = {}): StreamHead {
  const writer = idOf<AgentKey>(new Uint8Array(32).fill(i));
  const stream = `manifests/${'ab'.repeat(16)}`;
  return { writer, stream, sequence: 2 ** 48, hash: new Uint8Array(32).fill(7), ...change };
}

test('an announcement comes back as it was', () => {
  const heads = [headOf(1), headOf(2, { stream: 'cluster', sequence: 3 })];
  expect(decodeAnnouncement(encodeAnnouncement(heads))).toEqual(heads);
});

test('the most heads of one announcement fit one gossip message', () => {
  const heads = Array.from({ length: announcementHeadsMax }, (_, i) => headOf(i));
  expect(encodeAnnouncement(heads).length).toBeLessThanOrEqual(announcementSizeMax);
});

test.each([
  ['a sequence named twice', [headOf(1), headOf(1, { sequence: 4 })]],
  ['a sequence of 0', [headOf(1, { sequence: 0 })]],
  ['a sequence beyond 2^48', [headOf(1, { sequence: 2 ** 48 + 1 })]],
  ['a short hash', [headOf(1, { hash: new Uint8Array(31) })]],
  ['a stream with odd characters', [headOf(1, { stream: '../../etc' })]],
  ['an endless stream name', [headOf(1, { stream: 'a'.repeat(65) })]],
])('refuses %s', (_, heads) => {
  const bytes = encodeAnnouncement(heads);
  expect(() => decodeAnnouncement(bytes)).toThrow(
    expect.toSatisfy((error: unknown) => codeOf(error) === 'bad-encoding'),
  );
});

test('refuses an announcement that is too large', () => {
  const heads = Array.from({ length: 400 }, (_, i) =>
    headOf(i % 256, { stream: `manifests/${String(i).padStart(32, '0')}` }),
  );
  expect(() => decodeAnnouncement(encodeAnnouncement(heads))).toThrow(/over the limit/);
});

describe('heads in pages', () => {
  const crowd = Array.from({ length: 50 }, (_, i) => headOf(1, { stream: `manifests/${i}` }));
  const heads = [...crowd, headOf(3, { stream: 'cluster' }), headOf(2), headOf(2, { stream: 'a' })];

  test('name each sequence once, those of the cluster first', () => {
    const seen: StreamHead[] = [];
    let after: StreamHead | undefined;
    for (let more = true; more; after = lastOf(seen)) {
      const page = headPage(heads, { after, countMax: 8 });
      expect(page.heads.length).toBeLessThanOrEqual(8);
      seen.push(...page.heads);
      ({ more } = page);
    }
    expect(seen).toHaveLength(heads.length);
    expect(new Set(seen)).toEqual(new Set(heads));
    expect(seen.slice(0, 8).map(({ stream }) => stream)).toContain('cluster');
    expect(pageFrom({ heads: messagesOf(seen), more: false }, undefined)).toEqual(seen);
  });

  test('keep the order in which they became known, within a page', () => {
    const known = [headOf(3), headOf(1), headOf(2)];
    expect(headPage(known, { after: undefined, countMax: 8 }).heads).toEqual(known);
    expect(headPage(known, { after: undefined, countMax: 2 }).heads).toEqual([
      headOf(1),
      headOf(2),
    ]);
  });

  test('lose nothing where a sequence begins meanwhile', () => {
    const first = headPage(heads, { after: undefined, countMax: 8 }).heads;
    const grown = [headOf(9, { stream: 'cluster' }), ...heads];
    const second = headPage(grown, { after: lastOf(first), countMax: 100 }).heads;
    const missed = heads.filter((head) => !first.includes(head) && !second.includes(head));
    expect(missed).toEqual([]);
  });

  test.each([
    ['a place before the last page', [headOf(2)], headOf(3), false],
    ['the last place again', [headOf(2)], headOf(2), false],
    ['one of two before it', [headOf(4), headOf(2)], headOf(3), false],
    ['nothing, and yet more', [], headOf(2), true],
  ])('refuse %s', (_, page, after, more) => {
    expect(() => pageFrom({ heads: messagesOf(page), more }, after)).toThrow(
      expect.toSatisfy((error: unknown) => codeOf(error) === 'bad-encoding'),
    );
  });
});

function messagesOf(heads: readonly StreamHead[]) {
  return create(HeadsResponseSchema, { heads: heads.map(headMessage) }).heads;
}
