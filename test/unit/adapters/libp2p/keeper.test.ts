import { expect, test } from 'vitest';
import { Keeper, type Reach } from '../../../../src/adapters/libp2p/keeper.ts';
import type { PeerKey } from '../../../../src/core/ids.ts';
import type { Network } from '../../../../src/ports/network.ts';
import { newSecret, SampleCluster } from './sample-agent.ts';

const [first, second] = ['aa'.repeat(32), 'bb'.repeat(32)] as [PeerKey, PeerKey];
const log = { log: () => undefined };

test('kept peers are connected at once', async () => {
  await using cluster = new SampleCluster();
  const [left, right] = [await cluster.join(), await cluster.join()];
  left.keep([{ peer: right.self, addresses: right.addresses() }]);
  await expectConnected(left, right.self);
});

test('an agent does not dial itself', async () => {
  await using cluster = new SampleCluster();
  const member = await cluster.join();
  member.keep([{ peer: member.self, addresses: member.addresses() }]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(member.connections()).toEqual([]);
});

test('a kept peer is connected again after a restart on the same port', async () => {
  await using cluster = new SampleCluster();
  const left = await cluster.join();
  const transportSecret = newSecret();
  const before = await cluster.join({ transportSecret });
  left.keep([{ peer: before.self, addresses: before.addresses() }]);
  await expectConnected(left, before.self);
  const listen = before.addresses();
  await before[Symbol.asyncDispose]();
  await expect.poll(() => left.connections(), { timeout: 5000 }).toEqual([]);
  const after = await cluster.join({ transportSecret, listen });
  await expectConnected(left, after.self);
  expect(await left.ping(after.self)).toBeGreaterThanOrEqual(0);
});

test('a peer that has moved is found through a third member', { timeout: 30_000 }, async () => {
  await using cluster = new SampleCluster();
  const [left, third] = [await cluster.join({ dht: true }), await cluster.join({ dht: true })];
  const transportSecret = newSecret();
  const before = await cluster.join({ dht: true, transportSecret });
  await before.connect(third.self, third.addresses());
  left.keep([
    { peer: third.self, addresses: third.addresses() },
    { peer: before.self, addresses: before.addresses() },
  ]);
  await expectConnected(left, third.self);
  await expectConnected(left, before.self);
  const addresses = before.addresses();
  await before[Symbol.asyncDispose]();
  const after = await cluster.join({ dht: true, transportSecret });
  expect(after.addresses()).not.toEqual(addresses);
  await after.connect(third.self, third.addresses());
  await expectConnected(left, after.self);
  expect(await left.findAddresses(after.self)).toEqual(after.addresses());
  expect(await left.findAddresses(first)).toEqual([]);
});

test('without a DHT nobody is found', async () => {
  await using cluster = new SampleCluster();
  const member = await cluster.join();
  expect(await member.findAddresses(first)).toEqual([]);
});

test('addresses are tried in order of trust, each once, and the DHT now and then', async () => {
  const reach = new FakeReach();
  using keeper = new Keeper(reach, { log, periodMs: 5 });
  keeper.keep([{ peer: first, addresses: ['listed'] }]);
  await expect.poll(() => reach.dials.filter(({ at }) => at.includes('found')).length).toBe(2);
  const upToLookup = reach.dials.slice(0, 7).map(({ at }) => at.join());
  expect(upToLookup).toEqual(['listed', 'stored', 'listed', 'stored', 'listed', 'stored', 'found']);
});

test('a peer that is never reached is dialled less and less', async () => {
  const reach = new FakeReach();
  using keeper = new Keeper(reach, { log, periodMs: 20 });
  keeper.keep([{ peer: first, addresses: ['listed'] }]);
  await new Promise((resolve) => setTimeout(resolve, 600));
  const rounds = reach.dials.filter(({ at }) => at.includes('listed')).length;
  expect(rounds).toBeGreaterThan(1);
  // Every 20 ms would be thirty rounds.
  expect(rounds).toBeLessThan(12);
});

test('a peer that cuts each connection at once is not dialled in a loop', async () => {
  const reach = new FakeReach();
  reach.connect = async (peer, at) => {
    reach.dials.push({ peer, at });
  };
  using keeper = new Keeper(reach, { log, periodMs: 20 });
  keeper.keep([{ peer: first, addresses: ['listed'] }]);
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(reach.dials.filter(({ at }) => at.includes('listed')).length).toBeLessThan(12);
});

test('a peer that leaves the list is dialled no more, and one with new addresses at once', async () => {
  const reach = new FakeReach();
  using keeper = new Keeper(reach, { log, periodMs: 20 });
  keeper.keep([{ peer: first, addresses: ['listed'] }]);
  await expect.poll(() => reach.dials.length).toBeGreaterThan(3);
  keeper.keep([{ peer: second, addresses: ['listed'] }]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  reach.dials.length = 0;
  keeper.keep([{ peer: second, addresses: ['new'] }]);
  await expect.poll(() => reach.dials.length).toBeGreaterThan(1);
  expect(reach.dials[0]).toEqual({ peer: second, at: ['new'] });
  expect(reach.dials.map(({ peer }) => peer)).not.toContain(first);
});

test('a disposed keeper dials no more', async () => {
  const reach = new FakeReach();
  const keeper = new Keeper(reach, { log, periodMs: 5 });
  keeper.keep([{ peer: first, addresses: ['listed'] }]);
  await expect.poll(() => reach.dials.length).toBeGreaterThan(1);
  keeper[Symbol.dispose]();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const count = reach.dials.length;
  keeper.keep([{ peer: second, addresses: ['listed'] }]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(reach.dials.length).toBe(count);
});

/** Nobody can be reached. */
class FakeReach implements Reach {
  readonly dials: { peer: PeerKey; at: readonly string[] }[] = [];

  isConnected(): boolean {
    return false;
  }

  isRelayed(): boolean {
    return false;
  }

  async connectDirectly(): Promise<void> {}

  async connect(peer: PeerKey, at: readonly string[]): Promise<void> {
    this.dials.push({ peer, at });
    throw new Error('unreachable');
  }

  async storedAddresses(): Promise<readonly string[]> {
    return ['listed', 'stored'];
  }

  async findAddresses(): Promise<readonly string[]> {
    return ['stored', 'found'];
  }
}

async function expectConnected(network: Network, peer: PeerKey): Promise<void> {
  const peers = () => network.connections().map((connection) => connection.peer);
  await expect.poll(peers, { timeout: 15_000 }).toContain(peer);
}
