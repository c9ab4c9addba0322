import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cluster, messages, type Site } from '../support/cluster.ts';
import { Cluster as RealCluster } from '../support/cluster.ts';
import type { Contender, Restored, Result } from './contender.ts';
import { type Measured, measure } from './measure.ts';

const launcher = fileURLToPath(new URL('../../src/cli/launcher.mjs', import.meta.url));

export type HoldfastOptions = {
  readonly sites: number;
  readonly surviveSites: number;
  readonly signal: AbortSignal;
};

/** Agents of one or several sites on this machine, driven by the command line as a person would. */
export class Holdfast implements Contender {
  readonly name = 'holdfast';
  readonly #options: HoldfastOptions;
  readonly #cluster: Cluster = new RealCluster();
  readonly #sites: Site[];

  constructor(options: HoldfastOptions) {
    this.#options = options;
    this.#sites = Array.from({ length: options.sites }, (_, i) => ({
      name: `site${i + 1}`,
      region: `region${i % 3}`,
    }));
    // Threads as on a host of its own.
    for (const { name } of this.#sites) this.#cluster.configs[name] = { threads: undefined };
  }

  get #source(): string {
    return (this.#sites[0] as Site).name;
  }

  async init(): Promise<void> {
    const { sites, surviveSites } = this.#options;
    if (sites > 1) return this.#cluster.form(this.#sites, { surviveSites });
    await this.#cluster.found(this.#sites[0] as Site, { surviveSites });
    await this.#cluster.start(this.#source);
  }

  /** As if these sites had burnt down. */
  async lose(count: number): Promise<void> {
    for (const { name } of this.#sites.slice(-count)) await this.#cluster.kill(name);
  }

  /** @param codes that are no failure, beside 0 */
  #run(args: readonly string[], codes: readonly number[] = []): Promise<Measured> {
    return measure({
      command: process.execPath,
      args: [launcher, ...args, '--json', '-s', this.#cluster.state(this.#source)],
      daemons: this.#cluster.running.map((name) => this.#cluster.pid(name)),
      codes,
      signal: this.#options.signal,
    });
  }

  async backup(paths: readonly string[]): Promise<Result> {
    const result = await this.#run(['backup', ...paths, '--dataset', 'bench']);
    const summary = messages(result.out).find((one) => one.message_type === 'summary') ?? {};
    const delay = summary.loop_delay_p99_ms;
    return {
      ...result,
      bytesAdded: Number(summary.data_added),
      ...(typeof delay === 'number' && { loopDelayMs: delay }),
    };
  }

  async restore(target: string, onlyFile?: string): Promise<Restored> {
    const what = onlyFile === undefined ? 'latest' : `latest:${onlyFile}`;
    const result = await this.#run(['restore', what, '-t', target, '--kit', this.#cluster.kit]);
    const placeOf = (path: string): string =>
      onlyFile === undefined ? join(target, path) : join(target, basename(path));
    return { ...result, placeOf };
  }

  check(): Promise<Result> {
    return this.#run(['check', '--read-data']);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cluster[Symbol.asyncDispose]();
  }
}
