import { GiB } from '../../src/base/units.ts';
import { Prng } from '../prng.ts';
import { csvFile, type Result } from './csv.ts';
import { designs, mean, runScale, type ScaleResult, scales } from './epidemic.ts';
import { epidemicCharts } from './epidemic-charts.ts';
import { timeAtShare } from './head-spread.ts';
import { monthsOf } from './ten-years.ts';
import { totalBytes, totalMessages } from './traffic.ts';

/** Tables and charts of clusters from 5 to 10,000 agents. `say`: told of each size when it is done. */
export function epidemicResults(options: {
  seed: number;
  isQuick: boolean;
  say: (line: string) => void;
}): Result[] {
  const prng = new Prng(options.seed);
  const size = options.isQuick
    ? { years: 1, heads: 1, samplePacks: 2_000 }
    : { years: 10, heads: 40, samplePacks: 100_000 };
  const results = scales.map((scale) => {
    const result = runScale(scale, { prng: prng.fork(), ...size });
    const { events, packsLost } = result.history;
    options.say(`${scale.agents} agents: ${events} events, ${packsLost} sampled packs lost`);
    return result;
  });
  return [
    csvFile('scale.csv', results.map(scaleRow)),
    csvFile('traffic.csv', results.flatMap(trafficRows)),
    csvFile('head-spread.csv', results.flatMap(spreadRows)),
    csvFile('months.csv', results.flatMap(monthRows)),
    ...epidemicCharts(results),
  ];
}

function scaleRow(result: ScaleResult) {
  const [survivesTwo, survivesThree] = result.anyLoss;
  return {
    agents: result.agents,
    sites: result.sites,
    code: `${result.code.k}+${result.code.m}`,
    years: result.years,
    events: result.history.events,
    hosts_lost: result.history.hostsLost,
    sites_lost: result.history.sitesLost,
    mean_online_share: result.onlineShare,
    least_online_share_of_a_day: result.onlineShareLeast,
    sequences_left_out_share: result.leftOut,
    repair_gib_per_agent_day: result.repairBytes.mean / GiB,
    repair_gib_per_agent_day_p99: result.repairBytes.p99 / GiB,
    repair_gib_per_agent_day_max: result.repairBytes.max / GiB,
    sampled_packs: result.samplePacks,
    sampled_packs_lost: result.history.packsLost,
    markov_packs_lost: result.packsLostExpected,
    pack_loss_per_year: result.packLoss,
    any_loss_per_year_survive_2: survivesTwo?.scattered ?? '',
    any_loss_per_year_survive_2_one_set_a_source: survivesTwo?.together ?? '',
    any_loss_per_year_survive_3: survivesThree?.scattered ?? '',
    any_loss_per_year_survive_3_one_set_a_source: survivesThree?.together ?? '',
  };
}

function trafficRows({ agents, traffic }: ScaleResult) {
  return designs.map((design) => ({
    agents,
    design,
    anti_entropy_bytes_per_day: traffic[design].antiEntropyBytes,
    gossip_bytes_per_day: traffic[design].gossipBytes,
    upkeep_bytes_per_day: traffic[design].upkeepBytes,
    bytes_per_day: totalBytes(traffic[design]),
    messages_per_day: totalMessages(traffic[design]),
    seconds_between_rounds_with_a_peer: traffic[design].roundMs / 1000,
  }));
}

function spreadRows({ agents, spreads }: ScaleResult) {
  return designs.flatMap((design) =>
    spreads[design].map((spread, head) => ({
      agents,
      design,
      head: head + 1,
      reachable: spread.length,
      ms_to_50_percent: timeAtShare(spread, 0.5),
      ms_to_99_percent: timeAtShare(spread, 0.99),
      ms_to_100_percent: timeAtShare(spread, 1),
    })),
  );
}

function monthRows(result: ScaleResult) {
  return monthsOf(result.history.days).map((days, month) => ({
    agents: result.agents,
    month: month + 1,
    mean_online_share: mean(days.map(({ onlineShare }) => onlineShare)),
    hosts_lost: days.reduce((sum, { hostsLost }) => sum + hostsLost, 0),
    repairs_of_sampled_shards: days.reduce((sum, { repairs }) => sum + repairs, 0),
  }));
}
