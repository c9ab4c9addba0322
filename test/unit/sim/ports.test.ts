import { expect, test } from 'vitest';
import { Internet } from '../../../sim/internet.ts';
import { SimDisk, SimLog } from '../../../sim/log.ts';
import { SimNetwork } from '../../../sim/network.ts';
import { Prng } from '../../../sim/prng.ts';
import { Life, SimClock, World } from '../../../sim/world.ts';
import { HoldfastError } from '../../../src/core/errors.ts';
import { idOf, type PeerKey } from '../../../src/core/ids.ts';

const name = { writer: 'aa', stream: 'cluster' };

function entry(sequence: number) {
  return { sequence, hash: new Uint8Array(32).fill(sequence), envelope: Uint8Array.of(sequence) };
}

function pair(world: World) {
  const internet = new Internet(world);
  const [a, b] = [1, 2].map((n) => {
    const self = idOf<PeerKey>(new Uint8Array(32).fill(n));
    const host = { name: `host ${n}`, address: `/ip4/10.0.0.${n}/tcp/7420` };
    return new SimNetwork(internet, { self, life: new Life(), host, admit: () => true });
  }) as [SimNetwork, SimNetwork];
  return { internet, a, b };
}

async function connected(world: World) {
  const ends = pair(world);
  void ends.a.connect(ends.b.self, ends.b.addresses());
  await world.advance(100);
  return ends;
}

/** What has become of a promise. */
function outcomeOf(promise: Promise<unknown>): { is: string } {
  const outcome = { is: 'open' };
  promise.then(
    () => (outcome.is = 'done'),
    (error) => (outcome.is = error instanceof HoldfastError ? error.code : 'bug'),
  );
  return outcome;
}

test('numbers depend on the seed alone, and a fork does not shift its origin', () => {
  const draw = (random: Prng): number[] => Array.from({ length: 5 }, () => random.next());
  expect(draw(new Prng(7))).toEqual(draw(new Prng(7)));
  expect(draw(new Prng(7))).not.toEqual(draw(new Prng(8)));
  const [one, two] = [new Prng(7), new Prng(7)];
  draw(one.fork());
  two.fork();
  expect(draw(one)).toEqual(draw(two));
});

test('events happen in the order of their times, called off ones not at all', async () => {
  const world = new World(1);
  const seen: number[] = [];
  for (const delay of [30, 10, 20]) world.after(delay, () => seen.push(delay));
  world.after(15, () => seen.push(15))();
  await world.advance(25);
  expect(seen).toEqual([10, 20]);
  expect(world.nowMs).toBe(25);
});

test('a program that has crashed never wakes', async () => {
  const world = new World(1);
  const life = new Life();
  const outcome = outcomeOf(new SimClock(world, life, { skewMs: 0 }).sleep(10));
  life.isAlive = false;
  await world.advance(1000);
  expect(outcome.is).toBe('open');
});

test('an append is seen when it is durable, and survives a crash from then on', async () => {
  const world = new World(1);
  const disk = new SimDisk(world);
  const log = new SimLog(disk, new Life());
  const appended = outcomeOf(log.append(name, entry(1)));
  expect(log.head(name)).toBeUndefined();
  await world.advance(1000);
  expect(appended.is).toBe('done');
  disk.crash();
  expect(new SimLog(disk, new Life()).head(name)?.sequence).toBe(1);
});

test('an append that a crash overtakes is never acknowledged, and may or may not be there', async () => {
  const found = new Set<number | undefined>();
  for (let seed = 1; seed <= 20; seed++) {
    const world = new World(seed);
    const disk = new SimDisk(world);
    const life = new Life();
    const appended = outcomeOf(new SimLog(disk, life).append(name, entry(1)));
    life.isAlive = false;
    disk.crash();
    await world.advance(1000);
    expect(appended.is).toBe('open');
    found.add(new SimLog(disk, new Life()).head(name)?.sequence);
  }
  expect(found).toEqual(new Set([undefined, 1]));
});

test('a call is answered by the far end', async () => {
  const world = new World(1);
  const { a, b } = await connected(world);
  b.serveCalls(async (peer, request) => Uint8Array.of(...request, peer === a.self ? 1 : 0));
  const answer = a.call(b.self, Uint8Array.of(9));
  await world.advance(200);
  expect(await answer).toEqual(Uint8Array.of(9, 1));
});

test('where only the way back is cut, a call is done and still times out', async () => {
  const world = new World(1);
  const { internet, a, b } = await connected(world);
  let count = 0;
  b.serveCalls(async () => Uint8Array.of(++count));
  internet.cut(b.self, a.self);
  const outcome = outcomeOf(a.call(b.self, new Uint8Array(1), { timeoutMs: 500 }));
  await world.advance(1000);
  expect(count).toBe(1);
  expect(outcome.is).toBe('timeout');
});

test('a crash of the far end fails the calls under way', async () => {
  const world = new World(1);
  const { internet, a, b } = await connected(world);
  b.serveCalls(() => new Promise(() => {}));
  const outcome = outcomeOf(a.call(b.self, new Uint8Array(1), { timeoutMs: 600_000 }));
  await world.advance(100);
  b.life.isAlive = false;
  internet.crash(b);
  await world.advance(60_000);
  expect(outcome.is).toBe('peer-unreachable');
  expect(a.connections()).toEqual([]);
});
