import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Cluster, messages, type Site, until } from '../support/cluster.ts';
import type { Contender, Restored, Result } from './contender.ts';
import { type Measured, measure } from './measure.ts';
import { sizeOf } from './restic.ts';

const launcher = fileURLToPath(new URL('../../src/cli/launcher.mjs', import.meta.url));

/** Exit code of a backup that some site does not hold in full yet. */
const belowPolicy = 22;
const deliveryMs = 600_000;

export type HoldfastOptions = {
  readonly sites: number;
  readonly surviveSites: number;
  readonly signal: AbortSignal;
};

/** Agents of one or several sites on this machine, driven by the command line as a person would. */
export class Holdfast implements Contender {
  readonly name = 'holdfast';
  readonly #options: HoldfastOptions;
  readonly #cluster = new Cluster();
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
    const result = await this.#run(['backup', ...paths, '--dataset', 'bench'], [belowPolicy]);
    // A site that was slow gets its shards later; the work is not done before.
    const waitedS = await this.#untilDelivered();
    const summary = messages(result.out).find((one) => one.message_type === 'summary') ?? {};
    const delay = summary.loop_delay_p99_ms;
    return {
      ...result,
      seconds: result.seconds + waitedS,
      bytesAdded: Number(summary.data_added),
      ...(typeof delay === 'number' && { loopDelayMs: delay }),
    };
  }

  async #untilDelivered(): Promise<number> {
    const outbox = join(this.#cluster.state(this.#source), 'outbox');
    const started = performance.now();
    await until('all shards are delivered', deliveryMs, async () => sizeOf(outbox) === 0);
    return (performance.now() - started) / 1000;
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
