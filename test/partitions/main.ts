import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { missedCells, summaryOf } from './coverage.ts';
import { runInside } from './namespaces.ts';
import { ReportFile } from './report-file.ts';
import { blockSize, networkOf } from './scheme.ts';
import { isTemplateMade } from './template-mark.ts';

const usage = `npm run partitions -- [--rounds N] [--seed N] [--scenario NAME] [--out DIR]
  Real agents in network namespaces: partitions, kills, pauses. Needs root, iproute2, nftables and ethtool:
  apt-get update && apt-get install -y iproute2 nftables ethtool

  --rounds N       restore plans that are carried out amid trouble (default: 24; 200 hit every cell)
  --seed N         of the first round; the next has the next number (default: 1)
  --scenario NAME  failover (how fast another leads), rounds, summary (of what DIR has), or all (default)
  --kills N        leaders killed by "failover" (default: 30)
  --fleets N       clusters of five agents side by side (default: 2)
  --minutes N      no round begins after this long (default: 120)
  --out DIR        reports, one a line in rounds.jsonl, and the agents' logs of rounds that failed. Rounds
                   that this build has already played there are not played again.
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    rounds: { type: 'string', default: `${blockSize}` },
    seed: { type: 'string', default: '1' },
    scenario: { type: 'string', default: 'all' },
    kills: { type: 'string', default: '30' },
    fleets: { type: 'string', default: '2' },
    minutes: { type: 'string', default: '120' },
    out: { type: 'string' },
  },
});
/** Fewer rounds cannot be expected to hit every cell. */
const completeRounds = 200;
/** Exit code after Ctrl-C. */
const interrupted = 130;

const inside = new URL('./inside.ts', import.meta.url);
const build = buildName();
const startMs = Date.now();

/** @returns an exit code */
async function main(): Promise<number> {
  const out = new ReportFile(values.out ?? mkdtempSync(join(tmpdir(), 'holdfast-partitions-')));
  const { scenario } = values;
  const common = ['--build', build, '--out', out.directory];
  if (scenario === 'all' || scenario === 'failover') {
    const code = await runInside(inside, [...common, '--kills', values.kills]);
    if (code !== 0) return code;
  }
  if (scenario === 'all' || scenario === 'rounds') {
    const code = await playAll(out, common);
    if (code !== 0) return code;
  }
  if (scenario === 'failover') return 0;
  const reports = out.read().filter((one) => scenario === 'summary' || one.build === build);
  console.log(`\n${summaryOf(reports)}\nreports: ${out.directory}/rounds.jsonl`);
  const missed = missedCells(reports);
  const isComplete = missed.length === 0 || reports.length < completeRounds;
  if (!isComplete) {
    const names = missed.map(({ step, moment, victim }) => `${victim} ${moment} ${step}`);
    console.log(`never hit: ${names.join(', ')}`);
  }
  return isComplete && reports.every(({ problems }) => problems.length === 0) ? 0 : 1;
}

/** Seeds of a block go to one fleet after another: what grows with the rounds stays small. */
async function playAll(out: ReportFile, common: readonly string[]): Promise<number> {
  const template = join(out.directory, `template-${build}`);
  common = [...common, '--template', template];
  if (!isTemplateMade(template)) {
    const code = await runInside(inside, common);
    if (code !== 0) return code;
  }
  const played = new Set(out.read().flatMap((one) => (one.build === build ? [one.seed] : [])));
  const first = Number(values.seed);
  const seeds = Array.from({ length: Number(values.rounds) }, (_, i) => first + i);
  const blocks = new Map<number, number[]>();
  for (const seed of seeds.filter((one) => !played.has(one))) {
    const block = Math.floor(seed / blockSize);
    blocks.set(block, [...(blocks.get(block) ?? []), seed]);
  }
  const waiting = [...blocks.values()];
  const endMs = `${startMs + Number(values.minutes) * 60_000}`;
  let worst = 0;
  const playNext = async (): Promise<void> => {
    for (let block = waiting.shift(); block !== undefined; block = waiting.shift()) {
      const kind = networkOf(block[0] ?? 0);
      const args = [...common, '--endMs', endMs, '--network', kind, '--seeds', block.join(',')];
      const code = await runInside(inside, args, kind);
      if (code === interrupted) waiting.length = 0;
      worst = Math.max(worst, code);
    }
  };
  await Promise.all(Array.from({ length: Number(values.fleets) }, playNext));
  return worst;
}

/** The hash of the source tree, so that a change of tests alone does not count as another program. */
function buildName(): string {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const changed = git('status', '--porcelain', '--', 'src').trim() === '' ? '' : '+changes';
    return `${git('rev-parse', '--short', 'HEAD:src').trim()}${changed}`;
  } catch {
    return 'unknown';
  }
}

if (values.help) console.log(usage);
else process.exitCode = await main();
