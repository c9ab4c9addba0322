import { assert } from '../../base/assert.ts';
import { ageSealer } from './sealer.ts';

// Run by sealing-process.ts. A line of JSON with the recipients, then keys of 32 bytes on standard input; for each,
// in order, its age file on standard output, preceded by its size (4 bytes). Ends with its input.
const keySize = 32;
const sealer = ageSealer();
let recipients: string[] | undefined;
let rest = Buffer.alloc(0);

for await (const chunk of process.stdin) {
  rest = Buffer.concat([rest, chunk as Buffer]);
  if (recipients === undefined) {
    const end = rest.indexOf(0x0a);
    if (end === -1) continue;
    recipients = JSON.parse(rest.subarray(0, end).toString('utf8')) as string[];
    rest = rest.subarray(end + 1);
  }
  for (; rest.length >= keySize; rest = rest.subarray(keySize)) {
    const sealed = await sealer.seal(recipients, Uint8Array.from(rest.subarray(0, keySize)));
    const size = Buffer.alloc(4);
    size.writeUInt32BE(sealed.length);
    process.stdout.write(Buffer.concat([size, sealed]));
  }
}
assert(rest.length === 0, 'keys come whole');
