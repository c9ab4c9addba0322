import { describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../../../src/base/units.ts';
import { hash } from '../../../../src/core/crypto/hash.ts';
import { idOf, type PackId } from '../../../../src/core/ids.ts';
import { isDeletionTurn } from '../../../../src/core/policy/deletion-turn.ts';
import { startMs } from '../../../support/sample-cluster.ts';

const packs = [1, 2, 3, 4, 5].map((i) => idOf<PackId>(hash('fact', Uint8Array.of(i))));

/** Moments in half-hour steps at which it is somebody's turn, with whose. */
function turns(pack: PackId, of: number, days: number): { atMs: number; place: number }[] {
  const found: { atMs: number; place: number }[] = [];
  for (let atMs = startMs; atMs < startMs + days * dayMs; atMs += 30 * minuteMs) {
    for (let place = 0; place < of; place++) {
      if (isDeletionTurn({ pack, place, of }, atMs)) found.push({ atMs, place });
    }
  }
  return found;
}

describe('the turn to delete', () => {
  test('comes to each shard of a pack once in a round, and a day lies between two', () => {
    for (const pack of packs) {
      const found = turns(pack, 4, 12);
      expect(new Set(found.map(({ place }) => place)).size).toBe(4);
      for (const [i, one] of found.entries()) {
        const before = found[i - 1];
        if (before === undefined || before.place === one.place) continue;
        expect(one.atMs - before.atMs).toBeGreaterThan(dayMs);
      }
    }
  });

  test('does not come at the same hour of the day again and again', () => {
    const [pack] = packs as [PackId];
    const hours = turns(pack, 3, 60).map(({ atMs }) => Math.floor((atMs % dayMs) / hourMs));
    expect(new Set(hours).size).toBe(24);
  });

  test('is not the same for all packs, or every disk would work at once', () => {
    const places = packs.map((pack) => turns(pack, 5, 7)[0]?.place);
    expect(new Set(places).size).toBeGreaterThan(1);
  });

  test('is always there where one site holds all there is', () => {
    expect(isDeletionTurn({ pack: packs[0] as PackId, place: 0, of: 1 }, startMs)).toBe(true);
  });
});
