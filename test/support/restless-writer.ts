// Changes files until it is ended: appends to every file of one directory, over and over, and deletes those of
// another, one after the other. Arguments: the two directories. Says "ready" once it has begun.
import { appendFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const [growing = '', vanishing = ''] = process.argv.slice(2);
const doomed = readdirSync(vanishing).sort().reverse();

for (let round = 0; ; round++) {
  for (const name of readdirSync(growing)) appendFileSync(join(growing, name), `line ${round}\n`);
  const next = doomed.shift();
  if (next !== undefined) rmSync(join(vanishing, next));
  if (round === 0) console.log('ready');
  await setTimeout(1);
}
