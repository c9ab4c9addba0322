import { expect, test } from 'vitest';
import { codeOf } from '../../../../src/core/errors.ts';
import { type AgentKey, idOf } from '../../../../src/core/ids.ts';
import {
  announcementHeadsMax,
  announcementSizeMax,
  decodeAnnouncement,
  encodeAnnouncement,
  fairHeads,
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

test('where not all heads fit, a writer of thousands crowds nobody out', () => {
  const crowd = Array.from({ length: 50 }, (_, i) => headOf(1, { stream: `manifests/${i}` }));
  const heads = [...crowd, headOf(2), headOf(3), headOf(3, { stream: 'receipts' })];
  const fair = fairHeads(heads, 10);
  expect(fair).toHaveLength(10);
  for (const head of heads.slice(50)) expect(fair).toContain(head);
  expect(fairHeads(heads, 100)).toBe(heads);
});
