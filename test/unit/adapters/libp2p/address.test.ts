import { multiaddr } from '@multiformats/multiaddr';
import { expect, test } from 'vitest';
import {
  addressFor,
  addressOf,
  isRelayed,
  peerInAddress,
  plainAddress,
} from '../../../../src/adapters/libp2p/address.ts';
import { peerIdOf, peerKeyOf } from '../../../../src/adapters/libp2p/peer-key.ts';
import type { PeerKey } from '../../../../src/core/ids.ts';

const relay = '12D3KooWJVqXQC3oXQvytKV5JYY49ZtR8Eyx9RYKBJWbsENQEPvn';
const peer = '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8';

test.each([
  ['192.0.2.1:7420', '/ip4/192.0.2.1/tcp/7420'],
  ['[2001:db8::1]:7420', '/ip6/2001:db8::1/tcp/7420'],
  ['backup.example:7420', '/dns/backup.example/tcp/7420'],
  ['localhost:1', '/dns/localhost/tcp/1'],
  ['/ip4/192.0.2.1/tcp/7420', '/ip4/192.0.2.1/tcp/7420'],
  [`/dns4/a.example/tcp/1/p2p/${peer}`, `/dns4/a.example/tcp/1/p2p/${peer}`],
])('%s is the address %s', (text, expected) => {
  expect(addressOf(text)?.toString()).toBe(expected);
});

test.each([
  '',
  '/',
  'host',
  ':1',
  'host:0',
  'host:65536',
  '[::1]',
  '2001:db8::1:7420',
  '[1.2.3.4]:1',
  '/ip4/x',
  'a b:1',
])('"%s" is no address', (text) => {
  expect(addressOf(text)).toBeUndefined();
});

test('the id of the last peer can be taken off and put on, and a relay stays', () => {
  const direct = multiaddr(`/ip4/192.0.2.1/tcp/1/p2p/${peer}`);
  expect(plainAddress(direct)).toBe('/ip4/192.0.2.1/tcp/1');
  expect(peerInAddress(direct)).toBe(peer);
  expect(isRelayed(direct)).toBe(false);
  const circuit = multiaddr(`/ip4/192.0.2.1/tcp/1/p2p/${relay}/p2p-circuit`);
  expect(plainAddress(circuit)).toBe(circuit.toString());
  expect(peerInAddress(circuit)).toBeUndefined();
  expect(isRelayed(circuit)).toBe(true);
  const key = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a' as PeerKey;
  const full = addressFor(peerIdOf(key), circuit);
  expect(full.toString()).toBe(`${circuit.toString()}/p2p/${peerIdOf(key).toString()}`);
  expect(plainAddress(full)).toBe(circuit.toString());
});

test('a peer key survives the way to a libp2p name and back', () => {
  const key = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a' as PeerKey;
  expect(peerKeyOf(peerIdOf(key))).toBe(key);
});
