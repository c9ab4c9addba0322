import { expect, test } from 'vitest';
import { peerIdOf } from '../../../../src/adapters/libp2p/peer-key.ts';
import type { ClusterId, PeerKey } from '../../../../src/core/ids.ts';
import { networkContract } from '../../../contract/network.ts';
import { newSecret, SampleCluster } from './sample-agent.ts';

networkContract('libp2p', async () => {
  const cluster = new SampleCluster();
  const revoked = new Set<PeerKey>();
  const left = await cluster.join({
    gossip: true,
    admit: (peer) => cluster.members.has(peer) && !revoked.has(peer),
  });
  const right = await cluster.join({ gossip: true });
  return {
    left,
    right,
    revokeRight: () => revoked.add(right.self),
    admitRight: () => revoked.delete(right.self),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
});

test('a refused agent is told that it may not be a member', async () => {
  await using cluster = new SampleCluster();
  const member = await cluster.join();
  const stranger = await cluster.stranger();
  const byKey = stranger.connect(member.self, member.addresses());
  await expect(byKey).rejects.toThrow('is this agent a member?');
  const byAddress = stranger.connectTo(member.addresses()[0] as string);
  await expect(byAddress).rejects.toThrow('is this agent a member?');
  expect(member.connections()).toEqual([]);
});

test('a revoked member is cut within a second, and let in again when it is a member again', async () => {
  await using cluster = new SampleCluster();
  const [member, revoked] = [await cluster.join(), await cluster.join()];
  await revoked.connect(member.self, member.addresses());
  cluster.members.delete(revoked.self);
  await member.enforceAdmission();
  await expect.poll(() => revoked.connections(), { timeout: 1000 }).toEqual([]);
  cluster.members.add(revoked.self);
  await revoked.connect(member.self, member.addresses());
  expect(revoked.connections()).toHaveLength(1);
});

test('whoever answers at a chosen address is let through, though no member; only there', async () => {
  await using cluster = new SampleCluster();
  const guest = await cluster.stranger({ listen: [], admit: () => false });
  const [host, other] = [await cluster.join(), await cluster.join()];
  cluster.members.add(guest.self);
  host.serveCalls(async (_peer, request) => request);
  const address = host.addresses()[0] as string;
  expect(await guest.connectTo(`${address}/p2p/${peerIdOf(host.self).toString()}`)).toBe(host.self);
  expect(await guest.call(host.self, Uint8Array.of(5))).toEqual(Uint8Array.of(5));
  const known = guest.connect(other.self, other.addresses());
  await expect(known).rejects.toMatchObject({ code: 'peer-unreachable' });
  await guest.enforceAdmission();
  await expect.poll(() => guest.connections()).toEqual([]);
});

test('an address may be written as host and port', async () => {
  await using cluster = new SampleCluster();
  const [left, right] = [await cluster.join(), await cluster.join()];
  const port = /[0-9]+$/.exec(right.addresses()[0] as string)?.[0];
  expect(await left.connectTo(`127.0.0.1:${port}`)).toBe(right.self);
  await left.disconnect(right.self);
  expect(await left.connectTo(`localhost:${port}`)).toBe(right.self);
});

test('a peer that was dialled by address only may not come back on its own', async () => {
  await using cluster = new SampleCluster();
  const guest = await cluster.stranger({ admit: () => false });
  const host = await cluster.join({ admit: () => true });
  await guest.connectTo(host.addresses()[0] as string);
  await guest.disconnect(host.self);
  const dial = host.connect(guest.self, guest.addresses());
  await expect(dial).rejects.toMatchObject({ code: 'peer-unreachable' });
});

test('an address that is taken is an error that names it', async () => {
  await using cluster = new SampleCluster();
  const listen = (await cluster.join()).addresses();
  const second = cluster.join({ listen });
  await expect(second).rejects.toMatchObject({ code: 'io-error' });
  await expect(second).rejects.toThrow(listen[0] as string);
});

test('agents of other clusters cannot call each other', async () => {
  await using cluster = new SampleCluster();
  const left = await cluster.join();
  const right = await cluster.join({ cluster: 'd2'.repeat(32) as ClusterId });
  right.serveCalls(async (_peer, request) => request);
  await left.connect(right.self, right.addresses());
  const call = left.call(right.self, Uint8Array.of(1));
  await expect(call).rejects.toMatchObject({ code: 'peer-unreachable' });
});

test('what is announced replaces the addresses that are listened on', async () => {
  await using cluster = new SampleCluster();
  const announce = ['/ip4/192.0.2.1/tcp/7420', '/dns/backup.example/tcp/7420'];
  const member = await cluster.join({ announce });
  expect(member.addresses()).toEqual(announce);
});

test('the same secret is the same peer', async () => {
  await using cluster = new SampleCluster();
  const transportSecret = newSecret();
  const [a, b] = [await cluster.join({ transportSecret }), await cluster.join({ transportSecret })];
  expect(a.self).toBe(b.self);
  expect(a.self).toMatch(/^[0-9a-f]{64}$/);
});

test('a closed network closes soon, with its connections, and says that nobody is reachable', async () => {
  await using cluster = new SampleCluster();
  const [left, right] = [await cluster.join(), await cluster.join()];
  right.serveCalls(() => new Promise(() => undefined));
  await left.connect(right.self, right.addresses());
  const call = left.call(right.self, Uint8Array.of(1));
  const rejection = expect(call).rejects.toMatchObject({ code: 'peer-unreachable' });
  const start = performance.now();
  await left[Symbol.asyncDispose]();
  expect(performance.now() - start).toBeLessThan(5000);
  await rejection;
  await expect(left.ping(right.self)).rejects.toMatchObject({ code: 'peer-unreachable' });
  await expect.poll(() => right.connections()).toEqual([]);
});
