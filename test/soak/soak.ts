import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareTrees } from '../../src/adapters/fs/compare.ts';
import { SeededRandom } from '../partitions/seeded-random.ts';
import { Cluster, fiveSites, pause, told } from '../support/cluster.ts';
import { shardFiles } from '../support/held-shards.ts';
import { writeFiles } from '../support/sample-files.ts';
import { Cables } from './cables.ts';
import { type Fault, type FaultKind, faultKinds } from './fault.ts';
import { inject } from './inject.ts';
import { formPatiently, restorePatiently } from './patience.ts';
import { machineInWords, type SoakReport } from './report.ts';
import {
  damagedAt,
  lostPacks,
  readBack,
  shardsCounted,
  tasksIn,
  trouble,
  watchFor,
} from './watch.ts';

export type SoakOptions = {
  readonly seed: number;
  readonly minutes: number;
  /** Where to keep what the agents have said, at each complaint. */
  readonly logs: string | undefined;
  /** Ends it early, and in order. */
  readonly signal: AbortSignal;
};

const surviveSites = 2;
/** What is not whole by then is a failure, and the soak goes on. */
const mendWithinMs = 600_000;
const siteLostAfter = '30s';
const backupEveryMs = 25_000;
const readBackEveryMs = 10_000;
const restoreEvery = 3;
const lookEveryMs = 1_000;
const source = 'ams1';
const sites = fiveSites.map(({ name }) => name);

/** Real agents on this host under one trouble after the other, while one of them backs up. */
export class Soak implements AsyncDisposable {
  readonly #cluster = new Cluster();
  readonly #cables = new Cables();
  readonly #options: SoakOptions;
  readonly #random: SeededRandom;
  readonly #tree = join(this.#cluster.root, 'source');
  /** Nobody changes what lies here. */
  readonly #steady = join(this.#tree, 'steady');
  /** The cluster runs, and is whole. */
  #startMs = performance.now();
  readonly #faults: Fault[] = [];
  readonly #failures: string[] = [];
  readonly #struck = new Set<string>();
  readonly #counts = {
    backups: 0,
    backupsBelowPolicy: 0,
    backupsInterrupted: 0,
    restores: 0,
    restoresAgain: 0,
  };

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
  }

  #nowMs = (): number => performance.now() - this.#startMs;

  #say(text: string): void {
    console.log(`${(this.#nowMs() / 1000).toFixed(0).padStart(5)} s  ${text}`);
  }

  #fail(text: string): void {
    this.#failures.push(text);
    this.#say(`FAILED: ${text}`);
    const { logs } = this.#options;
    if (logs === undefined) return;
    const to = join(logs, `complaint-${this.#failures.length}`);
    mkdirSync(to, { recursive: true });
    for (const site of sites)
      copyFileSync(join(this.#cluster.root, `${site}.log`), join(to, `${site}.log`));
  }

  async run(): Promise<SoakReport> {
    const { minutes, seed } = this.#options;
    await this.#form();
    this.#startMs = performance.now();
    this.#say(`${sites.length} sites, seed ${seed}, ${minutes} minutes`);
    const stop = new AbortController();
    const { signal } = stop;
    const work = [
      this.#backUpUntil(signal),
      readBack(this.#cluster, { sites, restMs: readBackEveryMs, signal }),
    ];
    while (!this.#options.signal.aborted && this.#nowMs() < minutes * 60_000) {
      await this.#strike();
      if (this.#faults.length % restoreEvery === 0) await this.#restore();
      await pause(this.#random.between(500, 5_000));
    }
    stop.abort();
    await Promise.all(work);
    await this.#lookAtTheEnd();
    return this.#report();
  }

  async #form(): Promise<void> {
    this.#cluster.patienceMs = mendWithinMs;
    mkdirSync(this.#steady, { recursive: true });
    writeFiles(this.#steady, { count: 120, seed: 'soak', sizeMax: 100_000 });
    await this.#cables.lay(this.#cluster, sites);
    await formPatiently(this.#cluster, fiveSites, { surviveSites });
    await this.#cluster.expect(0, ['policy', 'set', '--site-lost-after', siteLostAfter], source);
    // A machine that is busy delivers some of it later: that is waited for.
    await this.#cluster.run(['backup', this.#tree], source);
    const what = await this.#untilWhole();
    if (what !== undefined) this.#fail(`not whole before anything was done to it: ${what}`);
  }

  /** One fault, or two at once at different sites: the policy asks for no more. */
  async #strike(): Promise<void> {
    const [first, second] = this.#random.shuffled(sites) as [string, string];
    const struck = this.#random.chance(0.25) ? [first, second] : [first];
    const faults = struck.map((site) => this.#draw(site));
    for (const { site } of faults) this.#struck.add(site);
    const watching = new AbortController();
    const witness = sites.find((site) => !struck.includes(site)) ?? source;
    const seen = await Promise.all(
      faults.map(async (fault) => {
        const damagedBefore = await damagedAt(this.#cluster, fault.site);
        const tasksBefore = await tasksIn(this.#cluster, witness);
        const { signal } = watching;
        const nowMs = this.#nowMs;
        return { fault, watch: { witness, damagedBefore, tasksBefore, nowMs, signal } };
      }),
    );
    const watches = seen.map(({ fault, watch }) => watchFor(this.#cluster, fault, watch));
    await Promise.all(faults.map((fault) => this.#inject(fault)));
    const isLost = (await lostPacks(this.#cluster, sites)) > 0;
    if (isLost) this.#fail('packs are lost, though no more sites were struck than may fail');
    // What has not been noticed cannot have been made good.
    const what = await this.#untilWhole(async () => {
      for (const fault of faults) if (!(await this.#isNoticed(fault))) return false;
      return true;
    });
    watching.abort();
    await Promise.all(watches);
    for (const fault of faults) this.#settle(fault, what);
    this.#struck.clear();
  }

  /** Whole in the eyes of agents that have not missed everything yet would not mean much. */
  async #isNoticed({ site, detectedMs }: Fault): Promise<boolean> {
    if (detectedMs === undefined) return false;
    const counted = await shardsCounted(this.#cluster, site);
    return counted !== undefined && counted <= shardFiles(this.#cluster.state(site)).length;
  }

  #draw(site: string): Fault {
    const kind = this.#random.pick(faultKinds) as FaultKind;
    const fault: Fault = { kind, site, atMs: this.#nowMs(), detail: '' };
    this.#faults.push(fault);
    return fault;
  }

  async #inject(fault: Fault): Promise<void> {
    const { kind, site } = fault;
    this.#say(`${kind} at ${site}`);
    const injection = { cluster: this.#cluster, cables: this.#cables, random: this.#random };
    await inject(injection, fault);
    if (kind !== 'flip' && kind !== 'wipe') fault.endedMs = this.#nowMs();
  }

  #settle(fault: Fault, what: string | undefined): void {
    const { kind, site, detail, atMs, detectedMs } = fault;
    if (what !== undefined) {
      this.#fail(`${kind} at ${site} (${detail}) was not made good: ${what}`);
      return;
    }
    fault.mendedMs = this.#nowMs();
    const noticed = (((detectedMs ?? atMs) - atMs) / 1000).toFixed(1);
    this.#say(
      `  ${detail}: noticed after ${noticed} s, whole after ${((fault.mendedMs - atMs) / 1000).toFixed(1)} s`,
    );
  }

  /** @returns what is still wrong when time is over. */
  async #untilWhole(
    isNoticed: () => Promise<boolean> = async () => true,
    isEverything = false,
  ): Promise<string | undefined> {
    const endMs = this.#nowMs() + mendWithinMs;
    for (;;) {
      const what = (await isNoticed())
        ? await trouble(this.#cluster, { sites, surviveSites, isEverything })
        : 'nobody has noticed';
      if (what === undefined || this.#nowMs() > endMs) return what;
      await pause(lookEveryMs);
    }
  }

  /** May end short of the policy, or not at all while its own agent is struck. */
  async #backUpUntil(signal: AbortSignal): Promise<void> {
    for (let round = 0; !signal.aborted; round++) {
      const size = 1_000 + ((round * 7_919) % 200_000);
      writeFileSync(join(this.#tree, `moving-${round % 10}`), randomBytes(size));
      const outcome = await this.#cluster.run(['backup', this.#tree, '--json'], source);
      if (outcome.code === 0) this.#counts.backups++;
      else if (outcome.code === 22) this.#counts.backupsBelowPolicy++;
      else if (this.#struck.has(source)) this.#counts.backupsInterrupted++;
      else this.#fail(`a backup failed: ${told(outcome).slice(-400)}`);
      await pause(backupEveryMs);
    }
  }

  async #restore(): Promise<void> {
    const through = this.#random.pick(sites);
    const target = join(this.#cluster.root, `restored-${++this.#counts.restores}`);
    const outcome = await restorePatiently(this.#cluster, {
      ...{ target, through, onAgain: () => this.#counts.restoresAgain++ },
    });
    if (outcome.code !== 0) {
      this.#fail(`restore through ${through}: ${told(outcome).slice(-400)}`);
      return;
    }
    const differences = await compareTrees(this.#steady, join(target, this.#steady));
    if (differences.length > 0) this.#fail(`restored otherwise: ${differences[0]}`);
    rmSync(target, { recursive: true, force: true });
  }

  async #lookAtTheEnd(): Promise<void> {
    const what = await this.#untilWhole(async () => true, true);
    if (what !== undefined) this.#fail(`not whole at the end: ${what}`);
    const last = await this.#cluster.run(['backup', this.#tree, '--json'], source);
    if (last.code !== 0) this.#fail(`the last backup: ${told(last).slice(-600)}`);
    const check = await this.#cluster.run(['check', '--read-data', '--json'], 'fra1');
    if (check.code !== 0) this.#fail(`check --read-data: ${told(check).slice(-600)}`);
    await this.#restore();
    for (const fault of this.#faults) {
      if (fault.detectedMs === undefined)
        this.#fail(`nobody noticed: ${fault.kind} at ${fault.site}`);
    }
  }

  async #report(): Promise<SoakReport> {
    const { seed } = this.#options;
    const [status, snapshots] = await Promise.all([
      this.#cluster.api(source).status(),
      this.#cluster.snapshots(source),
    ]);
    return {
      ...{ seed, sites: sites.length, machine: machineInWords(), ...this.#counts },
      minutes: this.#nowMs() / 60_000,
      snapshots: snapshots.length,
      shards: status.scrub?.storedShards ?? 0,
      faults: this.#faults,
      failures: this.#failures,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster[Symbol.asyncDispose]();
    await this.#cables[Symbol.asyncDispose]();
  }
}
