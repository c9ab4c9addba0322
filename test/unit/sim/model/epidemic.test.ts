import { expect, test } from 'vitest';
import { annualLoss } from '../../../../sim/model/durability.ts';
import { epidemicResults } from '../../../../sim/model/epidemic-results.ts';
import { EventQueue } from '../../../../sim/model/event-queue.ts';
import { spreadBounded, spreadShipped, timeAtShare } from '../../../../sim/model/head-spread.ts';
import { runYears } from '../../../../sim/model/ten-years.ts';
import { dailyTraffic, headsLeftOut, totalBytes } from '../../../../sim/model/traffic.ts';
import { Prng } from '../../../../sim/prng.ts';
import { limits } from '../../../../src/core/limits.ts';

test('events leave the queue by time, whatever order they came in', () => {
  const prng = new Prng(1);
  const queue = new EventQueue();
  const times = Array.from({ length: 3_000 }, () => prng.below(1_000));
  for (const time of times) queue.push(time, time % 256, -time);
  const left: number[] = [];
  for (; !queue.isEmpty; queue.pop()) {
    expect([queue.kind, queue.subject]).toEqual([queue.time % 256, 0 - queue.time]);
    left.push(queue.time);
  }
  expect(left).toEqual(times.toSorted((a, b) => a - b));
});

test.for([2, 5, 40, 700])('a statement reaches all of %i agents that are up', (online) => {
  for (const spread of [
    spreadShipped(online, online, new Prng(2)),
    spreadBounded(online, new Prng(2)),
  ]) {
    expect(spread).toHaveLength(online);
    expect(spread[0]).toBe(0);
    expect(timeAtShare(spread, 1)).toBeLessThan(10 * 60_000);
    expect(timeAtShare(spread, 0.5)).toBeLessThanOrEqual(timeAtShare(spread, 1));
  }
});

test('the day by day run loses about as many packs as the chain says, never more by far', () => {
  const layout = { k: 4, shards: 6, sites: 6 };
  const hazards = { hostLossRate: 0.5, siteLossRate: 0.05, repairYears: 20 / 365 };
  const population = { agents: 400, sites: 40, layout, hazards, samplePacks: 5_000, years: 10 };
  const { packsLost } = runYears(population, new Prng(5));
  const chain = annualLoss(layout, hazards) * population.samplePacks * population.years;
  // Each shard comes back on its own clock here, the chain waits anew after each loss: a factor of up to m!.
  expect(packsLost).toBeGreaterThan(chain / 2 / 1.5);
  expect(packsLost).toBeLessThan(chain);
});

test('hosts and sites are lost at their rates, and nobody is up who is away', () => {
  const population = {
    agents: 1_000,
    sites: 100,
    layout: { k: 8, shards: 10, sites: 10 },
    hazards: { hostLossRate: 0.1, siteLossRate: 0.02, repairYears: 1 / 365 },
    samplePacks: 10,
    years: 5,
  };
  const { days, hostsLost, sitesLost } = runYears(population, new Prng(9));
  expect(days).toHaveLength(5 * 365);
  // 500 hosts one by one and 10 sites of ten.
  expect(hostsLost).toBeGreaterThan(480);
  expect(hostsLost).toBeLessThan(720);
  expect(sitesLost).toBeGreaterThan(2);
  expect(sitesLost).toBeLessThan(21);
  // 24 absences of half a day, 2 outages of a quarter, and a fifth of the hosts up half the time.
  const expected = (1 - 12 / 365) * (1 - 0.5 / 365) * 0.9;
  const mean = days.reduce((sum, day) => sum + day.onlineShare, 0) / days.length;
  expect(mean).toBeCloseTo(expected, 2);
});

test('another seed gives another way through the cluster', () => {
  const spread = (seed: number) => spreadShipped(30, 30, new Prng(seed));
  expect(spread(1)).toEqual(spread(1));
  expect(spread(1)).not.toEqual(spread(2));
});

test('the shipped design costs more than linearly, the bounded one hardly grows', () => {
  const bytes = (design: 'shipped' | 'bounded', members: number): number =>
    totalBytes(dailyTraffic(design, { online: members, members, backupsPerDay: 1 }));
  expect(bytes('shipped', 200) / bytes('shipped', 50)).toBeGreaterThan(8);
  expect(bytes('bounded', 200) / bytes('bounded', 50)).toBeLessThan(2);
  expect(bytes('shipped', 5)).toBeLessThan(200e6);
});

test('every sequence fits an answer of heads while membership is within its limit', () => {
  expect(headsLeftOut(limits.membersMax)).toBe(0);
  expect(headsLeftOut(10_000)).toBeGreaterThan(0.7);
});

test('one seed gives one set of tables and pictures', { timeout: 30_000 }, () => {
  const run = (seed: number) => epidemicResults({ seed, isQuick: true, say: () => {} });
  const first = run(1);
  expect(run(1)).toEqual(first);
  for (const { name, text } of first) {
    expect(text.length).toBeGreaterThan(200);
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
    if (!name.endsWith('.svg')) continue;
    expect(text.startsWith('<svg')).toBe(true);
    expect(text.endsWith('</svg>\n')).toBe(true);
  }
});
