import { afterEach, beforeEach, expect, test } from 'vitest';
import { limits } from '../../../../src/core/limits.ts';
import type { Network } from '../../../../src/ports/network.ts';
import { SampleCluster } from './sample-agent.ts';

let cluster: SampleCluster;
let relay: Network;
let left: Network;
/** Listens nowhere, as a host does that nobody can dial. */
let hidden: Network;

beforeEach(async () => {
  cluster = new SampleCluster();
  relay = await cluster.join({ isRelay: true, gossip: true });
  left = await cluster.join({ gossip: true });
  hidden = await cluster.join({ listen: [], usesRelays: true, gossip: true });
  for (const one of [left, hidden]) await one.connect(relay.self, relay.addresses());
  await expect.poll(() => hidden.addresses(), { timeout: 10_000 }).not.toEqual([]);
});

afterEach(() => cluster[Symbol.asyncDispose]());

const pathTo = (from: Network, to: Network) =>
  from.connections().find(({ peer }) => peer === to.self);

test('a host that nobody can dial tells an address at a relay, and is reached there', async () => {
  expect(hidden.addresses().every((address) => address.includes('/p2p-circuit'))).toBe(true);
  await left.connect(hidden.self, hidden.addresses());
  expect(pathTo(left, hidden)).toMatchObject({ path: 'relayed', relay: relay.self });
  expect(pathTo(hidden, left)).toMatchObject({ path: 'relayed', openedBy: 'peer' });
  expect(await left.ping(hidden.self)).toBeGreaterThan(0);
  hidden.serveCalls(async (_, request) => request);
  expect(await left.call(hidden.self, Uint8Array.of(1, 2))).toEqual(Uint8Array.of(1, 2));
});

test('more passes a relay than libp2p lets strangers have, both ways', async () => {
  await left.connect(hidden.self, hidden.addresses());
  const leaves = new Uint8Array(limits.pullLeavesMax * limits.leafSize).fill(7);
  for (const one of [left, hidden]) one.servePulls(async () => ({ bytes: leaves }));
  const request = { pack: new Uint8Array(32), index: 0, leaf: 0, withHead: false };
  const count = limits.pullLeavesMax;
  for (const [from, to] of [
    [left, hidden],
    [hidden, left],
  ] as const) {
    for (let i = 0; i < 8; i++) {
      const { bytes } = await from.pull(to.self, { ...request, count });
      expect(bytes.length).toBe(leaves.length);
    }
  }
});

test('announcements come through a relay', { timeout: 20_000 }, async () => {
  await left.connect(hidden.self, hidden.addresses());
  const heard: number[] = [];
  hidden.onPublished((_, message) => heard.push(message[0] as number));
  await expect
    .poll(
      async () => {
        await left.publish(Uint8Array.of(5));
        return heard[0];
      },
      { timeout: 15_000, interval: 300 },
    )
    .toBe(5);
});

test('a stranger gets no place at a relay, and nobody through it', async () => {
  const stranger = await cluster.stranger({ listen: [], usesRelays: true });
  await expect(stranger.connect(relay.self, relay.addresses())).rejects.toThrow('refused');
  await expect(stranger.connect(hidden.self, hidden.addresses())).rejects.toThrow('cannot reach');
  expect(stranger.addresses()).toEqual([]);
});

test('a direct way is taken as soon as there is one', async () => {
  await left.connect(hidden.self, hidden.addresses());
  hidden.keep([{ peer: left.self, addresses: left.addresses() }]);
  await expect.poll(() => pathTo(hidden, left)?.path, { timeout: 10_000 }).toBe('direct');
  await expect.poll(() => pathTo(left, hidden)?.path, { timeout: 10_000 }).toBe('direct');
});

test('why there is none is remembered', async () => {
  await left.connect(hidden.self, hidden.addresses());
  const dead = ['/ip4/127.0.0.1/tcp/1'];
  left.keep([{ peer: hidden.self, addresses: [...dead, ...hidden.addresses()] }]);
  await expect
    .poll(() => pathTo(left, hidden)?.obstacle, { timeout: 10_000 })
    .toContain('/ip4/127.0.0.1/tcp/1 did not answer');
});
