import { writeSync } from 'node:fs';
import { openControlJournal } from '../../src/adapters/fs/control-journal.ts';

// A program that grows the journal at a path until it is killed. It prints the index of each entry once its
// write has resolved. Every entry comes with its index as the term, and every 16th is compacted away: at once, or
// at the next start where a kill came in between.

await using journal = await openControlJournal(process.argv[2] as string);
const { snapshot, entries } = journal.stored;
const last = snapshot.index + entries.length;

async function compactIfDue(index: number): Promise<void> {
  if (index === 0 || index % 16 !== 0) return;
  const state = new Uint8Array(100_000).fill(index);
  await journal.write({ snapshot: { ...snapshot, index, term: index, state } });
}

await compactIfDue(last);
for (let index = last + 1; ; index++) {
  const hard = { generation: 1, term: index, votedFor: undefined };
  const payload = new Uint8Array(index % 5000).fill(index);
  await journal.write({ hard, append: [{ index, term: index, kind: 'command', payload }] });
  await compactIfDue(index);
  writeSync(1, `${index}\n`);
}
