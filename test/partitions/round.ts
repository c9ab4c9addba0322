import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PlanDraft, PlanReport } from '../../src/agent/plan-types.ts';
import { pause } from '../support/cluster.ts';
import type { Fleet } from './fleet.ts';
import { Holder } from './holder.ts';
import { insist } from './insist.ts';
import { Moments } from './moments.ts';
import { calm, type Network } from './network.ts';
import type { Operator } from './operator.ts';
import type { Aim, Cell, Scheme } from './scheme.ts';
import { SeededRandom } from './seeded-random.ts';
import type { FreshDataset } from './template.ts';
import { type Failover, Trouble } from './trouble.ts';
import { answered, type Watch } from './watch.ts';

/** From the end of all trouble until the plan has ended. */
const settleTimeoutMs = 150_000;
/** Aims wait so long for their moment amid other trouble; then everything is mended. */
const troubleMaxMs = 12_000;
/** One for want of evidence, one for what kills have broken. */
const resumesMax = 3;

export type RoundReport = {
  readonly seed: number;
  readonly network: Scheme['network'];
  readonly weather: Scheme['weather'];
  readonly way: Scheme['way'];
  readonly from: string;
  readonly to: string;
  readonly aims: readonly Aim[];
  /** Cells that kills have really hit. */
  readonly hits: readonly Cell[];
  readonly shapes: readonly string[];
  readonly failovers: readonly Failover[];
  readonly told: readonly string[];
  readonly state: string;
  readonly resumes: number;
  readonly details: readonly string[];
  /** Backups of the old holder: before it was off, and after. */
  readonly writes: {
    readonly written: number;
    readonly refused: number;
    readonly failed: number;
    readonly why: readonly string[];
  };
  readonly settledMs: number;
  readonly tookMs: number;
  readonly hookRuns: number;
  readonly problems: readonly string[];
};

export type RoundTools = {
  readonly fleet: Fleet;
  readonly watch: Watch;
  readonly operator: Operator;
  readonly network: Network;
};

/** One dataset goes from one site to another by a plan while trouble is made. */
export class Round {
  readonly #tools: RoundTools;
  readonly #scheme: Scheme;
  readonly #trouble: Trouble;
  readonly #holder: Holder;
  readonly #problems: string[] = [];
  readonly #dataset: FreshDataset;
  #resumes = 0;
  #lastSilence = '';

  constructor(tools: RoundTools, scheme: Scheme, dataset: FreshDataset) {
    this.#tools = tools;
    this.#scheme = scheme;
    const random = new SeededRandom(~scheme.seed);
    this.#dataset = dataset;
    this.#trouble = new Trouble({ ...tools, random }, scheme.to.name);
    const { name, source } = dataset;
    const trouble = this.#trouble;
    this.#holder = new Holder({
      ...tools,
      trouble,
      scheme,
      dataset: name,
      source,
      random,
    });
  }

  /** What has happened so far, in words. */
  get told(): readonly string[] {
    return this.#trouble.told;
  }

  get #directory(): string {
    return join(this.#tools.fleet.root, `round-${this.#scheme.seed}`);
  }

  async run(): Promise<RoundReport> {
    const startMs = performance.now();
    this.#trouble.begin();
    const { network } = this.#tools;
    network.weather(this.#scheme.weather);
    mkdirSync(this.#directory);
    await this.#holder.meet();
    const { operator } = this.#tools;
    const { hash } = await operator.beginForSure(this.#scheme.to.name, this.#draft());
    await using _ = this.#holder.beginWriting();
    using moments = new Moments(this.#tools.fleet, this.#tools.watch, {
      ...{ hash, dataset: await this.#holder.datasetId(), target: this.#scheme.to.name },
    });
    this.#trouble.tell('the plan is submitted');
    const off = this.#holder.switchOff(this.#problems);
    const shots = this.#scheme.aims.map((aim) => this.#trouble.shoot(aim, moments));
    await this.#makeTrouble(moments);
    await Promise.race([Promise.all(shots), this.#ended(hash), pause(troubleMaxMs)]);
    this.#trouble.mendNetwork();
    this.#trouble.tell('the network is mended');
    await off;
    const { report, settledMs } = await this.#settle(hash, moments);
    moments[Symbol.dispose]();
    this.#trouble.tell(`the plan is ${report.state}`);
    await Promise.all(shots);
    await this.#trouble.allRun();
    network.weather(calm);
    await this.#checkEnd(report);
    const hookRuns = this.#checkHook(hash);
    rmSync(this.#directory, { recursive: true, force: true });
    return { ...this.#report(report), settledMs, hookRuns, tookMs: since(startMs) };
  }

  #report({ state, steps }: PlanReport): Omit<RoundReport, 'settledMs' | 'hookRuns' | 'tookMs'> {
    const { seed, network, weather, way, from, to, aims, partitions } = this.#scheme;
    const { hits, failovers, told } = this.#trouble;
    return {
      ...{ seed, network, weather, way, from: from.name, to: to.name, aims, hits },
      shapes: partitions.map(({ shape }) => shape),
      ...{ failovers, told, state, resumes: this.#resumes, writes: this.#holder.counts },
      details: steps.map((step) => [step.id, step.state, step.attempt, step.detail].join(' ')),
      problems: this.#problems,
    };
  }

  #draft(): PlanDraft {
    const { to, seed, checkMs, hookMs } = this.#scheme;
    const { name: dataset, pathThere: path } = this.#dataset;
    const line = '"$HOLDFAST_RUN $HOLDFAST_STEP $HOLDFAST_ATTEMPT"';
    const hook = `echo ${line} >> ${this.#hookFile}; sleep ${hookMs / 1000}`;
    return {
      name: `round-${seed}`,
      target: { site: to.name },
      datasets: [{ name: dataset, path }],
      steps: [
        {
          ...{ id: 'restore', kind: 'restore', dataset },
          ...{ to: join(this.#directory, 'restored'), timeoutMs: 60_000, attempts: 6 },
        },
        {
          ...{ id: 'check', kind: 'check', after: ['restore'], timeoutMs: 20_000, attempts: 4 },
          probe: { kind: 'command', argv: ['/bin/sh', '-c', `sleep ${checkMs / 1000}`] },
        },
        {
          ...{ id: 'hook', kind: 'hook', after: ['check'], timeoutMs: 20_000, attempts: 3 },
          argv: ['/bin/sh', '-c', hook],
        },
        {
          ...{ id: 'promote', kind: 'promote', dataset, after: ['hook'] },
          ...{ timeoutMs: 20_000, attempts: 4 },
        },
      ],
    };
  }

  get #hookFile(): string {
    return join(this.#directory, 'hook.txt');
  }

  async #makeTrouble(moments: Moments): Promise<void> {
    const { partitions, pause: stillness } = this.#scheme;
    const partitioned = async (): Promise<void> => {
      for (const partition of partitions) await this.#trouble.partition(partition, moments);
    };
    const stoodStill = async (): Promise<void> => {
      if (stillness === undefined) return;
      await pause(stillness.afterMs);
      await this.#trouble.standStill(stillness.host.name, stillness.forMs);
    };
    await Promise.all([partitioned(), stoodStill()]);
  }

  async #ended(hash: string): Promise<void> {
    for (;;) {
      const report = await this.#planOf(hash);
      if (report !== undefined && isSettled(report)) return;
      await pause(300);
    }
  }

  /** Waits until the plan has ended. One that stopped for a decision goes on when its cause is mended. */
  async #settle(
    hash: string,
    moments: Moments,
  ): Promise<{ report: PlanReport; settledMs: number }> {
    const healedMs = performance.now();
    for (;;) {
      const report = await this.#planOf(hash);
      if (report !== undefined) moments.hear(report);
      if (report !== undefined && isSettled(report)) {
        const mayResume = this.#scheme.way !== 'nothing' && this.#resumes < resumesMax;
        if (report.state !== 'escalated' || !mayResume)
          return { report, settledMs: since(healedMs) };
        this.#resumes += 1;
        await this.#resume(report);
      }
      if (since(healedMs) > settleTimeoutMs) {
        if (report === undefined) throw new Error(`nobody tells of ${hash}; ${this.#lastSilence}`);
        this.#problems.push(`the plan did not end: ${JSON.stringify(report)}`);
        return { report, settledMs: since(healedMs) };
      }
      await pause(150);
    }
  }

  async #resume(report: PlanReport): Promise<void> {
    const { operator } = this.#tools;
    this.#trouble.tell(`resumed after: ${reasonsOf(report)}`);
    // Its kills are over by now, or still to come: the agent that is asked must run.
    const problem = await insist(async () => {
      const { outcome, reason = '' } = await operator.decide(this.#someone(), report, 'resume');
      return outcome === 'applied' || /the run is/.test(reason);
    });
    if (problem !== undefined) this.#problems.push(`could not resume: ${problem}`);
  }

  #someone(): string {
    const names = this.#tools.fleet.awake.map(({ name }) => name);
    const others = names.filter((name) => name !== this.#scheme.from.name);
    return others.find((name) => name === this.#tools.watch.leader) ?? others[0] ?? names[0] ?? '';
  }

  async #planOf(hash: string): Promise<PlanReport | undefined> {
    const { fleet } = this.#tools;
    const name = this.#someone();
    return answered(fleet.api(name).plan(hash)).catch((error: unknown) => {
      this.#lastSilence = `${name}: ${String(error)}`;
      return undefined;
    });
  }

  async #checkEnd(report: PlanReport): Promise<void> {
    const { operator, fleet, watch } = this.#tools;
    const { way } = this.#scheme;
    if (report.state === 'escalated') {
      if (way !== 'nothing') this.#problems.push(`it was escalated: ${reasonsOf(report)}`);
      if (reasonsOf(report) === '') this.#problems.push('it was escalated without a reason');
      const problem = await insist(async () => {
        const { outcome, reason = '' } = await operator.decide(this.#someone(), report, 'cancel');
        return outcome === 'applied' || /the run is cancelled/.test(reason);
      });
      if (problem !== undefined) this.#problems.push(`could not cancel: ${problem}`);
    } else if (report.state !== 'done') this.#problems.push(`the plan ended ${report.state}`);
    if (report.state === 'done') await this.#compare();
    this.#problems.push(...(await this.#holder.checkEnd(report.state === 'done')));
    this.#problems.push(...watch.takeContradictions(), ...fleet.crashes.splice(0));
  }

  async #compare(): Promise<void> {
    const pair = [this.#dataset.pristine, join(this.#directory, 'restored')];
    try {
      await promisify(execFile)('diff', ['-r', ...pair]);
    } catch (error) {
      this.#problems.push(`the restored files differ: ${String(error)}`);
    }
  }

  /** Each attempt at the hook left at most one line. @returns how many there were */
  #checkHook(hash: string): number {
    if (!existsSync(this.#hookFile)) return 0;
    const lines = readFileSync(this.#hookFile, 'utf8').trim().split('\n');
    const once = new Set(lines);
    if (once.size !== lines.length) {
      this.#problems.push(`a hook of plan ${hash.slice(0, 8)} ran twice: ${lines.join(', ')}`);
    }
    return lines.length;
  }
}

function since(startMs: number): number {
  return Math.round(performance.now() - startMs);
}

function isSettled({ state }: PlanReport): boolean {
  return ['done', 'failed', 'cancelled', 'escalated'].includes(state);
}

function reasonsOf({ steps }: PlanReport): string {
  return steps
    .filter(({ state }) => state === 'failed' || state === 'escalated')
    .map(({ id, detail }) => `${id}: ${detail}`)
    .join('; ');
}
