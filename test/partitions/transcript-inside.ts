import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fleet } from './fleet.ts';
import { Transcript } from './transcript-text.ts';
import { decree } from './transcripts/decree.ts';
import { failover } from './transcripts/failover.ts';
import { witness } from './transcripts/witness.ts';

const scripts = { witness, decree, failover };

const [prefix = '', name = '', file] = process.argv.slice(2);
const script = scripts[name as keyof typeof scripts];

await using fleet = new Fleet(prefix);
process.once('SIGINT', () => {
  void fleet[Symbol.asyncDispose]().finally(() => process.exit(130));
});
const transcript = new Transcript(fleet);
await script(fleet, transcript);
const path = file ?? fileURLToPath(new URL(`../../docs/transcripts/${name}.md`, import.meta.url));
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, transcript.text());
console.log(`${transcript.commands} commands; written: ${path}`);
