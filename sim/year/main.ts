import { dayMs, hourMs } from '../../src/base/units.ts';
import { commitId } from '../raft/mutants-build.ts';
import { yearMutants } from './mutants.ts';
import { huntYear } from './mutants-hunt.ts';
import { profiles, ratesOf, type YearRates } from './rates.ts';
import { runYear, type YearRun } from './run.ts';
import type { Harm } from './watch.ts';

export type YearArguments = {
  readonly seed: number;
  /** Minutes; undefined: one year. */
  readonly swarm: number | undefined;
  readonly profile: string;
  readonly times: number;
  readonly isHunt: boolean;
};

/** `npm run sim -- --year`. @returns whether nothing was lost, and all of it was mended */
export async function yearMain(options: YearArguments): Promise<boolean> {
  const { seed, swarm, profile, times } = options;
  if (options.isHunt) return huntAll(seed);
  const rates = ratesOf(profile, times);
  if (rates === undefined) {
    console.error(`no such profile: ${profile}; there are ${Object.keys(profiles).join(', ')}`);
    return false;
  }
  console.log(`profile ${profile}, data is lost ${times} times as often: ${ratesInWords(rates)}`);
  if (swarm === undefined) return play(seed, rates);
  const endMs = Date.now() + swarm * 60_000;
  const failed: number[] = [];
  let next = seed;
  for (; Date.now() < endMs; next++) if (!(await play(next, rates))) failed.push(next);
  console.log(`${next - seed} years from seed ${seed}; failed: ${failed.join(' ') || 'none'}`);
  return failed.length === 0;
}

function ratesInWords({ disk, site, rot, down, partition }: YearRates): string {
  const percent = (rate: number): string => `${Math.round(rate * 1000) / 10} %`;
  return `of a host in a year: disk lost ${percent(disk)}, site lost ${percent(site)}, rot ${percent(rot)}, ${down} outages; ${partition} partitions`;
}

async function play(seed: number, rates: YearRates): Promise<boolean> {
  const started = performance.now();
  const onDay = (day: number): void => {
    if (day % 10 !== 0) return;
    console.error(
      `year ${seed}: day ${day}, ${Math.round((performance.now() - started) / 1000)} s`,
    );
  };
  const run = await runYear(seed, { rates, onDay });
  for (const line of report(run)) console.log(line);
  const { violation } = run;
  if (violation === undefined) {
    console.log(`year ${seed}: no loss, all whole`);
    return true;
  }
  const { rule, atMs, text } = violation;
  console.log(`year ${seed}: VIOLATION of ${rule} on day ${Math.floor(atMs / dayMs)}: ${text}`);
  console.log(`commit ${commitId()}`);
  return false;
}

function report({ harms, counts, ...run }: YearRun): string[] {
  const { packsKept, packsRead, snapshots, shardsMade, spareMin, shortMsMax, wholeShare } = run;
  const lines = ['fault | befell | found | mended | found within | whole again within'];
  for (const kind of ['disk', 'site', 'rot'] as const) {
    const some = harms.filter((one) => one.kind === kind);
    const found = some.flatMap(({ atMs, foundMs }) =>
      foundMs === undefined ? [] : foundMs - atMs,
    );
    const mended = some.flatMap(({ atMs, mendedMs }: Harm) =>
      mendedMs === undefined ? [] : mendedMs - atMs,
    );
    const row = [kind, some.length, found.length, mended.length, span(found), span(mended)];
    lines.push(row.join(' | '));
  }
  lines.push(
    `${counts.down} outages and ${counts.partition} partitions; ${snapshots} snapshots; ${shardsMade} shards made anew`,
    `fewest shards to spare at any time: ${spareMin}; longest below full redundancy: ${days(shortMsMax)}; whole ${(100 * wholeShare).toFixed(2)} % of the time`,
    `${packsRead} of ${packsKept} packs read back from the disks and compared`,
  );
  return lines;
}

function span(ms: readonly number[]): string {
  return ms.length === 0 ? '-' : days(Math.max(...ms));
}

function days(ms: number): string {
  return ms < dayMs ? `${Math.ceil(ms / hourMs)} h` : `${(ms / dayMs).toFixed(1)} d`;
}

/** A table of all deliberate bugs. @returns whether each was found */
async function huntAll(firstSeed: number): Promise<boolean> {
  let missed = 0;
  console.log('a host that | found by | years (of at most)');
  for (const mutant of yearMutants) {
    const { years, violation } = await huntYear(mutant, { firstSeed });
    if (violation === undefined) missed++;
    const found = violation?.rule ?? 'NOT FOUND';
    console.log(`${mutant.name} | ${found} | ${years} (${mutant.yearsMax})`);
  }
  console.log(`${yearMutants.length} mutants, ${missed} not found`);
  return missed === 0;
}
