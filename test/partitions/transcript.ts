import { runInside } from './namespaces.ts';

const names = ['witness', 'decree', 'failover'];

const [name = '', ...rest] = process.argv.slice(2);
if (!names.includes(name)) {
  console.log(`node test/partitions/transcript.ts ${names.join('|')} [FILE]
  Carries out the commands of a transcript with real agents, and writes what they say
  (default: docs/transcripts/NAME.md).`);
  process.exitCode = name === '--help' ? 0 : 2;
} else {
  const script = new URL('./transcript-inside.ts', import.meta.url);
  process.exitCode = await runInside(script, [name, ...rest]);
}
