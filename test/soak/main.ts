import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { Cluster, fiveSites, pause, told } from '../support/cluster.ts';
import { writeFiles } from '../support/sample-files.ts';
import { type Draw, drawFrom, type Fault, type FaultKind, inject } from './faults.ts';

// Real agents under random trouble for some minutes, while one of them backs up: every fault must be noticed and made
// good, no snapshot may be lost, and everything must be whole in the end.

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});
const minutes = Number(values.minutes);
const draw: Draw = drawFrom(Number(values.seed));
const kinds: readonly FaultKind[] = ['flip', 'kill', 'cut', 'wipe'];
const mendMs = 600_000;
const source = 'ams1';
const startMs = performance.now();
const faults: Fault[] = [];
const failures: string[] = [];
let backups = 0;
let restores = 0;

function nowMs(): number {
  return performance.now() - startMs;
}

function say(text: string): void {
  console.log(`${(nowMs() / 1000).toFixed(0).padStart(6)} s  ${text}`);
}

/** What is missing or not known, over all agents; undefined: everything is whole. */
async function trouble(cluster: Cluster): Promise<string | undefined> {
  for (const site of fiveSites.map(({ name }) => name)) {
    const api = cluster.api(site);
    const report = await api.repairs({ isNow: false }).catch(() => undefined);
    if (report === undefined) return `${site} does not answer`;
    if (report.lost.length > 0) return `${site}: ${report.lost.length} packs are lost`;
    if (report.taskCount > 0) return `${site}: ${report.taskCount} shards are to be made`;
    if (report.awaitedPacks > 0) return `${site}: ${report.awaitedPacks} packs are awaited`;
    const { datasets } = await api.status();
    const [dataset] = datasets;
    if ((dataset?.restorable?.sitesMayFail ?? 2) < 2) return `${site}: fewer than 2 more may fail`;
  }
  return undefined;
}

/** Reads everything back that a site holds: its disk says nothing by itself for days. */
async function scrub(cluster: Cluster, site: string): Promise<number> {
  const before = (await cluster.api(site).scrub({ isNow: false })).damaged;
  await cluster.run(['scrub', '--json'], site);
  return (await cluster.api(site).scrub({ isNow: false })).damaged - before;
}

async function strike(cluster: Cluster): Promise<void> {
  const kind = kinds[draw(kinds.length)] as FaultKind;
  const sites = fiveSites.map(({ name }) => name);
  // The source keeps its disk: what a wiped source would do is another test's.
  const site = sites[kind === 'wipe' ? 1 + draw(sites.length - 1) : draw(sites.length)] as string;
  const atMs = nowMs();
  const watching = new AbortController();
  const seen = watch(cluster, site, watching.signal);
  const detail = await inject(cluster, { kind, site }, draw);
  const fault: Fault = { kind, site, detail, atMs };
  faults.push(fault);
  say(`${kind} at ${site}: ${detail}`);
  if (kind === 'flip') {
    if ((await scrub(cluster, site)) > 0) fault.detectedMs = nowMs();
  }
  await untilWhole(cluster, fault);
  watching.abort();
  const seenMs = await seen;
  if (seenMs !== undefined) fault.detectedMs ??= seenMs;
  say(`  whole again after ${(((fault.mendedMs ?? 0) - atMs) / 1000).toFixed(0)} s`);
}

/** When another site first knew that something was wrong. */
async function watch(
  cluster: Cluster,
  victim: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const other = fiveSites.map(({ name }) => name).find((name) => name !== victim) ?? source;
  while (!signal.aborted) {
    const [peers, repairs] = await Promise.all([
      cluster
        .api(other)
        .peers()
        .catch(() => []),
      cluster
        .api(other)
        .repairs({ isNow: false })
        .catch(() => undefined),
    ]);
    const isAway = peers.some(({ name, state }) => name === victim && state === 'unreachable');
    if (isAway || (repairs?.taskCount ?? 0) > 0) return nowMs();
    await pause(300);
  }
  return undefined;
}

async function untilWhole(cluster: Cluster, fault: Fault): Promise<void> {
  const endMs = nowMs() + mendMs;
  let what = await trouble(cluster);
  while (what !== undefined) {
    if (nowMs() > endMs) {
      failures.push(`${fault.kind} at ${fault.site} was not made good: ${what}`);
      return;
    }
    await pause(500);
    what = await trouble(cluster);
  }
  fault.mendedMs = nowMs();
}

/** Backs up and restores while the trouble goes on; a backup may fail while its own agent is down, a restore may not. */
async function work(cluster: Cluster, tree: string, signal: AbortSignal): Promise<void> {
  for (let round = 1; !signal.aborted; round++) {
    writeFileSync(join(tree, `round-${round % 20}`), `${round}\n`.repeat(2000 + draw(20_000)));
    const outcome = await cluster.run(['backup', tree, '--json'], source);
    if (outcome.code === 0) backups++;
    await pause(20_000);
  }
}

async function restoreAll(cluster: Cluster, tree: string): Promise<void> {
  const target = join(cluster.root, `restored-${++restores}`);
  const outcome = await cluster.restore('latest', target, 'nyc1');
  if (outcome.code !== 0) failures.push(`the restore failed: ${told(outcome).slice(0, 300)}`);
  const differences = await compareTrees(tree, join(target, tree));
  if (differences.length > 0) failures.push(`${differences.length} files differ after the restore`);
}

function row(fault: Fault): string[] {
  const span = (ms: number | undefined): string =>
    ms === undefined ? '-' : `${((ms - fault.atMs) / 1000).toFixed(1)} s`;
  const at = `${(fault.atMs / 60_000).toFixed(1)} min`;
  return [at, fault.kind, fault.site, span(fault.detectedMs), span(fault.mendedMs), fault.detail];
}

async function main(): Promise<void> {
  await using cluster = new Cluster();
  const tree = join(cluster.root, 'source');
  mkdirSync(tree);
  writeFiles(tree, { count: 200, seed: 'soak', sizeMax: 100_000 });
  await cluster.form(fiveSites, { surviveSites: 2 });
  await cluster.backup(source, [tree]);
  say(`five sites, seed ${values.seed}, ${minutes} minutes`);
  const stop = new AbortController();
  const working = work(cluster, tree, stop.signal);
  while (nowMs() < minutes * 60_000) {
    await strike(cluster);
    await pause(1000 + draw(5000));
  }
  stop.abort();
  await working;
  const last = await cluster.run(['backup', tree, '--json'], source);
  if (last.code !== 0) failures.push(`the last backup failed: ${told(last).slice(0, 300)}`);
  const end: Fault = { kind: 'kill', site: 'none', detail: 'the end', atMs: nowMs() };
  await untilWhole(cluster, end);
  for (const { name } of fiveSites) {
    const damaged = await scrub(cluster, name);
    if (damaged > 0) failures.push(`${name} still had ${damaged} damaged shards`);
  }
  await restoreAll(cluster, tree);
  report();
}

function report(): void {
  console.log('\nAT        FAULT  SITE   NOTICED    WHOLE      WHAT');
  for (const fault of faults) {
    const [at, kind, site, noticed, whole, what] = row(fault) as [
      ...[string, string, string, string, string, string],
    ];
    console.log(
      `${at.padEnd(9)} ${kind.padEnd(6)} ${site.padEnd(6)} ${noticed.padEnd(10)} ${whole.padEnd(10)} ${what}`,
    );
  }
  const unseen = faults.filter(
    ({ kind, detectedMs }) => kind !== 'kill' && detectedMs === undefined,
  );
  if (unseen.length > 0) failures.push(`${unseen.length} faults were noticed by nobody`);
  console.log(
    `\n${(nowMs() / 60_000).toFixed(1)} minutes, ${faults.length} faults, ${backups} backups, ${restores} restores compared`,
  );
  for (const failure of failures) console.log(`FAILED: ${failure}`);
  console.log(failures.length === 0 ? 'Whole at the end.' : 'NOT whole.');
  process.exitCode = failures.length === 0 ? 0 : 1;
}

await main();
