import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { SealedSocket } from '../../../../src/adapters/libp2p/sealed-socket.ts';
import { KiB } from '../../../../src/base/units.ts';

const keys = { own: new Uint8Array(randomBytes(32)), peer: new Uint8Array(randomBytes(32)) };

/** A socket that keeps what is written, and says how that ended when it is told to. */
class HeldSocket extends PassThrough {
  readonly written: Uint8Array[] = [];
  readonly #ends: ((error?: Error) => void)[] = [];

  setNoDelay(): this {
    return this;
  }

  override write(piece: Uint8Array, done?: unknown): boolean {
    this.written.push(piece);
    if (typeof done === 'function') this.#ends.push(done as (error?: Error) => void);
    return true;
  }

  settle(error?: Error): void {
    for (const end of this.#ends.splice(0)) end(error);
  }

  get sizes(): number[] {
    return this.written.map(({ length }) => length);
  }
}

describe('what was sealed for a socket', () => {
  const content = new Uint8Array(randomBytes(200 * KiB));

  function sent(): HeldSocket {
    const held = new HeldSocket();
    new SealedSocket(held as unknown as Socket, keys).send(content);
    return held;
  }

  test('gives its memory back once it is written, and not before', () => {
    const held = sent();
    expect(held.sizes).toEqual([4, content.length, 16]);
    held.settle();
    expect(held.sizes[1]).toBe(0);
    expect(content).toHaveLength(200 * KiB);
  });

  test('stays when the socket has failed: the system may still be reading it', () => {
    const held = sent();
    held.settle(new Error('cut'));
    expect(held.sizes).toEqual([4, content.length, 16]);
  });
});
