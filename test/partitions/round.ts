import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PlanDraft, PlanReport } from '../../src/agent/plan-types.ts';
import type { AgentKey, DatasetId } from '../../src/core/ids.ts';
import { pause, until } from '../support/cluster.ts';
import { type Fleet, fleetHosts } from './fleet.ts';
import type { Operator } from './operator.ts';
import { SeededRandom } from './seeded-random.ts';
import { Trouble } from './trouble.ts';
import { answered, type Watch } from './watch.ts';

const settleTimeoutMs = 150_000;

/** How the old holder of a dataset comes to be off. */
const ways = ['demote', 'demote', 'demote', 'isolate', 'nothing'] as const;
type Way = (typeof ways)[number];

export type RoundReport = {
  readonly round: number;
  readonly seed: number;
  readonly way: Way;
  readonly from: string;
  readonly to: string;
  readonly told: readonly string[];
  readonly state: string;
  readonly details: readonly string[];
  /** From the end of all trouble until the plan had ended. */
  readonly settledMs: number;
  readonly tookMs: number;
  readonly hookRuns: number;
  readonly problems: readonly string[];
};

export type RoundTools = {
  readonly fleet: Fleet;
  readonly watch: Watch;
  readonly operator: Operator;
};

/** One dataset goes from one site to another by a plan while trouble is made. */
export class Round {
  readonly #tools: RoundTools;
  readonly #round: number;
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #trouble: Trouble;
  readonly #from: string;
  readonly #to: string;
  readonly #way: Way;
  readonly #problems: string[] = [];
  readonly #dataset: string;
  #fromKey = '';

  constructor(tools: RoundTools, round: number, seed: number) {
    this.#tools = tools;
    this.#round = round;
    this.#seed = seed;
    const random = new SeededRandom(seed);
    this.#random = random;
    this.#trouble = new Trouble(tools.fleet, tools.watch, random);
    const [from, to] = random.shuffled(fleetHosts);
    this.#from = from?.name ?? '';
    this.#to = to?.name ?? '';
    this.#way = random.pick(ways);
    this.#dataset = `data-${round}`;
  }

  get #directory(): string {
    return join(this.#tools.fleet.root, `round-${this.#round}`);
  }

  async run(): Promise<RoundReport> {
    const startMs = performance.now();
    this.#fromKey = (await this.#tools.fleet.api(this.#from).identity()).agentKey;
    await this.#backUp();
    const { hash } = await this.#begin();
    const off = this.#switchOff();
    await this.#makeTrouble();
    await this.#trouble.heal();
    const healedMs = performance.now();
    await off;
    const report = await this.#settle(hash);
    const settledMs = performance.now() - healedMs;
    await this.#checkEnd(report);
    const hookRuns = this.#checkHook(hash);
    rmSync(this.#directory, { recursive: true, force: true });
    return {
      ...{ round: this.#round, seed: this.#seed, way: this.#way },
      ...{ from: this.#from, to: this.#to, told: this.#trouble.told },
      state: report.state,
      details: report.steps.map(({ id, state, attempt, detail }) =>
        [id, state, attempt, detail].join(' '),
      ),
      settledMs: Math.round(settledMs),
      tookMs: Math.round(performance.now() - startMs),
      hookRuns,
      problems: this.#problems,
    };
  }

  async #backUp(): Promise<void> {
    const source = join(this.#directory, 'source');
    mkdirSync(join(source, 'below'), { recursive: true });
    for (let i = 0; i < this.#random.between(2, 8); i++) {
      const bytes = Buffer.alloc(this.#random.between(0, 60_000));
      for (let at = 0; at < bytes.length; at += 1) bytes[at] = this.#random.between(0, 255);
      writeFileSync(join(source, i % 2 === 0 ? '.' : 'below', `file-${i}`), bytes);
    }
    const api = this.#tools.fleet.api(this.#from);
    const none = { tags: [], exclude: [], iexclude: [], excludeIfPresent: [] };
    const request = {
      ...{ ...none, excludeCaches: false, oneFileSystem: false, dryRun: false, force: false },
      ...{ dataset: this.#dataset, paths: [Buffer.from(source).toString('base64')] },
    };
    for await (const _ of api.backup(request));
  }

  /** Submits the plan as soon as the control log has anchored the snapshot. */
  async #begin(): Promise<{ hash: string }> {
    const { fleet, operator } = this.#tools;
    const source = join(this.#directory, 'source');
    await until(`${this.#dataset} is anchored`, 60_000, async () => {
      const draft = { target: { site: this.#to }, datasets: [this.#dataset] };
      return fleet
        .api(this.#to)
        .resolvePlan({ draft })
        .then(() => true)
        .catch(() => false);
    });
    const sleep = (): string => (this.#random.between(0, 15) / 10).toFixed(1);
    const line = '"$HOLDFAST_RUN $HOLDFAST_STEP $HOLDFAST_ATTEMPT"';
    const hook = `echo ${line} >> ${this.#hookFile}; sleep ${sleep()}`;
    const draft: PlanDraft = {
      name: `round-${this.#round}`,
      target: { site: this.#to },
      datasets: [{ name: this.#dataset, path: source }],
      steps: [
        {
          ...{ id: 'restore', kind: 'restore', dataset: this.#dataset },
          ...{ to: join(this.#directory, 'restored'), timeoutMs: 60_000, attempts: 6 },
        },
        {
          ...{ id: 'check', kind: 'check', after: ['restore'], timeoutMs: 20_000, attempts: 4 },
          probe: { kind: 'command', argv: ['/bin/sh', '-c', `sleep ${sleep()}`] },
        },
        {
          ...{ id: 'hook', kind: 'hook', after: ['check'], timeoutMs: 20_000, attempts: 3 },
          argv: ['/bin/sh', '-c', hook],
        },
        {
          ...{ id: 'promote', kind: 'promote', dataset: this.#dataset, after: ['hook'] },
          ...{ timeoutMs: 20_000, attempts: 4 },
        },
      ],
    };
    return operator.begin(this.#to, draft);
  }

  get #hookFile(): string {
    return join(this.#directory, 'hook.txt');
  }

  async #makeTrouble(): Promise<void> {
    for (let i = this.#random.between(1, 4); i > 0; i--) {
      await pause(this.#random.between(0, 1_500));
      await this.#trouble.learnLeader();
      await this.#trouble.make(this.#to);
    }
  }

  /** Ends the old holder's right to write, at some moment of the trouble. */
  async #switchOff(): Promise<void> {
    const { fleet, operator, watch } = this.#tools;
    if (this.#way === 'nothing') return;
    await pause(this.#random.between(0, 4_000));
    if (this.#way === 'demote') {
      return this.#insist(async () => {
        const { outcome, reason = '' } = await fleet.api(this.#from).demote({
          dataset: this.#dataset,
        });
        return outcome === 'applied' || /off|not its holder|live at|holds/.test(reason);
      });
    }
    // It is powered off before operators say so; that it comes back later is what fences are for.
    await fleet.kill(this.#from);
    watch.forget(this.#from);
    return this.#insist(async () => {
      const body = {
        kind: 'isolate',
        agent: this.#fromKey as AgentKey,
        dataset: (await this.#datasetId()) as DatasetId,
        reason: 'the power is off',
      } as const;
      return (await operator.submit(this.#someoneElse(), body)).outcome === 'applied';
    });
  }

  async #datasetId(): Promise<string> {
    const datasets = await answered(this.#tools.fleet.api(this.#someoneElse()).datasets());
    const id = datasets.find((one) => one.name === this.#dataset)?.id;
    if (id === undefined) throw new Error(`${this.#dataset} is not known there`);
    return id;
  }

  #someoneElse(): string {
    const others = this.#tools.fleet.awake.filter(({ name }) => name !== this.#from);
    return this.#random.pick(others.length > 0 ? others : fleetHosts).name;
  }

  async #insist(isDone: () => Promise<boolean>): Promise<void> {
    let problem: unknown;
    const endMs = performance.now() + 90_000;
    while (performance.now() < endMs) {
      try {
        if (await answered(isDone(), 20_000)) return;
      } catch (error) {
        problem = error;
      }
      await pause(500);
    }
    this.#problems.push(`could not ${this.#way} ${this.#from} in time: ${String(problem)}`);
  }

  /** Waits until the plan has ended. One that stopped for a decision goes on once, when its cause is mended. */
  async #settle(hash: string): Promise<PlanReport> {
    let isResumed = this.#way === 'nothing';
    const endMs = performance.now() + settleTimeoutMs;
    for (;;) {
      const report = await this.#planOf(hash);
      const isLate = performance.now() > endMs;
      if (report !== undefined && (isSettled(report) || isLate)) {
        if (isLate) {
          this.#problems.push(`the plan did not end: ${JSON.stringify(report)}`);
          return report;
        }
        if (report.state !== 'escalated' || isResumed) return report;
        isResumed = true;
        this.#trouble.told.push(`resumed after: ${reasonsOf(report)}`);
        await this.#insist(async () => {
          const { operator } = this.#tools;
          const { outcome } = await operator.decide(this.#to, report, 'resume');
          return outcome === 'applied';
        });
      }
      if (isLate) throw new Error(`nobody tells of plan ${hash}`);
      await pause(500);
    }
  }

  async #planOf(hash: string): Promise<PlanReport | undefined> {
    const { fleet } = this.#tools;
    return answered(fleet.api(this.#to).plan(hash)).catch(() => undefined);
  }

  async #checkEnd(report: PlanReport): Promise<void> {
    const { fleet, operator, watch } = this.#tools;
    if (report.state === 'escalated') {
      if (this.#way !== 'nothing') this.#problems.push(`it was escalated: ${reasonsOf(report)}`);
      if (reasonsOf(report) === '') this.#problems.push('it was escalated without a reason');
      await this.#insist(async () => {
        const { outcome } = await operator.decide(this.#to, report, 'cancel');
        return outcome === 'applied';
      });
    }
    if (report.state === 'done') {
      if (this.#way === 'nothing') this.#problems.push('promoted although the old copy was live');
      await this.#compare();
    }
    const isAttested = this.#way === 'isolate';
    for (const { dataset, agents } of watch.overlaps) {
      if (dataset !== this.#dataset) continue;
      const told = `${agents.join(' and ')} both held ${dataset} live`;
      // The word of operators stands against that of a host which has not heard of it yet.
      this.#trouble.told.push(told);
      if (!isAttested) this.#problems.push(told);
    }
    this.#problems.push(...watch.takeContradictions());
    this.#problems.push(...fleet.crashes.splice(0));
  }

  async #compare(): Promise<void> {
    const pair = ['source', 'restored'].map((name) => join(this.#directory, name));
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

function isSettled({ state }: PlanReport): boolean {
  return ['done', 'failed', 'cancelled', 'escalated'].includes(state);
}

function reasonsOf({ steps }: PlanReport): string {
  return steps
    .filter(({ state }) => state === 'failed' || state === 'escalated')
    .map(({ id, detail }) => `${id}: ${detail}`)
    .join('; ');
}
