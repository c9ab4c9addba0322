import { beforeEach, expect, test } from 'vitest';
import { HoldfastError } from '../../../src/core/errors.ts';
import type { PeerKey } from '../../../src/core/ids.ts';
import type { ReadPurpose } from '../../../src/core/policy/read-purpose.ts';
import type { Network, PullReply, PullRequest } from '../../../src/ports/network.ts';
import { Bandwidth } from '../../../src/services/bandwidth.ts';
import { throttledNetwork } from '../../../src/services/throttled-network.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const peer = 'aa'.repeat(32) as PeerKey;
const plan = { kind: 'plan', plan: 'bb'.repeat(32), run: 1, sinceIndex: 0 } as ReadPurpose;

let bandwidth: Bandwidth;
let network: Network;
let answer: () => Promise<PullReply>;
let serve: (purpose?: ReadPurpose) => Promise<PullReply>;
let isOnItsWay: boolean;

beforeEach(() => {
  const clock = new ManualClock();
  const unlimited = { limits: { upload: 0, download: 0 }, windows: [], load: undefined };
  bandwidth = new Bandwidth({ clock, ...unlimited, loadMax: 0 });
  answer = async () => ({ bytes: new Uint8Array(100) });
  isOnItsWay = false;
  const bare: Pick<Network, 'self' | 'pull' | 'servePulls' | 'call' | 'serveCalls'> = {
    self: peer,
    pull: () => answer(),
    servePulls: (handler) => {
      serve = (purpose) => handler(peer, requestFor(purpose), {});
    },
    call: async () => new Uint8Array(70),
    serveCalls: () => undefined,
  };
  network = throttledNetwork(bare as Network, { bandwidth, isOnItsWay: () => isOnItsWay });
});

function requestFor(purpose?: ReadPurpose): PullRequest {
  return { pack: new Uint8Array(32), index: 0, leaf: 0, count: 2, withHead: false, purpose };
}

test('what is asked for counts as what it is for, by the bytes that came', async () => {
  await network.pull(peer, requestFor());
  await network.pull(peer, requestFor({ kind: 'repair' }));
  await network.pull(peer, requestFor({ kind: 'audit' }));
  await network.pull(peer, requestFor(plan));
  expect(bandwidth.download.moved).toMatchObject({ backup: 100, repair: 200, restore: 100 });
  expect(bandwidth.upload.moved).toMatchObject({ backup: 0, repair: 0, restore: 0 });
});

test('what did not come does not count', async () => {
  answer = () => Promise.reject(new HoldfastError('not-found', 'not here'));
  await expect(network.pull(peer, requestFor())).rejects.toThrow('not here');
  expect(bandwidth.download.moved.backup).toBe(0);
});

test('who is served without a reason restores, unless the shard is on its way there', async () => {
  network.servePulls(async () => ({ bytes: new Uint8Array(30) }));
  await serve();
  await serve({ kind: 'repair' });
  isOnItsWay = true;
  await serve();
  await serve();
  expect(bandwidth.upload.moved).toMatchObject({ restore: 30, repair: 30, backup: 60 });
});

test('messages count in both directions', async () => {
  await network.call(peer, new Uint8Array(20));
  expect(bandwidth.upload.moved.messages).toBe(20);
  expect(bandwidth.download.moved.messages).toBe(70);
});
