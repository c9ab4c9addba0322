import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  RecordOpener,
  RecordSealer,
  recordSizeMax,
} from '../../../../src/adapters/libp2p/sealed-records.ts';
import { concat, toHex } from '../../../../src/base/bytes.ts';

const key = new Uint8Array(32).fill(7);

function opened(pieces: readonly Uint8Array[]): Uint8Array[] {
  const contents: Uint8Array[] = [];
  const opener = new RecordOpener(key, (parts) => contents.push(concat(parts)));
  for (const piece of pieces) opener.push(piece);
  return contents;
}

const record = (sealer: RecordSealer, content: Uint8Array): Uint8Array =>
  concat(sealer.seal(content));

test('records open to what was sealed, in whatever pieces they arrive', () => {
  const contents = [1, 0, 70_000, recordSizeMax].map((size) => new Uint8Array(randomBytes(size)));
  const sealer = new RecordSealer(key);
  const sent = concat(contents.map((content) => record(sealer, content)));
  for (const size of [1, 19, 65_536, sent.length]) {
    const pieces = Array.from({ length: Math.ceil(sent.length / size) }, (_, i) =>
      sent.subarray(i * size, (i + 1) * size),
    );
    expect(opened(pieces).map(toHex)).toEqual(contents.map(toHex));
  }
});

test('a record is what proto/README.md says: length, AES-256-GCM with the number as nonce, tag', () => {
  const sealer = new RecordSealer(key);
  expect(toHex(record(sealer, Uint8Array.of(1)))).toBe(
    '00000001' + '60' + 'b5395ac1ea42653f324f88120bd7f145',
  );
});

test('a small record is one piece, a large one is not copied to be that', () => {
  const sealer = new RecordSealer(key);
  const counts = [0, 4096, 4097].map((size) => sealer.seal(new Uint8Array(size)).length);
  expect(counts).toEqual([1, 1, 3]);
});

test.each([
  ['a bit of the length', 3],
  ['a bit of the content', 4],
  ['a bit of the tag', 14],
])('%s that was flipped is found, and nothing of the record is given out', (_, at) => {
  const sealer = new RecordSealer(key);
  const first = record(sealer, Uint8Array.of(1, 2, 3));
  const second = record(sealer, new Uint8Array(10));
  second[at] = (second[at] as number) ^ 1;
  const contents: Uint8Array[] = [];
  const opener = new RecordOpener(key, (parts) => contents.push(concat(parts)));
  opener.push(first);
  const rest = concat([second, record(sealer, new Uint8Array(10))]);
  expect(() => opener.push(rest)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  expect(contents).toEqual([Uint8Array.of(1, 2, 3)]);
});

test.each(['left out', 'repeated', 'sealed with another key'])('a record %s is found', (how) => {
  const sealer = new RecordSealer(key);
  const [a, b] = [record(sealer, Uint8Array.of(1)), record(sealer, Uint8Array.of(2))];
  const other = record(new RecordSealer(new Uint8Array(32)), Uint8Array.of(1));
  const sent = { 'left out': [b], repeated: [a, a], 'sealed with another key': [other] }[how] ?? [];
  expect(() => opened(sent)).toThrow(expect.objectContaining({ code: 'corrupt' }));
});

test('a record that claims to be larger than any is refused at its length', () => {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, recordSizeMax + 1);
  expect(() => opened([length])).toThrow(expect.objectContaining({ code: 'corrupt' }));
});
