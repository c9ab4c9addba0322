// `age --decrypt --identity FILE` with the implementation of age's author in TypeScript, which knows hybrid keys.
import { readFileSync, writeSync } from 'node:fs';
import { Decrypter } from 'age-encryption';

const file = process.argv[process.argv.indexOf('--identity') + 1];
const decrypter = new Decrypter();
for (const line of readFileSync(file, 'utf8').split('\n')) {
  if (line.startsWith('AGE-SECRET-KEY-')) decrypter.addIdentity(line.trim());
}
writeSync(1, await decrypter.decrypt(readFileSync(0)));
