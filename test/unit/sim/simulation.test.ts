import { expect, test } from 'vitest';
import { Simulation } from '../../../sim/simulation.ts';

const steps = 200;
const met = new Set<string>();
/** The last one for a write that a crash keeps by chance: that is rare. */
const seeds = [...Array.from({ length: 20 }, (_, i) => i + 1), 35];

test.for(seeds)(
  'seed %i: five members stay safe in trouble, and agree once healed',
  async (seed) => {
    const outcome = await new Simulation({ seed, steps }).run();
    expect(outcome.violation, outcome.tail.slice(-40).join('\n')).toBeUndefined();
    expect(outcome.said).toBeGreaterThan(0);
    for (const what of outcome.met.keys()) met.add(what);
  },
);

test('these seeds have met what they are there for', () => {
  const expected = [
    'answer lost after the request was done',
    'attempt to join failed',
    'crash',
    'disk gone back in time',
    'host that has found a fork',
    'lie invented',
    'member joined',
    'message lost where the way was cut',
    'message lost',
    'unsynced write kept by a crash',
    'unsynced write lost in a crash',
  ];
  expect(expected.filter((what) => !met.has(what))).toEqual([]);
});

test('a seed does the same again, to the last event, and another seed does not', async () => {
  const play = (seed: number) => new Simulation({ seed, steps: 60, hasLiar: true }).run();
  const first = await play(1000);
  const again = await play(1000);
  const other = await play(1001);
  expect(first.events).toBeGreaterThan(100);
  expect(again).toEqual(first);
  expect(other.digest).not.toBe(first.digest);
});
