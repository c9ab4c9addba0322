import { expect, test } from 'vitest';
import { ageSealer } from '../../../../src/adapters/age/sealer.ts';
import { memoryFactStore } from '../../../../src/adapters/fs/fact-store.ts';
import { fromUtf8 } from '../../../../src/base/bytes.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import type { SnapshotKeys } from '../../../../src/core/format/grant.ts';
import {
  type DatasetId,
  type FactHash,
  idBytes,
  idOf,
  type PackId,
  type PeerKey,
  type StatementHash,
} from '../../../../src/core/ids.ts';
import { sealGrant } from '../../../../src/services/plan/grant.ts';
import { RunKeys, type RunKeysOptions } from '../../../../src/services/plan/run-keys.ts';
import { PlanCast, planOf } from '../../../support/plan-cast.ts';

const snapshot = 'e0'.repeat(32) as StatementHash;

function keysOf(count: number): SnapshotKeys {
  const keys = Array.from({ length: count }, (_, i): [PackId, Uint8Array] => [
    idOf(new Uint8Array(32).fill(i & 0xff).fill(i >> 8, 0, 1)),
    new Uint8Array(32).fill(i),
  ]);
  return { dataset: 'd0'.repeat(16) as DatasetId, snapshot, keys: new Map(keys) };
}

/** Rome's keys for a run that is open. Members have the facts in `held`. */
function scene() {
  const cast = new PlanCast();
  cast.grant = () => {};
  const name = cast.submit(planOf(cast));
  const secrets = new Map<string, Uint8Array>();
  const facts = memoryFactStore();
  const held = new Map<PeerKey, Map<FactHash, Uint8Array>>();
  const rome = cast.actor('rome');
  const options: RunKeysOptions = {
    control: rome.control,
    sealer: ageSealer(),
    facts,
    secrets: {
      read: async (file) => secrets.get(file),
      write: async (file, secret) => void secrets.set(file, secret),
    },
    peers: { reachable: () => [...held.keys()].map((peerKey) => ({ peerKey })) as never },
    sync: {
      pullFacts: async (peer, hashes) => {
        const of = held.get(peer);
        if (of?.size === 0) throw new HoldfastError('peer-unreachable', 'it has gone');
        for (const hash of hashes) {
          const fact = of?.get(hash);
          if (fact !== undefined) await facts.put(idBytes(hash), fact);
        }
      },
    },
  };
  const grant = async (keys: SnapshotKeys, recipient: string) => {
    const { sealed, facts: parts } = await sealGrant({
      snapshots: [keys],
      recipient,
      sealer: options.sealer,
    });
    const agent = rome.agent.agentKey;
    cast.log.say({
      kind: 'grant',
      ...name,
      agent,
      lastsMs: 86_400_000,
      sealed: { kind: 'inline', bytes: sealed },
    });
    return parts;
  };
  return { cast, name, secrets, held, grant, keys: new RunKeys(options), options };
}

test('a run has one recipient, also when it is asked for twice at once and after a restart', async () => {
  const { name, keys, options, secrets } = scene();
  const [first, second] = await Promise.all([keys.recipient(name), keys.recipient(name)]);
  expect(first).toMatch(/^age1pq1/);
  expect(second).toBe(first);
  expect(await new RunKeys(options).recipient(name)).toBe(first);
  expect([...secrets.keys()]).toEqual([`plan-${name.plan.slice(0, 12)}-1`]);
});

test('a run that is not open has no recipient', async () => {
  const { cast, name, keys, secrets } = scene();
  await expect(keys.recipient({ ...name, run: 2 })).rejects.toMatchObject({ code: 'not-found' });
  cast.log.say({ kind: 'plan-decision', ...name, decision: 'cancel' });
  await expect(keys.recipient(name)).rejects.toMatchObject({ code: 'not-found' });
  expect(secrets.size).toBe(0);
});

test('what was granted is opened; without a grant, or for another snapshot, there is no key', async () => {
  const { name, keys, grant } = scene();
  const recipient = await keys.recipient(name);
  await expect(keys.keysOf(name, snapshot)).rejects.toMatchObject({ code: 'key-needed' });
  const given = keysOf(3);
  await grant(given, recipient);
  expect(await keys.keysOf(name, snapshot)).toEqual(given.keys);
  const other = 'e1'.repeat(32) as StatementHash;
  await expect(keys.keysOf(name, other)).rejects.toMatchObject({ code: 'key-needed' });
});

test('parts of a large grant are had from members, from one after the other', async () => {
  const { cast, name, keys, grant, held } = scene();
  const parts = await grant(keysOf(2000), await keys.recipient(name));
  expect(parts.length).toBeGreaterThan(2);
  await expect(keys.keysOf(name, snapshot)).rejects.toMatchObject({ code: 'not-found' });
  const half = (from: number, to?: number): Map<FactHash, Uint8Array> =>
    new Map(parts.slice(from, to).map(({ hash, bytes }) => [hash, bytes]));
  held.set(cast.actor('cairo').agent.peerKey, new Map());
  held.set(cast.actor('oslo').agent.peerKey, half(0, 1));
  await expect(keys.keysOf(name, snapshot)).rejects.toMatchObject({
    code: 'not-found',
    details: { missing: parts.length - 1 },
  });
  held.set('ab'.repeat(32) as PeerKey, half(1));
  expect((await keys.keysOf(name, snapshot)).size).toBe(2000);
});

test('once a run is over nothing opens what was granted for it', async () => {
  const { name, keys, grant, secrets } = scene();
  await grant(keysOf(1), await keys.recipient(name));
  await keys.forget(name);
  await keys.forget(name);
  expect([...secrets.values()].map((secret) => fromUtf8(secret))).toEqual(['']);
  await expect(keys.keysOf(name, snapshot)).rejects.toMatchObject({ code: 'key-needed' });
});
