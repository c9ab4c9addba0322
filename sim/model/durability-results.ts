import { type Code, chooseCode } from '../../src/core/policy/code-choice.ts';
import { Prng } from '../prng.ts';
import { chartFile, type Line } from './chart.ts';
import type { Axis } from './chart-axis.ts';
import { csvFile, type Result } from './csv.ts';
import {
  annualLoss,
  type Hazards,
  type Layout,
  layoutOf,
  lossWithoutRepair,
  nines,
  ninesMax,
} from './durability.ts';
import { environments, type Rates, withoutSites, yearlyChance } from './environments.ts';
import { simulateLoss } from './monte-carlo.ts';

const hoursPerYear = 8760;
const siteCounts = [3, 4, 5, 6, 8, 12];
const surviveCounts = [1, 2, 3];

const ninesAxis: Axis = {
  label: 'nines (11 is the most ever claimed)',
  scale: 'linear',
  min: 0,
  max: ninesMax,
  ticks: [0, 2, 4, 6, 8, 10],
};

const repairs = [
  { name: '1 h', hours: 1 },
  { name: '1 d', hours: 24 },
  { name: '10 d', hours: 240 },
];

/** Tables and charts of how likely a pack is lost. `isQuick`: fewer cycles of the simulation. */
export function durabilityResults(options: { seed: number; isQuick: boolean }): Result[] {
  const checks = agreement(options);
  return [
    csvFile('durability.csv', durabilityRows()),
    csvFile('without-repair.csv', withoutRepairRows()),
    csvFile('agreement.csv', checks),
    bySitesChart(),
    byRepairChart(),
    withoutRepairChart(),
    agreementChart(checks),
  ];
}

function hazardsOf(rates: Rates, hours: number): Hazards {
  return { ...rates, repairYears: hours / hoursPerYear };
}

function durabilityRows() {
  return cases().flatMap(({ siteCount, surviveSites, code }) =>
    Object.entries(environments).flatMap(([environment, rates]) =>
      [rates, withoutSites(rates)].flatMap((used) =>
        repairs.map((repair) => {
          const loss = annualLoss(layoutOf(code), hazardsOf(used, repair.hours));
          return {
            sites: siteCount,
            survive_sites: surviveSites,
            code: codeName(code),
            environment,
            host_loss_per_year: yearlyChance(used.hostLossRate),
            site_loss_per_year: yearlyChance(used.siteLossRate),
            repair: repair.name,
            annual_loss: lossText(loss),
            nines: ninesText(loss),
          };
        }),
      ),
    ),
  );
}

function withoutRepairRows() {
  return cases().flatMap(({ siteCount, surviveSites, code }) =>
    Object.entries(environments).flatMap(([environment, rates]) =>
      [1, 3, 5, 10].map((years) => {
        const loss = lossWithoutRepair(layoutOf(code), hazardsOf(rates, 1), years);
        return {
          sites: siteCount,
          survive_sites: surviveSites,
          code: codeName(code),
          environment,
          years,
          loss: lossText(loss),
          nines: ninesText(loss),
        };
      }),
    ),
  );
}

function cases(): { siteCount: number; surviveSites: number; code: Code }[] {
  return siteCounts.flatMap((siteCount) =>
    surviveCounts.map((surviveSites) => ({
      siteCount,
      surviveSites,
      code: chooseCode({ siteCount, surviveSites }),
    })),
  );
}

function codeName({ k, m, sites }: Code): string {
  return k === 1 ? `${sites} copies` : `${k}+${m}`;
}

function ninesText(loss: number): string {
  return nines(loss) >= ninesMax ? `${ninesMax} or more` : nines(loss).toFixed(1);
}

/** Below what eleven nines stand for, a number would claim too much. */
function lossText(loss: number): string {
  const least = 10 ** -ninesMax;
  return loss < least ? `below ${least}` : loss.toPrecision(3);
}

function bySitesChart(): Result {
  const lines = surviveCounts.map((surviveSites): Line => {
    const points = siteCounts.map((siteCount) => {
      const layout = layoutOf(chooseCode({ siteCount, surviveSites }));
      return { x: siteCount, y: nines(annualLoss(layout, hazardsOf(environments.A, 24))) };
    });
    return { name: `survives any ${surviveSites} site${surviveSites === 1 ? '' : 's'}`, points };
  });
  return chartFile('nines-by-sites.svg', {
    title: 'Annual durability of one pack, by number of sites',
    subtitle: 'Environment A (host 5 %, site 1 % a year); every loss is repaired within 1 day',
    x: { label: 'sites with storage', scale: 'linear', ticks: siteCounts },
    y: ninesAxis,
    lines,
  });
}

function byRepairChart(): Result {
  const hours = [1, 3, 6, 12, 24, 48, 96, 240, 480, 720];
  const lines = surviveCounts.flatMap((surviveSites, colour): Line[] => {
    const layout = layoutOf(chooseCode({ siteCount: 6, surviveSites }));
    const pointsOf = (rates: Rates) =>
      hours.map((x) => ({ x, y: nines(annualLoss(layout, hazardsOf(rates, x))) }));
    const name = `${layout.k}+${surviveSites}`;
    return [
      { name: `${name}, sites can be lost`, points: pointsOf(environments.A), colour },
      {
        name: `${name}, only hosts are lost`,
        points: pointsOf(withoutSites(environments.A)),
        look: 'dashed',
        colour,
      },
    ];
  });
  return chartFile('nines-by-repair.svg', {
    title: 'What quick repair is worth: six sites',
    subtitle: 'Environment A (host 5 %, site 1 % a year), one shard a site',
    x: {
      label: 'time until a loss is repaired, detection included',
      scale: 'log',
      ticks: [1, 6, 24, 96, 240, 720],
      tick: (value) => (value < 24 ? `${value} h` : `${value / 24} d`),
    },
    y: ninesAxis,
    lines,
  });
}

function withoutRepairChart(): Result {
  const years = [0.25, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  const lines = [
    { siteCount: 3, surviveSites: 1 },
    { siteCount: 3, surviveSites: 2 },
    { siteCount: 6, surviveSites: 1 },
    { siteCount: 6, surviveSites: 2 },
    { siteCount: 12, surviveSites: 2 },
    { siteCount: 12, surviveSites: 3 },
  ].map(({ siteCount, surviveSites }): Line => {
    const code = chooseCode({ siteCount, surviveSites });
    const points = years.map((x) => ({
      x,
      y: lossWithoutRepair(layoutOf(code), hazardsOf(environments.A, 1), x),
    }));
    return { name: `${siteCount} sites: ${codeName(code)}`, points };
  });
  return chartFile('loss-without-repair.svg', {
    title: 'If nobody repairs: chance that an old pack is gone',
    subtitle: 'Environment A (host 5 %, site 1 % a year); nothing rebuilds or rewrites the pack',
    x: { label: 'years since the pack was written', scale: 'linear', ticks: [0, 2, 4, 6, 8, 10] },
    y: { label: 'chance of loss', scale: 'log', tick: percentText },
    lines,
  });
}

function percentText(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

const checked: readonly { readonly name: string; readonly layout: Layout }[] = [
  { name: '2 copies', layout: { k: 1, shards: 2, sites: 2 } },
  { name: '4+2 on 6 sites', layout: { k: 4, shards: 6, sites: 6 } },
  { name: '6+6 on 4 sites', layout: { k: 6, shards: 12, sites: 4 } },
];

/** The chain against the simulation, which shares no code with it beyond the numbers that go in. */
function agreement({ seed, isQuick }: { seed: number; isQuick: boolean }) {
  const prng = new Prng(seed);
  return checked.flatMap(({ name, layout }) =>
    [1, 24, 48, 240, 720].map((hours) => {
      const hazards = hazardsOf(environments.B, hours);
      const chain = annualLoss(layout, hazards);
      const played = simulateLoss(layout, hazards, {
        prng: prng.fork(),
        cycles: isQuick ? 3_000 : 200_000,
      });
      return {
        layout: name,
        environment: 'B',
        repair_hours: hours,
        markov_annual_loss: chain,
        simulated_annual_loss: played.annualLoss,
        low_99_9: played.low,
        high_99_9: played.high,
        agree: chain >= played.low && chain <= played.high,
      };
    }),
  );
}

function agreementChart(checks: ReturnType<typeof agreement>): Result {
  const lines = checked.flatMap(({ name }, colour): Line[] => {
    const own = checks.filter(({ layout }) => layout === name);
    const chain = own.map((row) => ({ x: row.repair_hours, y: row.markov_annual_loss }));
    const played = own.map((row) => ({
      x: row.repair_hours,
      y: row.simulated_annual_loss,
      low: row.low_99_9,
      high: row.high_99_9,
    }));
    return [
      { name: `${name}: Markov chain`, points: chain, look: 'dashed', colour },
      { name: `${name}: simulation, 99.9 % interval`, points: played, look: 'points', colour },
    ];
  });
  return chartFile('agreement.svg', {
    title: 'Two independent ways to the same number',
    subtitle: 'Environment B (host 10 %, site 1 % a year)',
    x: {
      label: 'time until a loss is repaired',
      scale: 'log',
      ticks: [1, 24, 48, 240, 720],
      tick: (value) => (value < 24 ? `${value} h` : `${value / 24} d`),
    },
    y: { label: 'annual loss of one pack', scale: 'log', tick: (value) => value.toExponential(0) },
    lines,
  });
}
