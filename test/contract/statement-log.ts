import { describe, expect, test } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import type { StatementLog, StreamName } from '../../src/ports/statement-log.ts';

export type SampleEntry = { sequence: number; hash: Uint8Array; envelope: Uint8Array };

/** An entry that differs from those of other sequences; `size` of its envelope. */
export function sampleEntry(sequence: number, size = 100 + sequence): SampleEntry {
  return {
    sequence,
    hash: new Uint8Array(32).fill(sequence),
    envelope: new Uint8Array(size).fill(sequence + 1),
  };
}

export function sampleStream(writer: string, stream = 'cluster'): StreamName {
  return { writer: writer.repeat(64).slice(0, 64), stream };
}

/** What every StatementLog promises. `open` gives an empty one. */
export function statementLogContract(
  name: string,
  open: () => Promise<AsyncDisposable & { readonly log: StatementLog }>,
): void {
  describe(`${name} as a StatementLog`, () => {
    const a = sampleStream('a');

    test('an empty log has no heads and no entries', async () => {
      await using opened = await open();
      expect(opened.log.heads()).toEqual([]);
      expect(opened.log.head(a)).toBeUndefined();
      expect(await opened.log.read(a, 1, 10)).toEqual([]);
    });

    test('the head is the entry appended last', async () => {
      await using opened = await open();
      await opened.log.append(a, sampleEntry(1));
      await opened.log.append(a, sampleEntry(2));
      expect(opened.log.head(a)).toEqual({ ...a, sequence: 2, hash: sampleEntry(2).hash });
      expect(opened.log.heads()).toEqual([{ ...a, sequence: 2, hash: sampleEntry(2).hash }]);
    });

    test('sequences of other writers and of other streams are apart', async () => {
      await using opened = await open();
      const others = [sampleStream('b'), sampleStream('a', 'receipts')];
      await opened.log.append(a, sampleEntry(1));
      for (const stream of others) await opened.log.append(stream, sampleEntry(1, 7));
      expect(opened.log.heads()).toHaveLength(3);
      expect(await opened.log.read(a, 1, 10)).toEqual([sampleEntry(1).envelope]);
      for (const stream of others) {
        expect(await opened.log.read(stream, 1, 10)).toEqual([sampleEntry(1, 7).envelope]);
      }
    });

    test('a read gives the entries asked for, as far as they are held', async () => {
      await using opened = await open();
      for (let n = 1; n <= 5; n++) await opened.log.append(a, sampleEntry(n));
      const envelopes = (...sequences: number[]): Uint8Array[] =>
        sequences.map((sequence) => sampleEntry(sequence).envelope);
      expect(await opened.log.read(a, 1, 2)).toEqual(envelopes(1, 2));
      expect(await opened.log.read(a, 3, 1)).toEqual(envelopes(3));
      expect(await opened.log.read(a, 4, 100)).toEqual(envelopes(4, 5));
      expect(await opened.log.read(a, 6, 1)).toEqual([]);
      expect(await opened.log.read(a, 0, 1)).toEqual([]);
      expect(await opened.log.read(a, 1, 0)).toEqual([]);
    });

    test('an envelope of the largest size comes back whole', async () => {
      await using opened = await open();
      await opened.log.append(a, sampleEntry(1, limits.envelopeSizeMax));
      expect(await opened.log.read(a, 1, 1)).toEqual([
        sampleEntry(1, limits.envelopeSizeMax).envelope,
      ]);
    });

    test('entries given and got are not shared with the log', async () => {
      await using opened = await open();
      const entry = sampleEntry(1);
      await opened.log.append(a, entry);
      entry.hash.fill(0);
      entry.envelope.fill(0);
      (await opened.log.read(a, 1, 1))[0]?.fill(0);
      expect(opened.log.head(a)?.hash).toEqual(sampleEntry(1).hash);
      expect(await opened.log.read(a, 1, 1)).toEqual([sampleEntry(1).envelope]);
    });

    test('an entry that does not follow the head is a bug', async () => {
      await using opened = await open();
      await expect(opened.log.append(a, sampleEntry(2))).rejects.toThrow('follows the head');
      await opened.log.append(a, sampleEntry(1));
      await expect(opened.log.append(a, sampleEntry(1))).rejects.toThrow('follows the head');
      await expect(opened.log.append(a, sampleEntry(3))).rejects.toThrow('follows the head');
      await opened.log.append(a, sampleEntry(2));
      expect(opened.log.head(a)?.sequence).toBe(2);
    });

    test('appends that overlap are taken in the order in which they came', async () => {
      await using opened = await open();
      const sequences = Array.from({ length: 20 }, (_, i) => i + 1);
      await Promise.all(sequences.map((n) => opened.log.append(a, sampleEntry(n))));
      expect(await opened.log.read(a, 1, 100)).toEqual(
        sequences.map((n) => sampleEntry(n).envelope),
      );
    });
  });
}
