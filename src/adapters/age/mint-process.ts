import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '../../core/errors.ts';
import type { EpochMint } from '../../ports/key-records.ts';

/** What the child is asked, and what it answers. The identity is in neither. */
export type MintOrder = { readonly groups: readonly (readonly string[])[] };
export type Minted = { readonly recipient: string; readonly files: readonly string[] };

const timeoutMs = 60_000;
const answerSizeMax = 1024 * 1024;

/**
 * Makes each epoch identity in a process that ends with it: its memory goes back to the kernel, which gives no
 * page to anybody else before it has cleared it. Nothing of the identity was ever in this process.
 */
export function processMint(): EpochMint {
  const file = fileURLToPath(new URL('./mint-child.ts', import.meta.url));
  return {
    mint: async (groups) => {
      const order: MintOrder = { groups };
      const answer = JSON.parse(await run(file, JSON.stringify(order))) as Minted;
      const files = answer.files.map((one) => new Uint8Array(Buffer.from(one, 'base64')));
      return { recipient: answer.recipient, files };
    },
  };
}

function run(file: string, input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file], {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: timeoutMs,
      // Neither secrets of this host's environment nor options of its Node.js.
      env: { PATH: process.env.PATH ?? '' },
    });
    const out: Buffer[] = [];
    const problem: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > answerSizeMax) child.kill('SIGKILL');
      out.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => problem.push(chunk));
    child.on('error', (cause) => reject(failure(cause.message, cause)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(out).toString('utf8'));
      else reject(failure(Buffer.concat(problem).toString('utf8') || `it ended with ${signal}`));
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

function failure(reason: string, cause?: unknown): HoldfastError {
  const text = reason.trim().split('\n').slice(-1)[0]?.slice(0, 300) ?? '';
  return new HoldfastError('failed', `no key could be made: ${text}`, {
    next: 'free some memory, then try again',
    cause,
  });
}
