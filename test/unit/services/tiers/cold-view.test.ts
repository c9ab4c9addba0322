import { expect, test } from 'vitest';
import { GiB, MiB } from '../../../../src/base/units.ts';
import type { PackId, PeerKey } from '../../../../src/core/ids.ts';
import { coldWords, parsePrice } from '../../../../src/core/policy/cold-estimate.ts';
import type { PackLocation } from '../../../../src/services/pack-reader.ts';
import { ColdView } from '../../../../src/services/tiers/cold-view.ts';
import { packOf } from '../../../support/keeping-sample.ts';

const [one, two, three] = ['one', 'two', 'three'] as unknown as [PeerKey, PeerKey, PeerKey];
const pack = packOf('a');

/** A pack of k 2, m 1: shard i lies at peer i. */
function locations(size = 2 * GiB): ReadonlyMap<PackId, PackLocation> {
  const entry = { pack, k: 2, m: 1, type: 'data', size } as const;
  const holders = [one, two, three].map((peer, index) => ({ peer, site: `${peer}`, index }));
  return new Map([[pack, { entry, holders }]]);
}

function coldAt(peer: PeerKey, index: number, price = '') {
  const member = { peerKey: peer, name: `host-${peer}` };
  return { member, masks: new Map([[pack, 1 << index]]), delayMs: 250, price };
}

const everybody = (): boolean => true;

test('as long as enough shards are warm, nothing is read from cold stores', () => {
  const view = new ColdView([coldAt(one, 0)]);
  expect(view.isCold(pack, { peer: one, index: 0 })).toBe(true);
  expect(view.isCold(pack, { peer: one, index: 1 })).toBe(false);
  expect(view.isCold(pack, { peer: 'self', index: 0 })).toBe(false);
  expect(view.estimate(locations(), everybody)).toBeUndefined();
});

test('only as many cold shards count as are needed beside the warm ones', () => {
  const view = new ColdView([coldAt(one, 0, '0.09 EUR'), coldAt(two, 1, '1 USD')]);
  expect(view.estimate(locations(), everybody)).toEqual({
    ...{ packs: 1, packsInAll: 1, bytes: GiB, delayMs: 250 },
    ...{ costs: [{ currency: 'EUR', amount: 0.09 }], unpriced: [], hosts: ['host-one'] },
  });
});

test('whoever cannot be reached gives nothing, warm or cold', () => {
  const view = new ColdView([coldAt(one, 0), coldAt(two, 1, '1 USD')]);
  const withoutThree = (peer: PeerKey): boolean => peer !== three;
  expect(view.estimate(locations(), withoutThree)).toMatchObject({
    ...{ bytes: 2 * GiB, unpriced: ['host-one'], hosts: ['host-one', 'host-two'] },
    costs: [{ currency: 'USD', amount: 1 }],
  });
});

test('the announcement names what, how much, how long and what it costs', () => {
  const view = new ColdView([coldAt(one, 0, '0.09 EUR'), coldAt(two, 1, 'free!')]);
  const estimate = view.estimate(locations(20 * MiB), (peer) => peer !== three);
  expect(estimate).toBeDefined();
  expect(estimate && coldWords(estimate)).toBe(
    'all 1 packs are in cold stores (of host-one, host-two): restoring everything reads 20.0 MiB from there, takes about 1 s longer, and costs 0.01 EUR and what host-two pays (not configured there)',
  );
});

test.each([
  ['0.09 EUR', { amount: 0.09, currency: 'EUR' }],
  ['0 USD', { amount: 0, currency: 'USD' }],
  ['-1 EUR', undefined],
  ['1e9 EUR', undefined],
  ['1 €', undefined],
  ['', undefined],
])('the price %j', (text, price) => {
  expect(parsePrice(text)).toEqual(price);
});
