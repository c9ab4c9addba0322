import { assert } from '../../src/base/assert.ts';
import type { Prng } from '../prng.ts';
import { exponential } from './draws.ts';
import type { Hazards, Layout } from './durability.ts';
import { EventQueue } from './event-queue.ts';
import { PackSample } from './pack-sample.ts';

export type Population = {
  readonly agents: number;
  readonly sites: number;
  readonly layout: Layout;
  readonly hazards: Hazards;
  readonly samplePacks: number;
  readonly years: number;
};

export type Day = {
  /** Mean share of the agents that were up. */
  readonly onlineShare: number;
  readonly hostsLost: number;
  /** Rebuilt shards of the sample. */
  readonly repairs: number;
};

export type TenYears = {
  readonly days: readonly Day[];
  readonly events: number;
  readonly hostsLost: number;
  readonly sitesLost: number;
  /** Of the sample, in all years. */
  readonly packsLost: number;
};

export const daysPerYear = 365;
/** Reboots, updates, a lid that is closed: of each host, a year. */
const absencesPerYear = 24;
const absenceDays = 0.5;
/** A line or the power fails: of each site, a year. */
const siteOutagesPerYear = 2;
const siteOutageDays = 0.25;
/** Hosts of an office, one in five, are switched off for half of each day: not worth an event each. */
const officeShare = 0.2;
const officeUpShare = 0.5;

const hostLost = 0;
const siteLost = 1;
const hostAway = 2;
const hostBack = 3;
const siteAway = 4;
const siteBack = 5;
const repaired = 6;
const dayOver = 7;

/**
 * A cluster day after day: hosts and sites are lost for good and replaced at once by newcomers, go away and come
 * back; sampled packs lose shards and get them back on hosts of other sites after the repair time. Time jumps
 * from event to event; what is the same all day long is counted once a day.
 */
export function runYears(population: Population, prng: Prng): TenYears {
  return new Cluster(population, prng).run();
}

/** Twelve a year, of equal length as far as days allow. */
export function monthsOf(days: readonly Day[]): Day[][] {
  const from = (month: number): number => Math.round((month * daysPerYear) / 12);
  const count = Math.round((days.length * 12) / daysPerYear);
  return Array.from({ length: count }, (_, month) => days.slice(from(month), from(month + 1)));
}

class Cluster {
  readonly #population: Population;
  readonly #prng: Prng;
  readonly #queue = new EventQueue();
  readonly #packs: PackSample;
  /** Reasons for which a host is away now. */
  readonly #away: Uint8Array;
  readonly #days: Day[] = [];
  #online: number;
  #onlineDays = 0;
  #changedAt = 0;
  #today = { hostsLost: 0, repairs: 0 };
  #sitesLost = 0;
  #events = 0;

  constructor(population: Population, prng: Prng) {
    assert(population.agents % population.sites === 0, 'all sites have as many hosts');
    this.#population = population;
    this.#prng = prng;
    this.#online = population.agents;
    this.#away = new Uint8Array(population.agents);
    this.#packs = new PackSample(population, prng.fork());
  }

  run(): TenYears {
    const end = this.#population.years * daysPerYear;
    for (const kind of [hostLost, siteLost, hostAway, siteAway]) this.#plan(kind, 0);
    this.#queue.push(1, dayOver, 0);
    while (this.#days.length < end) {
      const { time, kind, subject } = this.#queue;
      this.#queue.pop();
      this.#events++;
      this.#step(time, kind, subject);
    }
    return {
      days: this.#days,
      events: this.#events,
      hostsLost: this.#days.reduce((sum, day) => sum + day.hostsLost, 0),
      sitesLost: this.#sitesLost,
      packsLost: this.#packs.lost,
    };
  }

  #step(now: number, kind: number, subject: number): void {
    const { agents, sites } = this.#population;
    if (kind === dayOver) this.#endDay(now);
    else if (kind === repaired) this.#today.repairs += this.#packs.repair(subject) ? 1 : 0;
    else if (kind === hostBack) this.#count(now, subject, -1);
    else if (kind === siteBack) this.#countSite(now, subject, -1);
    else {
      this.#plan(kind, now);
      if (kind === hostLost) this.#loseHost(now, this.#prng.below(agents));
      else if (kind === siteLost) this.#loseSite(now, this.#prng.below(sites));
      else if (kind === hostAway) this.#leave(now, this.#prng.below(agents));
      else this.#cutOff(now, this.#prng.below(sites));
    }
  }

  /** The next event of this kind somewhere in the cluster. */
  #plan(kind: number, now: number): void {
    const { agents, sites, hazards } = this.#population;
    const perYear = [
      agents * hazards.hostLossRate,
      sites * hazards.siteLossRate,
      agents * absencesPerYear,
      0,
      sites * siteOutagesPerYear,
    ][kind] as number;
    this.#queue.push(now + exponential(this.#prng, perYear / daysPerYear), kind, 0);
  }

  #loseHost(now: number, host: number): void {
    this.#today.hostsLost++;
    const repairDays = this.#population.hazards.repairYears * daysPerYear;
    for (const shard of this.#packs.loseHost(host)) {
      this.#queue.push(now + repairDays, repaired, shard);
    }
  }

  #loseSite(now: number, site: number): void {
    this.#sitesLost++;
    for (const host of this.#hostsOf(site)) this.#loseHost(now, host);
  }

  #leave(now: number, host: number): void {
    this.#count(now, host, 1);
    this.#queue.push(now + exponential(this.#prng, 1 / absenceDays), hostBack, host);
  }

  #cutOff(now: number, site: number): void {
    this.#countSite(now, site, 1);
    this.#queue.push(now + exponential(this.#prng, 1 / siteOutageDays), siteBack, site);
  }

  *#hostsOf(site: number): Iterable<number> {
    const hosts = this.#population.agents / this.#population.sites;
    for (let i = 0; i < hosts; i++) yield site * hosts + i;
  }

  #countSite(now: number, site: number, by: number): void {
    for (const host of this.#hostsOf(site)) this.#count(now, host, by);
  }

  #count(now: number, host: number, by: number): void {
    this.#addOnline(now);
    const before = this.#away[host] as number;
    this.#away[host] = before + by;
    if (before === 0) this.#online--;
    if (before + by === 0) this.#online++;
  }

  #addOnline(now: number): void {
    this.#onlineDays += this.#online * (now - this.#changedAt);
    this.#changedAt = now;
  }

  #endDay(now: number): void {
    this.#addOnline(now);
    const officeFactor = 1 - officeShare * (1 - officeUpShare);
    const onlineShare = (this.#onlineDays / this.#population.agents) * officeFactor;
    this.#days.push({ onlineShare, ...this.#today });
    this.#onlineDays = 0;
    this.#today = { hostsLost: 0, repairs: 0 };
    this.#queue.push(now + 1, dayOver, 0);
  }
}
