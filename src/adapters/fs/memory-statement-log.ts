import { assert } from '../../base/assert.ts';
import type { LogHead, StatementLog, StreamName } from '../../ports/statement-log.ts';

type Entry = { readonly hash: Uint8Array; readonly envelope: Uint8Array };
type Sequence = StreamName & { readonly entries: Entry[] };

/** A log that ends with the process: for whoever only reads, as a recovery does. */
export function memoryStatementLog(): StatementLog {
  const sequences = new Map<string, Sequence>();
  return {
    heads: () => [...sequences.values()].map(headOf),
    head: (stream) => {
      const sequence = sequences.get(keyOf(stream));
      return sequence === undefined ? undefined : headOf(sequence);
    },
    append: async ({ writer, stream }, { sequence: number, hash, envelope }) => {
      const key = keyOf({ writer, stream });
      const sequence = sequences.get(key) ?? { writer, stream, entries: [] };
      assert(number === sequence.entries.length + 1, 'an entry follows the head of its sequence');
      sequence.entries.push({ hash: hash.slice(), envelope: envelope.slice() });
      sequences.set(key, sequence);
    },
    read: async (stream, from, count) => {
      if (from < 1 || count < 1) return [];
      const entries = sequences.get(keyOf(stream))?.entries ?? [];
      return entries.slice(from - 1, from - 1 + count).map(({ envelope }) => envelope.slice());
    },
    putAside: async () => [],
    [Symbol.asyncDispose]: async () => sequences.clear(),
  };
}

function headOf({ writer, stream, entries }: Sequence): LogHead {
  const newest = entries.at(-1);
  assert(newest !== undefined, 'a sequence that is held has an entry');
  return { writer, stream, sequence: entries.length, hash: newest.hash.slice() };
}

function keyOf({ writer, stream }: StreamName): string {
  return `${writer}/${stream}`;
}
