import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { assert } from '../../base/assert.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { PackSealing } from '../../ports/sealer.ts';

/** Where compiled code is kept: without it each backup compiles the library anew. */
function compileCache(): { NODE_COMPILE_CACHE?: string } {
  const { NODE_COMPILE_CACHE } = process.env;
  return NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };
}

type Child = ChildProcessByStdio<Writable, Readable, null>;
type Waiting = { resolve: (sealed: Uint8Array) => void; reject: (error: unknown) => void };

/**
 * Seals pack keys in a process that lives as long as one backup. Sealing makes copies of a key that JavaScript
 * cannot erase; there they end with the process. Here a key is only where its writer keeps it, and goes from
 * there into a pipe.
 */
export function openSealingProcess(): PackSealing {
  return new SealingProcess();
}

class SealingProcess implements PackSealing {
  #child: Child | undefined;
  #recipients = '';
  readonly #waiting: Waiting[] = [];
  #received = Buffer.alloc(0);
  #failure: HoldfastError | undefined;
  #ended: Promise<void> = Promise.resolve();

  begin(recipients: readonly string[]): void {
    if (this.#failure === undefined) this.#child ??= this.#start(JSON.stringify(recipients));
  }

  seal(recipients: readonly string[], secret: Uint8Array): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    assert(secret.length === 32, 'the key of a pack has 32 bytes');
    const text = JSON.stringify(recipients);
    const child = this.#child ?? this.#start(text);
    assert(text === this.#recipients, 'packs of one backup have one recipient');
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      // A view, not a copy.
      child.stdin.write(Buffer.from(secret.buffer, secret.byteOffset, secret.length));
    });
  }

  #start(recipients: string): Child {
    const file = fileURLToPath(new URL('./sealing-child.ts', import.meta.url));
    const child = spawn(process.execPath, [file], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env.PATH ?? '', ...compileCache() },
    });
    this.#child = child;
    this.#recipients = recipients;
    child.stdin.on('error', () => {});
    child.stdout.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#ended = new Promise((resolve) => {
      child.on('error', (cause) => this.#fail(cause.message, cause));
      child.on('close', (code, signal) => {
        this.#fail(`it ended with ${signal ?? code}`);
        resolve();
      });
    });
    child.stdin.write(`${recipients}\n`);
    return child;
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      if (this.#received.length < 4) return;
      const end = 4 + this.#received.readUInt32BE(0);
      if (this.#received.length < end) return;
      const sealed = Uint8Array.from(this.#received.subarray(4, end));
      this.#received = this.#received.subarray(end);
      this.#waiting.shift()?.resolve(sealed);
    }
  }

  #fail(reason: string, cause?: unknown): void {
    this.#failure ??= new HoldfastError('failed', `keys of packs could not be sealed: ${reason}`, {
      next: 'run the backup again',
      cause,
    });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGKILL');
    await this.#ended;
  }
}
