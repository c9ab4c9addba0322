import { describe, expect, test } from 'vitest';
import { equal } from '../../src/base/bytes.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { idBytes, type PeerKey } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { Network, PullRequest } from '../../src/ports/network.ts';
import { leavesOf, type SampleShard, samplePack } from '../support/sample-pack.ts';

/** Two networks of one cluster that admit each other and are not connected yet. */
export type NetworkPair = AsyncDisposable & {
  readonly left: Network;
  readonly right: Network;
  /** From now on `left` does not admit `right`. */
  revokeRight(): void;
  /** From now on `left` admits `right` again. */
  admitRight(): void;
};

type MakePair = () => Promise<NetworkPair>;

const stranger = 'aa'.repeat(32) as PeerKey;
const [shard] = samplePack({ seed: 1, packSize: 4_000_000 }) as [SampleShard];

/** What every Network promises. */
export function networkContract(name: string, makePair: MakePair): void {
  describe(`${name} as a Network, connecting`, () => connectingContract(makePair));
  describe(`${name} as a Network, admitting`, () => admittingContract(makePair));
  describe(`${name} as a Network, calling`, () => callingContract(makePair));
  describe(`${name} as a Network, cutting calls`, () => cutCallsContract(makePair));
  describe(`${name} as a Network, pulling`, () => pullingContract(makePair));
}

function connectingContract(makePair: MakePair): void {
  test('a connection is seen from both sides', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    expect(left.connections()).toEqual([]);
    await left.connect(right.self, right.addresses());
    await eventually(() => right.connections().length === 1);
    expect(left.connections()).toMatchObject([{ peer: right.self, path: 'direct' }]);
    expect(right.connections()).toMatchObject([{ peer: left.self }]);
  });

  test('coming and going is told until the listener stops', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    const seen: unknown[] = [];
    const stop = right.onConnection((event) => seen.push(event));
    await left.connect(right.self, right.addresses());
    await eventually(() => seen.length === 1);
    await left.disconnect(right.self);
    await eventually(() => seen.length === 2);
    expect(seen).toEqual([
      { peer: left.self, isConnected: true },
      { peer: left.self, isConnected: false },
    ]);
    expect(left.connections()).toEqual([]);
    stop();
    await left.connect(right.self, right.addresses());
    await left.ping(right.self);
    expect(seen).toHaveLength(2);
  });

  test('connecting again, and from both sides at once, is harmless', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    right.serveCalls(async (_peer, request) => request);
    left.serveCalls(async (_peer, request) => request);
    await Promise.all([
      left.connect(right.self, right.addresses()),
      right.connect(left.self, left.addresses()),
    ]);
    await left.connect(right.self, right.addresses());
    expect(await left.call(right.self, Uint8Array.of(1))).toEqual(Uint8Array.of(1));
    expect(await right.call(left.self, Uint8Array.of(2))).toEqual(Uint8Array.of(2));
  });

  test('an address that somebody else answers at is unreachable', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    const work = left.connect(stranger, right.addresses());
    await expect(work).rejects.toMatchObject({ code: 'peer-unreachable' });
    expect(left.connections()).toEqual([]);
  });

  test('a peer without addresses is unreachable', async () => {
    await using pair = await makePair();
    const work = pair.left.connect(pair.right.self, []);
    await expect(work).rejects.toMatchObject({ code: 'peer-unreachable' });
  });

  test('dialling an address tells who answers', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    expect(await left.connectTo(right.addresses()[0] as string)).toBe(right.self);
    expect(left.connections()).toMatchObject([{ peer: right.self }]);
  });

  test('a round trip takes some time, and an unconnected peer has none', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    await expect(left.ping(right.self)).rejects.toMatchObject({ code: 'peer-unreachable' });
    await left.connect(right.self, right.addresses());
    expect(await left.ping(right.self)).toBeGreaterThanOrEqual(0);
  });

  test('an announcement reaches the others, and not its sender', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    const heard: unknown[] = [];
    left.onPublished(() => heard.push('own'));
    right.onPublished((from, message) => heard.push({ from, message }));
    await left.connect(right.self, right.addresses());
    await eventually(async () => {
      await left.publish(Uint8Array.of(7));
      return heard.length > 0;
    });
    expect(heard[0]).toEqual({ from: left.self, message: Uint8Array.of(7) });
    expect(heard).not.toContain('own');
  });

  test('an announcement without anybody to hear it is no error', async () => {
    await using pair = await makePair();
    await pair.left.publish(Uint8Array.of(7));
  });
}

function admittingContract(makePair: MakePair): void {
  test('a peer that is not admitted is refused, and its calls reach no handler', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    let calls = 0;
    left.serveCalls(async (_peer, request) => {
      calls += 1;
      return request;
    });
    pair.revokeRight();
    const work = right.connect(left.self, left.addresses());
    await expect(work).rejects.toMatchObject({ code: 'peer-unreachable' });
    const call = right.call(left.self, Uint8Array.of(1));
    await expect(call).rejects.toMatchObject({ code: 'peer-unreachable' });
    expect(calls).toBe(0);
    expect(left.connections()).toEqual([]);
  });

  test('a peer whose membership ends is cut when admission is enforced', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    await left.connect(right.self, right.addresses());
    await left.enforceAdmission();
    expect(left.connections()).toHaveLength(1);
    pair.revokeRight();
    await left.enforceAdmission();
    await eventually(() => left.connections().length === 0 && right.connections().length === 0);
  });

  test('a call on a connection that outlived its membership reaches no handler', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    let calls = 0;
    left.serveCalls(async (_peer, request) => {
      calls += 1;
      return request;
    });
    await left.connect(right.self, right.addresses());
    await eventually(() => right.connections().length === 1);
    pair.revokeRight();
    const call = right.call(left.self, Uint8Array.of(1));
    await expect(call).rejects.toMatchObject({ code: 'peer-unreachable' });
    expect(calls).toBe(0);
  });

  test('a peer that is admitted again can connect again', async () => {
    await using pair = await makePair();
    const { left, right } = pair;
    pair.revokeRight();
    const work = right.connect(left.self, left.addresses());
    await expect(work).rejects.toMatchObject({ code: 'peer-unreachable' });
    pair.admitRight();
    await right.connect(left.self, left.addresses());
    expect(right.connections()).toMatchObject([{ peer: left.self }]);
  });
}

function callingContract(makePair: MakePair): void {
  test('a call is answered, and the handler is told who asks', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    right.serveCalls(async (peer, request) => Uint8Array.of(...idBytes(peer), ...request));
    const response = await left.call(right.self, Uint8Array.of(1, 2));
    expect(response).toEqual(Uint8Array.of(...idBytes(left.self), 1, 2));
  });

  test('the largest messages pass whole, and the empty one too', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    right.serveCalls(async (_peer, request) => request.toReversed());
    const request = shard.bytes.slice(0, limits.messageSizeMax);
    expect(request).toHaveLength(limits.messageSizeMax);
    expect(equal(await left.call(right.self, request), request.toReversed())).toBe(true);
    expect(await left.call(right.self, new Uint8Array())).toEqual(new Uint8Array());
  });

  test('a request over the limit is not sent', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    let calls = 0;
    right.serveCalls(async () => {
      calls += 1;
      return new Uint8Array();
    });
    const call = left.call(right.self, new Uint8Array(limits.messageSizeMax + 1));
    await expect(call).rejects.toMatchObject({ code: 'limit-exceeded' });
    expect(calls).toBe(0);
  });

  test('a hundred calls at once are all answered, few at a time', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    let running = 0;
    let runningMax = 0;
    right.serveCalls(async (_peer, request) => {
      running += 1;
      runningMax = Math.max(runningMax, running);
      await later(1);
      running -= 1;
      return request;
    });
    const numbers = Array.from({ length: 100 }, (_, number) => Uint8Array.of(number));
    const answers = await Promise.all(numbers.map((number) => left.call(right.self, number)));
    expect(answers).toEqual(numbers);
    expect(runningMax).toBeLessThan(50);
  });
}

function cutCallsContract(makePair: MakePair): void {
  test('a call to a peer that is not connected fails', async () => {
    await using pair = await makePair();
    const call = pair.left.call(pair.right.self, Uint8Array.of(1));
    await expect(call).rejects.toMatchObject({ code: 'peer-unreachable' });
  });

  test('a handler that fails, and one that says too much, cut the call', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    right.serveCalls(async () => {
      throw new Error('no');
    });
    const failing = left.call(right.self, Uint8Array.of(1));
    await expect(failing).rejects.toMatchObject({ code: 'peer-unreachable' });
    right.serveCalls(async () => new Uint8Array(limits.messageSizeMax + 1));
    const long = left.call(right.self, Uint8Array.of(1));
    await expect(long).rejects.toMatchObject({ code: 'peer-unreachable' });
  });

  test('a call that takes too long times out, and its handler is told', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    let isTold = false;
    right.serveCalls((_peer, _request, { signal }) => {
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          isTold = true;
          reject(signal.reason);
        });
      });
    });
    const call = left.call(right.self, Uint8Array.of(1), { timeoutMs: 1000 });
    await expect(call).rejects.toMatchObject({ code: 'timeout' });
    await eventually(() => isTold);
  });

  test('a cancelled call rejects with the reason', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    const cancel = new AbortController();
    right.serveCalls(async () => {
      cancel.abort(new Error('enough'));
      return new Promise(() => undefined);
    });
    const call = left.call(right.self, Uint8Array.of(1), { signal: cancel.signal });
    await expect(call).rejects.toThrow('enough');
    const late = left.call(right.self, Uint8Array.of(1), { signal: cancel.signal });
    await expect(late).rejects.toThrow('enough');
  });

  test('what is under way fails soon when the peer closes', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    const begun = Promise.withResolvers<void>();
    right.serveCalls(() => new Promise(() => begun.resolve()));
    right.servePulls(() => new Promise(() => undefined));
    const call = left.call(right.self, Uint8Array.of(1));
    const pull = left.pull(right.self, request({ leaf: 0 }));
    await begun.promise;
    const outcomes = Promise.allSettled([call, pull]);
    await right[Symbol.asyncDispose]();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ reason: { code: 'peer-unreachable' } });
    }
  });
}

function pullingContract(makePair: MakePair): void {
  test('leaves arrive, with the head if it was asked for', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    serveShard(right);
    const { bytes, head } = await left.pull(right.self, request({ leaf: 3, withHead: true }));
    expect(equal(bytes, leavesOf(shard, 3, 4))).toBe(true);
    expect(head).toEqual(shard.head);
    const plain = await left.pull(right.self, request({ leaf: 4, count: 2 }));
    expect(equal(plain.bytes, leavesOf(shard, 4, 6))).toBe(true);
    expect(plain.head).toBeUndefined();
  });

  test('many pulls at once each get their own leaves', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    serveShard(right);
    const count = Math.floor(shard.bytes.length / limits.leafSize);
    const asked = Array.from({ length: 3 * count }, (_, i) => i % count);
    const replies = await Promise.all(
      asked.map((leaf) => left.pull(right.self, request({ leaf }))),
    );
    for (const [i, { bytes }] of replies.entries()) {
      const leaf = asked[i] as number;
      expect(equal(bytes, leavesOf(shard, leaf, leaf + 1))).toBe(true);
    }
  });

  test('the failure of the peer arrives with its code, and other pulls go on', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    right.servePulls(async (_peer, { leaf }) => {
      if (leaf === 1) throw new HoldfastError('not-found', 'shard 0 is not held');
      if (leaf === 2) throw new Error('private detail');
      return { bytes: Uint8Array.of(leaf) };
    });
    const pull = async (leaf: number) => left.pull(right.self, request({ leaf }));
    const outcomes = await Promise.allSettled([pull(0), pull(1), pull(2), pull(3)]);
    expect(outcomes).toMatchObject([
      { value: { bytes: Uint8Array.of(0) } },
      { reason: { code: 'not-found', message: expect.stringContaining('is not held') } },
      { reason: { code: 'failed' } },
      { value: { bytes: Uint8Array.of(3) } },
    ]);
    expect(String((outcomes[2] as PromiseRejectedResult).reason)).not.toContain('private');
  });

  test('a cancelled pull rejects with the reason, and later ones are not disturbed', async () => {
    await using pair = await makePair();
    const { left, right } = await connected(pair);
    const cancel = new AbortController();
    const held = Promise.withResolvers<void>();
    right.servePulls(async (_peer, { leaf }) => {
      if (leaf === 0) await held.promise;
      return { bytes: Uint8Array.of(leaf) };
    });
    const { signal } = cancel;
    const cancelled = left.pull(right.self, request({ leaf: 0 }), { signal });
    await later(20);
    cancel.abort(new Error('enough'));
    await expect(cancelled).rejects.toThrow('enough');
    held.resolve();
    const next = await left.pull(right.self, request({ leaf: 1 }));
    expect(next.bytes).toEqual(Uint8Array.of(1));
  });

  test('a pull from a peer that is not connected fails', async () => {
    await using pair = await makePair();
    const pull = pair.left.pull(pair.right.self, request({ leaf: 0 }));
    await expect(pull).rejects.toMatchObject({ code: 'peer-unreachable' });
  });
}

async function connected(pair: NetworkPair): Promise<NetworkPair> {
  await pair.left.connect(pair.right.self, pair.right.addresses());
  return pair;
}

function request(options: { leaf: number; count?: number; withHead?: boolean }): PullRequest {
  const { leaf, count = 1, withHead = false } = options;
  return { pack: idBytes(shard.head.pack), index: shard.head.index, leaf, count, withHead };
}

function serveShard(network: Network): void {
  network.servePulls(async (_peer, { leaf, count, withHead }) => ({
    bytes: leavesOf(shard, leaf, leaf + count),
    ...(withHead ? { head: shard.head } : {}),
  }));
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for what the other side does in its own time. */
async function eventually(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(isTrue, { timeout: 10_000, interval: 20 }).toBe(true);
}
