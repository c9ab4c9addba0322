import { pause } from '../support/cluster.ts';
import { type Fleet, fleetHosts } from './fleet.ts';
import { applyCuts, cutsOf, plug, type Shape, shapes } from './partition.ts';
import type { SeededRandom } from './seeded-random.ts';
import { answered, type Watch } from './watch.ts';

export type TroubleKind = 'partition' | 'kill-leader' | 'kill-target' | 'pause' | 'restart';

const kinds: readonly TroubleKind[] = [
  'partition',
  'partition',
  'partition',
  'kill-leader',
  'kill-target',
  'pause',
  'restart',
];

/** Makes trouble for a fleet, as a seed says. Everything is well again after `heal`. */
export class Trouble {
  readonly #fleet: Fleet;
  readonly #watch: Watch;
  readonly #random: SeededRandom;
  readonly #unplugged = new Set<number>();
  readonly #restarts: Promise<void>[] = [];
  /** What was done, in words. */
  readonly told: string[] = [];

  constructor(fleet: Fleet, watch: Watch, random: SeededRandom) {
    this.#fleet = fleet;
    this.#watch = watch;
    this.#random = random;
  }

  /** One thing of any kind, for up to a few seconds. `target`: the host at which a plan restores. */
  async make(target: string): Promise<void> {
    const random = this.#random;
    const kind = random.pick(kinds);
    const forMs = random.between(500, 4_000);
    switch (kind) {
      case 'partition':
        return this.#partition(random.pick(shapes), forMs);
      case 'kill-leader':
        return this.#killAndRestart(await leaderOf(this.#fleet), forMs);
      case 'kill-target':
        return this.#killAndRestart(target, forMs);
      case 'pause':
        return this.#pause(random.pick(fleetHosts).name, forMs);
      case 'restart':
        return this.#killAndRestart(random.pick(fleetHosts).name, 0);
    }
  }

  async #partition(shape: Shape, forMs: number): Promise<void> {
    const leader = fleetHosts.findIndex((host) => host.name === this.#leaderName);
    const cuts = cutsOf(shape, Math.max(0, leader), this.#random);
    const first = cuts.map(({ from, to }) => `${from}>${to}`).join(' ');
    this.told.push(`partition ${shape} for ${forMs} ms (${first})`);
    if (shape === 'unplugged') {
      const host = Math.max(0, leader);
      this.#unplugged.add(host);
      plug(host, 'down');
      await pause(forMs);
      return this.#plugAll();
    }
    if (shape === 'flapping') {
      for (let i = 0; i < 5; i++) {
        applyCuts(cuts);
        await pause(forMs / 10);
        applyCuts([]);
        await pause(forMs / 10);
      }
      return;
    }
    applyCuts(cuts);
    await pause(forMs);
    // Partitions may follow each other without a moment of peace.
    if (this.#random.chance(0.6)) applyCuts([]);
  }

  #leaderName = fleetHosts[0]?.name;

  /** So that the next partition knows whom to cut off. */
  async learnLeader(): Promise<void> {
    this.#leaderName = (await leaderOf(this.#fleet)) ?? this.#leaderName;
  }

  async #killAndRestart(name: string | undefined, afterMs: number): Promise<void> {
    if (name === undefined || !this.#fleet.isRunning(name)) return;
    this.told.push(`kill ${name}, start it after ${afterMs} ms`);
    await this.kill(name);
    const restart = pause(afterMs).then(() => this.#startAgain(name));
    restart.catch(() => undefined);
    this.#restarts.push(restart);
    await pause(Math.min(afterMs, 1_000));
  }

  async kill(name: string): Promise<void> {
    await this.#fleet.kill(name);
    this.#watch.forget(name);
  }

  async #startAgain(name: string): Promise<void> {
    if (!this.#fleet.isRunning(name)) await this.#fleet.start(name);
  }

  async #pause(name: string, forMs: number): Promise<void> {
    this.told.push(`pause ${name} for ${forMs} ms`);
    this.#fleet.pause(name);
    await pause(forMs);
    this.#fleet.resume(name);
  }

  #plugAll(): void {
    for (const host of this.#unplugged) plug(host, 'up');
    this.#unplugged.clear();
  }

  /** Everybody runs and hears everybody. @throws when an agent cannot be started again */
  async heal(): Promise<void> {
    applyCuts([]);
    this.#plugAll();
    for (const { name } of fleetHosts) this.#fleet.resume(name);
    await Promise.all(this.#restarts);
    this.#restarts.length = 0;
    for (const { name } of fleetHosts) await this.#startAgain(name);
  }
}

/** Whom the agents take for the leader; undefined when they know nobody. */
export async function leaderOf(fleet: Fleet): Promise<string | undefined> {
  const reports = await Promise.allSettled(
    fleet.awake.map(({ name }) => answered(fleet.api(name).coordinator(), 3_000)),
  );
  const known = reports.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const sure = known.filter(({ isConfirmed }) => isConfirmed);
  return (sure[0] ?? known.toSorted((a, b) => b.term - a.term)[0])?.leader;
}
