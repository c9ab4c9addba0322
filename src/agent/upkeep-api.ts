import { HoldfastError } from '../core/errors.ts';
import { shardSizeOf } from '../core/format/shard.ts';
import type { DrainTarget } from '../core/format/control-records.ts';
import { type AgentKey, shortId } from '../core/ids.ts';
import { isUrgent } from '../core/policy/repair-order.ts';
import type { RepairTask } from '../core/policy/repair-plan.ts';
import type { Member } from '../core/protocol/roster.ts';
import { dependentsOf } from '../services/repair/dependents.ts';
import type { Agent } from './agent.ts';
import type {
  DrainReport,
  PossessionReport,
  RepairReport,
  RepairTaskReport,
  ScrubReport,
  UpkeepApi,
} from './upkeep-types.ts';
import { forecastLoss } from './loss-forecast-api.ts';
import { silentHosts } from './silent-hosts.ts';

/** Tasks that a report lists: after a site is lost there may be a million. */
const listedMax = 1000;

export function upkeepApi(agent: Agent): UpkeepApi {
  return {
    repairs: async ({ begin }) => {
      if (begin !== 'nothing') agent.upkeep.repairs.begin({ isAll: begin === 'all' });
      return repairReport(agent);
    },
    drains: () => drainReports(agent),
    forecastLoss: ({ sites }) => forecastLoss(agent, sites),
    scrub: async ({ isNow }) => scrubReport(agent, isNow),
  };
}

async function drainReports(agent: Agent): Promise<DrainReport[]> {
  const targets = agent.control.log.state.drains.all();
  return Promise.all(targets.map((target) => drainReport(agent, target)));
}

async function drainReport(agent: Agent, target: DrainTarget): Promise<DrainReport> {
  const { ledger, upkeep } = agent;
  const members = ledger.roster
    .members()
    .filter((one) => ('site' in target ? one.site === target.site : one.agentKey === target.agent));
  const keys = new Set(members.map(({ agentKey }) => agentKey));
  // First: what a source signs before it answers is judged then.
  const { backups, unasked } = await upkeep.drainWatch.ask([...keys]);
  const holders = members.filter((one) => one.hasRole('storage'));
  const { packs, waiting, undelivered } = dependentsOf(await upkeep.repairs.look(), {
    leaving: keys,
    holders: holders.map(({ agentKey }) => agentKey),
  });
  const name = 'site' in target ? target.site : agent.nameOf(target.agent);
  return {
    name,
    kind: 'site' in target ? 'site' : 'host',
    hosts: members.map((one) => one.name),
    packs: packs.length,
    waiting: waiting.length,
    undelivered: undelivered.length,
    unsigned: await unsignedWithout(agent, keys),
    underWay: backups,
    unasked: [...unasked],
  };
}

/** A receipt is for one snapshot: who has copied a shard signs anew for each that needs it, a moment later. */
async function unsignedWithout(agent: Agent, leaving: ReadonlySet<AgentKey>): Promise<number> {
  const { status, view } = agent;
  let count = 0;
  for (const { newest } of await status.datasets()) {
    if (newest === undefined) continue;
    const { manifest } = newest.record;
    const now = await view.assess(newest.record);
    const then = await view.assess(newest.record, (one) => !leaving.has(one));
    const sites = view.storageSites({
      writer: newest.record.statement.writer,
      dataset: manifest.dataset,
    });
    const goal = Math.min(manifest.surviveSites, sites.length - 1, now.sitesMayFail);
    if (then.sitesMayFail < goal) count++;
  }
  return count;
}

function scrubReport({ upkeep, store }: Agent, isNow: boolean): ScrubReport {
  const { scrub } = upkeep;
  if (scrub === undefined || store === undefined) {
    throw new HoldfastError('not-permitted', 'this host stores nothing for the cluster', {
      next: 'run it on a host with the role storage: holdfast peer list',
    });
  }
  if (isNow) scrub.begin();
  const { oldestMs, ...state } = scrub.state;
  const { shards, bytes } = store.usage();
  const stored = { storedShards: shards, storedBytes: bytes };
  return { ...state, ...stored, ...(oldestMs === undefined ? {} : { oldestMs }) };
}

/** How reading back goes, for the status; undefined where nothing is stored. */
export function scrubStatus(agent: Agent): ScrubReport | undefined {
  return agent.upkeep.scrub === undefined ? undefined : scrubReport(agent, false);
}

/** What is known of a member's word on what it holds. */
export function possessionOf(agent: Agent, member: Member): PossessionReport | undefined {
  if (!member.hasRole('storage')) return undefined;
  const { caught, unanswered, ...report } = agent.upkeep.challenger.report(member);
  const isSelf = member.agentKey === agent.member().agentKey;
  const shards = { caught: [...caught], unanswered: [...unanswered] };
  return { ...report, ...(isSelf ? { state: 'self' as const } : {}), ...shards };
}

async function repairReport(agent: Agent): Promise<RepairReport> {
  const { repairs, badPacks } = agent.upkeep;
  const judgement = await repairs.look();
  const { order, made, failed, bytesRead, current } = repairs.state;
  const all = [
    ...order.due.map((task) => taskReport(agent, task, true)),
    ...order.waiting.map((task) => taskReport(agent, task, false)),
  ];
  return {
    tasks: all.slice(0, listedMax),
    taskCount: all.length,
    dueCount: order.due.length,
    stuckCount: order.due.filter((task) => isStuck(agent, task)).length,
    lost: judgement.lost.slice(0, listedMax).map(({ pack, had, k }) => ({ pack, had, needed: k })),
    awaitedPacks: judgement.awaited.size,
    silentHosts: silentHosts(agent),
    lostAfterMs: agent.control.log.state.policy.current.failover.siteLostAfterMs,
    packs: judgement.survey.packs.size,
    isBraked: order.isBraked,
    ...{ made, failed, bytesRead },
    ...(current === undefined ? {} : { current }),
    wrong: badPacks.all().map(({ pack, writer, from, index, root }) => ({
      ...{ pack, writer, index, root, from: [...from] },
      source: agent.nameOf(writer),
    })),
  };
}

/** Nobody can make it, as far as is known here. */
function isStuck({ upkeep }: Agent, { entry, takers }: RepairTask): boolean {
  const { repairs, badPacks } = upkeep;
  return badPacks.has(entry.pack) || !takers.some((one) => repairs.isThere(one));
}

function taskReport(agent: Agent, task: RepairTask, isDue: boolean): RepairTaskReport {
  const { entry, index, spare, reason, takers } = task;
  const taker = takers.find((one) => agent.upkeep.repairs.isThere(one));
  return {
    pack: entry.pack,
    index,
    type: entry.type,
    bytes: shardSizeOf({ k: entry.k, packSize: entry.size }),
    spare,
    isUrgent: isUrgent(task),
    isDue,
    reason,
    ...(taker === undefined ? {} : { by: agent.nameOf(taker) }),
  };
}

/** What a person should do something about, each with the next command. */
export function upkeepWarnings(agent: Agent): string[] {
  const { repairs, badPacks } = agent.upkeep;
  const { judgement, order } = repairs.state;
  const warnings: string[] = [];
  if (judgement !== undefined && judgement.lost.length > 0) {
    warnings.push(
      `${judgement.lost.length} packs cannot be rebuilt from what is left: holdfast repair --dry-run`,
    );
  }
  const short = order.due.length + order.waiting.length;
  if (short > 0) {
    const braked = order.isBraked
      ? '; so much has gone at once that only urgent ones are made'
      : '';
    warnings.push(`${short} shards are to be made anew${braked}: holdfast repair --dry-run`);
  }
  for (const member of agent.ledger.roster.members()) {
    if (!agent.upkeep.challenger.isFailing(member.agentKey)) continue;
    warnings.push(
      `${member.name} does not have what it has signed for; nothing at it counts: holdfast peer show ${member.name}`,
    );
  }
  for (const { pack, writer } of badPacks.all()) {
    warnings.push(
      `${agent.nameOf(writer)} has encoded pack ${shortId(pack)} wrongly: do not rely on its snapshots: holdfast repair --dry-run`,
    );
  }
  return warnings;
}
