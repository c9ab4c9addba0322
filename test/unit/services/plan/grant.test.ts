import { expect, test } from 'vitest';
import { ageSealer } from '../../../../src/adapters/age/sealer.ts';
import { toHex } from '../../../../src/base/bytes.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import { HoldfastError } from '../../../../src/core/errors.ts';
import { controlLimits } from '../../../../src/core/format/control-limits.ts';
import { factHash } from '../../../../src/core/format/facts.ts';
import type { SnapshotKeys } from '../../../../src/core/format/grant.ts';
import {
  type DatasetId,
  type FactHash,
  idOf,
  type PackId,
  type StatementHash,
} from '../../../../src/core/ids.ts';
import { limits } from '../../../../src/core/limits.ts';
import { openGrant, type SealedGrant, sealGrant } from '../../../../src/services/plan/grant.ts';
import { plainSealer } from '../../../support/build-snapshot.ts';

const dataset = 'd0'.repeat(16) as DatasetId;
const snapshot = 'e0'.repeat(32) as StatementHash;

function keysOf(count: number): SnapshotKeys {
  const number = (i: number): Uint8Array => new Uint8Array(new Uint32Array([i]).buffer);
  const keys = Array.from({ length: count }, (_, i): [PackId, Uint8Array] => [
    idOf(hash('pack', number(i))),
    hash('fact', number(i)),
  ]);
  return { dataset, snapshot, keys: new Map(keys) };
}

/** Gives the facts of a grant, as members that keep them would. */
function fetchFrom({ facts }: SealedGrant): (hashes: readonly FactHash[]) => Promise<Uint8Array[]> {
  return async (hashes) =>
    hashes.map((wanted) => {
      const fact = facts.find((one) => one.hash === wanted);
      if (fact === undefined) throw new HoldfastError('not-found', 'no such fact');
      expect(toHex(factHash(fact.bytes))).toBe(wanted);
      return fact.bytes;
    });
}

const nothing = async (): Promise<Uint8Array[]> => {
  throw new Error('nothing is to be fetched');
};

test('a small grant stands in one sealed text that only its recipient opens', async () => {
  const sealer = ageSealer();
  const { identity, recipient } = await sealer.generate();
  const keys = keysOf(400);
  const grant = await sealGrant({ snapshots: [keys], recipient, sealer });
  expect(grant.facts).toEqual([]);
  expect(grant.sealed.length).toBeLessThanOrEqual(controlLimits.sealedSizeMax);
  const opened = await openGrant({ sealed: grant.sealed, identity, sealer, fetch: nothing });
  expect(opened).toEqual(new Map([[snapshot, keys.keys]]));
  const other = await sealer.generate();
  await expect(
    openGrant({ sealed: grant.sealed, identity: other.identity, sealer, fetch: nothing }),
  ).rejects.toMatchObject({ code: 'wrong-key' });
});

test('a larger grant becomes facts, each sealed and each small enough', async () => {
  const sealer = ageSealer();
  const { identity, recipient } = await sealer.generate();
  const keys = keysOf(3000);
  const grant = await sealGrant({ snapshots: [keys], recipient, sealer });
  expect(grant.facts.length).toBe(4);
  for (const { bytes } of grant.facts) {
    expect(bytes.length).toBeLessThanOrEqual(limits.factSizeMax);
    for (const key of [...keys.keys.values()].slice(0, 50)) {
      expect(toHex(bytes)).not.toContain(toHex(key));
    }
  }
  const fetch = fetchFrom(grant);
  const opened = await openGrant({ sealed: grant.sealed, identity, sealer, fetch });
  expect(opened.get(snapshot)).toEqual(keys.keys);
});

test('of a grant of any size the top fits a command: lists become facts in their turn', async () => {
  const sealer = plainSealer();
  const { identity, recipient } = await sealer.generate();
  const keys = keysOf(2000);
  const sizes = { inline: 500, fact: 1000 };
  const grant = await sealGrant({ snapshots: [keys], recipient, sealer, sizes });
  expect(grant.sealed.length).toBeLessThan(540);
  const fetched: number[] = [];
  const fetch = (hashes: readonly FactHash[]): Promise<Uint8Array[]> => {
    fetched.push(hashes.length);
    return fetchFrom(grant)(hashes);
  };
  const opened = await openGrant({ sealed: grant.sealed, identity, sealer, fetch });
  expect(opened.get(snapshot)).toEqual(keys.keys);
  // 14 keys to a fact, 30 hashes to a list.
  expect(fetched).toEqual([5, 143]);
});

test('a fact that is no part of a grant, or a list without end, is refused', async () => {
  const sealer = plainSealer();
  const { identity, recipient } = await sealer.generate();
  const grant = await sealGrant({ snapshots: [keysOf(1000)], recipient, sealer });
  const open = (fetch: Parameters<typeof openGrant>[0]['fetch']): Promise<unknown> =>
    openGrant({ sealed: grant.sealed, identity, sealer, fetch });
  await expect(open(async () => [Uint8Array.of(1, 2, 3)])).rejects.toMatchObject({
    code: 'bad-encoding',
  });
  // The list in the command again, as if it were a fact of its own.
  const endless = Uint8Array.of(3, ...grant.sealed);
  await expect(open(async () => [endless])).rejects.toMatchObject({ code: 'limit-exceeded' });
});

test('a grant without keys is refused', async () => {
  const sealer = plainSealer();
  await expect(sealGrant({ snapshots: [], recipient: 'r', sealer })).rejects.toMatchObject({
    code: 'usage',
  });
});
