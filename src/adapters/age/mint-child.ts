import { localMint } from './epoch-mint.ts';
import type { Minted, MintOrder } from './mint-process.ts';
import { ageSealer } from './sealer.ts';

// Run by mint-process.ts. One order on standard input, one answer on standard output, and the end.
const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
const order = JSON.parse(Buffer.concat(chunks).toString('utf8')) as MintOrder;
const { recipient, files } = await localMint(ageSealer()).mint(order.groups);
const minted: Minted = {
  recipient,
  files: files.map((file) => Buffer.from(file).toString('base64')),
};
process.stdout.write(JSON.stringify(minted));
