import { dayMs, hourMs } from '../../src/base/units.ts';
import { leavesPerDay } from '../../src/services/repair/challenger.ts';
import type { YearCluster } from './cluster.ts';
import type { YearHost } from './host.ts';
import { shippedParts, type YearParts } from './parts.ts';
import { YearPlay } from './play.ts';
import { type Lie, lies } from './shards.ts';
import type { YearViolation, YearWatch } from './watch.ts';

export type CheatOptions = {
  /** In the place of what is shipped: a mutant. */
  readonly parts?: YearParts | undefined;
  readonly lie?: Lie | undefined;
  /** Of the one snapshot, of each of which every site has a shard of one leaf. */
  readonly packs?: number;
  /** How long it is looked for. */
  readonly spanMs?: number;
};

export type CheatRun = {
  readonly violation: YearViolation | undefined;
  readonly lie: Lie;
  /** Of all others, each for itself: after how long it knew; undefined: not within the day. */
  readonly caughtMs: readonly (number | undefined)[];
  /** Until every pack was whole without what the cheat threw away; undefined: never. */
  readonly wholeMs: number | undefined;
};

/** Of its shards, and one at least. */
const droppedPercent = 1;
/** Shards that rot meanwhile at an honest host, which takes its word back when it is asked for one. */
const rottenShards = 3;
const askMs = dayMs / leavesPerDay;
/** After the first has found out. */
const mendMs = 2 * dayMs;

/** A day in which one of eight hosts has thrown away a hundredth of what it signed for, and lies about it. */
export async function runCheat(seed: number, options: CheatOptions = {}): Promise<CheatRun> {
  const { parts = shippedParts, packs = 100, spanMs = dayMs } = options;
  const { lie = lies[seed % lies.length] as Lie } = options;
  const play = await YearPlay.open({ seed, parts });
  const { cluster, backups, watch } = play;
  await backups.begin(packs);
  for (let hours = 0; hours < 12; hours++) await play.pass(hourMs);
  const [cheat, unlucky, ...others] = shuffled(cluster);
  dropSome(cheat, lie);
  rotSome(unlucky);
  watch.isDirty = true;
  const day = new CheatedDay(cluster, watch, cheat);
  const startMs = cluster.nowMs;
  while (cluster.nowMs - startMs < spanMs) {
    for (const host of cluster.hosts) if (host !== cheat) await host.challenge();
    day.look();
    await play.pass(askMs);
  }
  day.end();
  while (!day.isWhole && cluster.nowMs - startMs < spanMs + mendMs) {
    await play.pass(hourMs);
    day.look();
  }
  if (!day.isWhole) watch.fail('mended', 'what a cheat has thrown away was not made anew');
  const askers = [unlucky, ...others];
  return {
    ...{ violation: watch.violation, lie, wholeMs: day.wholeMs },
    caughtMs: askers.map((host) => day.caughtMs.get(host)),
  };
}

/** What the honest have found out, and when. */
class CheatedDay {
  readonly #cluster: YearCluster;
  readonly #watch: YearWatch;
  readonly #cheat: YearHost;
  readonly #startMs: number;
  readonly caughtMs = new Map<YearHost, number>();
  wholeMs: number | undefined;

  constructor(cluster: YearCluster, watch: YearWatch, cheat: YearHost) {
    this.#cluster = cluster;
    this.#watch = watch;
    this.#cheat = cheat;
    this.#startMs = cluster.nowMs;
  }

  get isWhole(): boolean {
    return this.wholeMs !== undefined;
  }

  look(): void {
    const ms = this.#cluster.nowMs - this.#startMs;
    for (const host of this.#cluster.hosts) {
      for (const failing of host.failing) {
        if (failing !== this.#cheat) {
          this.#watch.fail('slander', `${host.name} takes the honest ${failing.name} for failing`);
        } else if (!this.caughtMs.has(host)) this.caughtMs.set(host, ms);
      }
    }
    if (ms > 0 && this.#watch.shortPacks === 0) this.wholeMs ??= ms;
  }

  /** One that asks may miss it in a day; that all seven do is not to be expected in a lifetime. */
  end(): void {
    if (this.caughtMs.size === 0) this.#watch.fail('caught', 'nobody has found the cheat in a day');
  }
}

function shuffled({ hosts, random }: YearCluster): [YearHost, YearHost, ...YearHost[]] {
  const left = [...hosts];
  const order: YearHost[] = [];
  while (left.length > 0) order.push(...left.splice(random.below(left.length), 1));
  return order as [YearHost, YearHost, ...YearHost[]];
}

function dropSome({ disk, person }: YearHost, lie: Lie): void {
  disk.lie = lie;
  const files = [...disk.shards.files.values()];
  if (files.length === 0) throw new Error(`${person.descriptor.name} has nothing to throw away`);
  const count = Math.max(1, Math.floor((files.length * droppedPercent) / 100));
  for (const file of files.slice(0, count)) disk.drop(file);
}

function rotSome({ disk }: YearHost): void {
  for (const file of [...disk.shards.files.values()].slice(-rottenShards)) disk.rot(file, 7);
}
