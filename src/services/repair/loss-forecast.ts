import { shardSizeOf } from '../../core/format/shard.ts';
import type { AgentKey, DatasetId, StatementHash } from '../../core/ids.ts';
import { siteTolerance } from '../../core/policy/durability.ts';
import { isUrgent } from '../../core/policy/repair-order.ts';
import type { RepairTask } from '../../core/policy/repair-plan.ts';
import type { SurveyedPack } from './pack-survey.ts';
import type { Judgement } from './repair-view.ts';

/** What losing sites would do to one dataset. */
export type DatasetForecast = {
  readonly dataset: DatasetId;
  readonly packs: number;
  readonly lostPacks: number;
  /** Snapshots that need a pack which would be lost. */
  readonly lostSnapshots: ReadonlySet<StatementHash>;
  /** More sites that may fail before anything is repaired, of the worst pack that is left; undefined: none is left. */
  readonly sitesMayFail: number | undefined;
  readonly shards: number;
  /** Of these: shards that no site that stays could take. */
  readonly stuckShards: number;
  readonly urgentShards: number;
  readonly writtenBytes: number;
  readonly readBytes: number;
};

export type LossForecast = {
  readonly datasets: readonly DatasetForecast[];
  /** What the host that has most to do would read. */
  readonly busiestBytes: number;
  readonly shardCount: number;
};

type Sum = {
  -readonly [K in keyof DatasetForecast]: DatasetForecast[K];
} & { lostSnapshots: Set<StatementHash> };

/** What a judgement of how things would be comes to, for each dataset. */
export function forecastOf(
  { survey, tasks, lost, shardCount }: Judgement,
  siteOf: (agent: AgentKey) => string | undefined,
): LossForecast {
  const sums = new Map<DatasetId, Sum>();
  const gone = new Set(lost.map(({ pack }) => pack));
  for (const [pack, surveyed] of survey.packs) {
    const sum = sumFor(sums, surveyed.record.manifest.dataset);
    sum.packs++;
    if (gone.has(pack)) {
      sum.lostPacks++;
      for (const { hash } of survey.usersOf(pack)) sum.lostSnapshots.add(hash);
      continue;
    }
    const spare = toleranceOf(surveyed, siteOf);
    sum.sitesMayFail = Math.min(sum.sitesMayFail ?? Number.POSITIVE_INFINITY, spare);
  }
  const readAt = new Map<AgentKey, number>();
  for (const [pack, ofPack] of Map.groupBy(tasks, ({ entry }) => entry.pack)) {
    const surveyed = survey.packs.get(pack);
    if (surveyed === undefined) continue;
    addRepairs(sumFor(sums, surveyed.record.manifest.dataset), ofPack, {
      surveyed,
      siteOf,
      readAt,
    });
  }
  return {
    datasets: [...sums.values()],
    busiestBytes: Math.max(0, ...readAt.values()),
    shardCount,
  };
}

function sumFor(sums: Map<DatasetId, Sum>, dataset: DatasetId): Sum {
  const known = sums.get(dataset);
  if (known !== undefined) return known;
  const sum: Sum = {
    ...{ dataset, packs: 0, lostPacks: 0, lostSnapshots: new Set<StatementHash>() },
    ...{ sitesMayFail: undefined, shards: 0, stuckShards: 0, urgentShards: 0 },
    ...{ writtenBytes: 0, readBytes: 0 },
  };
  sums.set(dataset, sum);
  return sum;
}

type Around = {
  readonly surveyed: SurveyedPack;
  readonly siteOf: (agent: AgentKey) => string | undefined;
  readonly readAt: Map<AgentKey, number>;
};

/** Each host reads k shards of a coded pack, however many it makes of it; a copy reads the one that it is of. */
function addRepairs(sum: Sum, tasks: readonly RepairTask[], around: Around): void {
  const { words } = around.surveyed;
  const held = [...words].reduce(
    (all, [agent, { mask = 0 }]) => (around.siteOf(agent) === undefined ? all : (all | mask) >>> 0),
    0,
  );
  for (const [taker, ofTaker] of Map.groupBy(tasks, ({ takers }) => takers[0])) {
    sum.shards += ofTaker.length;
    if (taker === undefined) {
      sum.stuckShards += ofTaker.length;
      continue;
    }
    sum.urgentShards += ofTaker.filter(isUrgent).length;
    const [{ entry }] = ofTaker as [RepairTask];
    const size = shardSizeOf({ k: entry.k, packSize: entry.size });
    const copies = ofTaker.filter(({ index }) => ((held >>> index) & 1) === 1).length;
    const isCoded = copies < ofTaker.length;
    const read = isCoded ? Math.max(entry.k, copies) * size : copies * size;
    sum.writtenBytes += ofTaker.length * size;
    sum.readBytes += read;
    around.readAt.set(taker, (around.readAt.get(taker) ?? 0) + read);
  }
}

function toleranceOf(
  { entry, words }: SurveyedPack,
  siteOf: (agent: AgentKey) => string | undefined,
): number {
  const masks = new Map<string, number>();
  const known = (2 ** (entry.k + entry.m) - 1) >>> 0;
  for (const [agent, { mask = 0 }] of words) {
    const site = siteOf(agent);
    if (site !== undefined) masks.set(site, ((masks.get(site) ?? 0) | (mask & known)) >>> 0);
  }
  return siteTolerance(entry.k, [...masks.values()]);
}
