import { GiB } from '../../src/base/units.ts';
import { type Chart, chartFile, type Line } from './chart.ts';
import type { Result } from './csv.ts';
import { mean, repairBytesPerShard, type ScaleResult } from './epidemic.ts';
import { timeAtShare } from './head-spread.ts';
import { monthsOf } from './ten-years.ts';
import { type Design, packsPerAgent, type Traffic, totalBytes, totalMessages } from './traffic.ts';

type Results = readonly ScaleResult[];

const odds = [1e-8, 1e-6, 1e-4, 1e-2, 1];
/** 20 Mbit/s, all day long. */
const uplinkBytesPerDay = (20e6 / 8) * 86_400;

export function epidemicCharts(results: Results): Result[] {
  return [
    chartFile('bytes-per-day.svg', bytesChart(results)),
    chartFile('messages-per-day.svg', messagesChart(results)),
    chartFile('head-reach.svg', reachChart(results)),
    chartFile('head-spread.svg', spreadChart(results)),
    chartFile('repair-by-month.svg', monthsChart(results)),
    chartFile('any-loss.svg', anyLossChart(results)),
  ];
}

function agentsAxis(results: Results): Chart['x'] {
  const ticks = results.map(({ agents }) => agents);
  const tick = (value: number): string => value.toLocaleString('en-US');
  return { label: 'agents in the cluster', scale: 'log', ticks, tick };
}

function overAgents(results: Results, measure: (result: ScaleResult) => number): Line['points'] {
  return results.map((result) => ({ x: result.agents, y: measure(result) }));
}

function bytesChart(results: Results): Chart {
  const shipped = (part: (traffic: Traffic) => number) =>
    overAgents(results, ({ traffic }) => part(traffic.shipped));
  return {
    title: 'What one agent sends a day to stay up to date',
    subtitle:
      'One backup a day and agent. Documented for 200 agents: beyond, shipped lines are what it would take.',
    x: agentsAxis(results),
    y: { label: 'bytes sent a day, mean', scale: 'log', tick: bytesText },
    lines: [
      { name: 'shipped: anti-entropy', points: shipped((one) => one.antiEntropyBytes) },
      { name: 'shipped: gossip and what it sets off', points: shipped((one) => one.gossipBytes) },
      { name: 'shipped: pings and greetings', points: shipped((one) => one.upkeepBytes) },
      {
        name: 'bounded design (not built): all together',
        points: overAgents(results, ({ traffic }) => totalBytes(traffic.bounded)),
      },
      {
        name: 'repair of 100 GiB an agent',
        points: overAgents(results, ({ repairBytes }) => repairBytes.mean).filter(({ y }) => y > 0),
      },
      {
        name: 'a 20 Mbit/s line, full all day',
        points: overAgents(results, () => uplinkBytesPerDay),
        look: 'dashed',
      },
    ],
  };
}

function messagesChart(results: Results): Chart {
  const total = (design: Design) =>
    overAgents(results, ({ traffic }) => totalMessages(traffic[design]));
  return {
    title: 'Messages that one agent sends a day',
    subtitle: 'Requests, answers, announcements, pings. One backup a day and agent.',
    x: agentsAxis(results),
    y: { label: 'messages sent a day, mean', scale: 'log', tick: countText },
    lines: [
      { name: 'shipped', points: total('shipped') },
      { name: 'bounded design (not built)', points: total('bounded') },
    ],
  };
}

function reachChart(results: Results): Chart {
  const line = (design: Design, share: number): Line['points'] =>
    results.map(({ agents, spreads }) => {
      const times = spreads[design].map((spread) => timeAtShare(spread, share) / 1000);
      const sorted = times.toSorted((a, b) => a - b);
      return {
        x: agents,
        y: sorted[Math.floor(sorted.length / 2)] as number,
        low: sorted[0] as number,
        high: sorted.at(-1) as number,
      };
    });
  return {
    title: 'How long a new statement takes to reach the agents that are up',
    subtitle: 'Median of the followed statements; bars: quickest and slowest of them',
    x: agentsAxis(results),
    y: { label: 'time', scale: 'log', tick: secondsText },
    lines: [
      { name: 'shipped: 99 % of agents', points: line('shipped', 0.99) },
      { name: 'shipped: all', points: line('shipped', 1), look: 'dashed', colour: 0 },
      { name: 'bounded (not built): 99 % of agents', points: line('bounded', 0.99), colour: 1 },
      { name: 'bounded (not built): all', points: line('bounded', 1), look: 'dashed', colour: 1 },
    ],
  };
}

function spreadChart(results: Results): Chart {
  const followed = results.filter(({ agents }) => [50, 500, 10_000].includes(agents));
  const line = (result: ScaleResult, design: Design): Line['points'] => {
    const byTime = result.spreads[design].toSorted(
      (a, b) => timeAtShare(a, 0.99) - timeAtShare(b, 0.99),
    );
    const spread = byTime[Math.floor(byTime.length / 2)] as Float64Array;
    const shares = Array.from({ length: 50 }, (_, i) => (i + 1) / 50);
    return shares
      .map((share) => ({ x: timeAtShare(spread, share) / 1000, y: share * 100 }))
      .filter(({ x }) => x > 0);
  };
  return {
    title: 'The way of one statement through the cluster',
    subtitle: 'The followed statement of median time to 99 %',
    x: { label: 'time since it was signed', scale: 'log', tick: secondsText },
    y: { label: '% of the agents that are up', scale: 'linear', min: 0, max: 100 },
    lines: followed.flatMap((result, colour): Line[] => [
      { name: `shipped, ${agentsText(result)}`, points: line(result, 'shipped'), colour },
      {
        name: `bounded (not built), ${agentsText(result)}`,
        points: line(result, 'bounded'),
        look: 'dashed',
        colour,
      },
    ]),
  };
}

function monthsChart(results: Results): Chart {
  const followed = results.filter(({ agents }) => [50, 500, 10_000].includes(agents));
  return {
    title: 'Repair traffic over the years',
    subtitle:
      'Mean of each month. 100 GiB an agent, hosts 10 %, sites 1 % a year lost, repair within 2 days',
    x: { label: 'year', scale: 'linear' },
    y: { label: 'GiB an agent and day', scale: 'linear', min: 0 },
    lines: followed.map((result) => {
      const scale = (packsPerAgent / result.samplePacks) * repairBytesPerShard(result.code);
      const points = monthsOf(result.history.days).map((days, month) => ({
        x: month / 12,
        y: (mean(days.map(({ repairs }) => repairs)) * scale) / GiB,
      }));
      return { name: agentsText(result), points };
    }),
  };
}

function anyLossChart(results: Results): Chart {
  const of = (index: number, part: 'scattered' | 'together'): Line['points'] =>
    overAgents(results, ({ anyLoss }) => anyLoss[index]?.[part] ?? 0);
  return {
    title: 'Chance that a year costs anybody anything',
    subtitle: 'Hosts 10 %, sites 1 % a year lost, repair within 2 days, 100 GiB an agent',
    x: agentsAxis(results),
    y: { label: 'chance of any lost pack a year', scale: 'log', tick: oddsText, ticks: odds },
    lines: [
      { name: 'survive 2 sites, packs scattered (as shipped)', points: of(0, 'scattered') },
      {
        name: 'survive 2, one set of hosts a source (not built)',
        points: of(0, 'together'),
        look: 'dashed',
        colour: 0,
      },
      {
        name: 'survive 3 sites, packs scattered (as shipped)',
        points: of(1, 'scattered'),
        colour: 1,
      },
      {
        name: 'survive 3, one set of hosts a source (not built)',
        points: of(1, 'together'),
        look: 'dashed',
        colour: 1,
      },
    ],
  };
}

function agentsText({ agents }: ScaleResult): string {
  return `${agents.toLocaleString('en-US')} agents`;
}

function bytesText(bytes: number): string {
  return scaledText(bytes, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
}

function countText(count: number): string {
  return scaledText(count, ['', 'k', 'M', 'G', 'T']);
}

function scaledText(value: number, units: readonly string[]): string {
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(value) / 3 + 1e-9)));
  return `${Number((value / 1000 ** step).toPrecision(3))} ${units[step] ?? ''}`.trim();
}

function secondsText(seconds: number): string {
  return seconds < 1 ? `${Number((seconds * 1000).toPrecision(3))} ms` : `${seconds} s`;
}

function oddsText(chance: number): string {
  return chance === 1 ? 'certain' : `1 in ${countText(1 / chance)}`;
}
