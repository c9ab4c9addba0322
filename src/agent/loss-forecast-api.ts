import { HoldfastError } from '../core/errors.ts';
import type { DatasetId } from '../core/ids.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import { type DatasetForecast, forecastOf } from '../services/repair/loss-forecast.ts';
import type { Agent } from './agent.ts';
import type { DatasetLossReport, LossReport } from './upkeep-types.ts';
import { lossWords } from './loss-words.ts';
import { silentHosts } from './silent-hosts.ts';

/** What losing these sites would do. @throws HoldfastError not-found | usage */
export async function forecastLoss(agent: Agent, wanted: readonly string[]): Promise<LossReport> {
  const lost = new Set(wanted);
  const sites = checkedSites(agent, lost);
  const { view, repairBandwidth: bytesPerSecond } = agent.upkeep;
  const judgement = await view.suppose(lost);
  const staying = agent.ledger.roster.members().filter((one) => view.countsWithout(lost, one));
  const siteOf = new Map(staying.map(({ agentKey, site }) => [agentKey, site]));
  const forecast = forecastOf(judgement, (key) => siteOf.get(key));
  const byId = new Map(forecast.datasets.map((one) => [one.dataset, one]));
  const sum = (of: (one: DatasetForecast) => number): number =>
    forecast.datasets.reduce((all, one) => all + of(one), 0);
  return {
    sites: [...lost].sort(),
    hosts: sites.hosts,
    sitesLeft: sites.left,
    silentHosts: silentHosts(agent, lost),
    voters: votersLeft(agent, lost),
    datasets: await datasetReports(agent, byId, lost),
    repair: {
      shards: sum(({ shards }) => shards),
      stuckShards: sum(({ stuckShards }) => stuckShards),
      urgentShards: sum(({ urgentShards }) => urgentShards),
      writtenBytes: sum(({ writtenBytes }) => writtenBytes),
      readBytes: sum(({ readBytes }) => readBytes),
      seconds: Math.ceil(forecast.busiestBytes / bytesPerSecond),
      bytesPerSecond,
      lostAfterMs: agent.control.log.state.policy.current.failover.siteLostAfterMs,
    },
  };
}

function checkedSites(
  { ledger }: Agent,
  lost: ReadonlySet<string>,
): { hosts: string[]; left: string[] } {
  const members = ledger.roster.members();
  const known = new Set(members.map(({ site }) => site));
  for (const site of lost) {
    if (known.has(site)) continue;
    throw new HoldfastError('not-found', `there is no site ${JSON.stringify(site)}`, {
      next: 'holdfast peer list',
    });
  }
  const left = members.filter((one) => one.hasRole('storage') && !lost.has(one.site));
  return {
    hosts: members.filter(({ site }) => lost.has(site)).map(({ name }) => name),
    left: [...new Set(left.map(({ site }) => site))].sort(),
  };
}

function votersLeft({ control, ledger }: Agent, lost: ReadonlySet<string>): LossReport['voters'] {
  const { voters } = control.log.status().config;
  const left = voters.filter((voter) => {
    const site = ledger.roster.member(voter)?.site;
    return site !== undefined && !lost.has(site);
  }).length;
  return { count: voters.length, left, hasQuorum: left > voters.length / 2 };
}

async function datasetReports(
  agent: Agent,
  forecasts: ReadonlyMap<DatasetId, DatasetForecast>,
  lost: ReadonlySet<string>,
): Promise<DatasetLossReport[]> {
  const reports: DatasetLossReport[] = [];
  for (const { dataset, newest } of await agent.status.datasets()) {
    const report = datasetReport(agent, dataset, forecasts.get(dataset.id), lost);
    const judged = newest === undefined ? {} : { newest: await judge(agent, newest.record, lost) };
    reports.push({ ...report, ...judged });
  }
  return reports;
}

/** By those who could be asked for it now. */
async function judge(
  agent: Agent,
  record: ManifestRecord,
  lost: ReadonlySet<string>,
): Promise<NonNullable<DatasetLossReport['newest']>> {
  const { view, ledger, status } = agent;
  const { isRecoverable, sitesMayFail, lostPacks, packs } = await view.assess(record, (key) => {
    const site = ledger.roster.member(key)?.site;
    return status.isReachable(key) && site !== undefined && !lost.has(site);
  });
  const held = new Map<string, Set<number>>();
  for (const { site, masks } of await view.holdings(record)) {
    const packsAt = held.get(site) ?? new Set();
    held.set(site, packsAt);
    for (const [i, mask] of masks.entries()) if (mask !== 0) packsAt.add(i);
  }
  return {
    snapshot: record.hash,
    isRestorable: isRecoverable,
    sitesMayFail,
    packs: packs.length,
    lostPacks,
    holders: [...held]
      .map(([site, { size }]) => ({ site, packs: size }))
      .sort((a, b) => a.site.localeCompare(b.site)),
  };
}

type DatasetRecord = ReturnType<Agent['lines']['all']>[number];

function datasetReport(
  agent: Agent,
  record: DatasetRecord,
  forecast: DatasetForecast | undefined,
  lost: ReadonlySet<string>,
): DatasetLossReport {
  const { id, name, writer: source } = record;
  const snapshots = agent.ledger.manifests(id).length;
  const site = agent.ledger.roster.member(source)?.site;
  const facts = {
    ...{ name, id, source: agent.nameOf(source), snapshots },
    isSourceLost: site === undefined || lost.has(site),
    lostSnapshots: forecast?.lostSnapshots.size ?? 0,
    packs: forecast?.packs ?? 0,
    lostPacks: forecast?.lostPacks ?? 0,
    ...(forecast?.sitesMayFail === undefined ? {} : { sitesMayFail: forecast.sitesMayFail }),
    shards: forecast?.shards ?? 0,
    writtenBytes: forecast?.writtenBytes ?? 0,
    readBytes: forecast?.readBytes ?? 0,
  };
  return { ...facts, words: lossWords(facts) };
}
