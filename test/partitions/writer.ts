import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../src/core/errors.ts';
import { pause } from '../support/cluster.ts';
import type { Fleet } from './fleet.ts';
import { answered } from './watch.ts';

const restMs = 4_000;
const backupTimeoutMs = 60_000;

/** One backup that was asked for. */
export type Write = {
  readonly beganMs: number;
  readonly endedMs: number;
  readonly outcome: 'written' | 'refused' | 'failed';
  readonly reason: string;
};

/** Whoever does not know that a plan is under way: changes files at the old holder and backs them up, again and again. */
export class Writer implements AsyncDisposable {
  readonly #fleet: Fleet;
  readonly #host: string;
  readonly #dataset: string;
  readonly #source: string;
  readonly #writes: Write[] = [];
  #loop: Promise<void> | undefined;
  #isOver = false;
  #count = 0;

  constructor(fleet: Fleet, where: { host: string; dataset: string; source: string }) {
    this.#fleet = fleet;
    this.#host = where.host;
    this.#dataset = where.dataset;
    this.#source = where.source;
  }

  get writes(): readonly Write[] {
    return this.#writes;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      if (this.#fleet.isRunning(this.#host)) this.#writes.push(await this.write());
      await pause(restMs);
    }
  }

  /** One backup, now. */
  async write(): Promise<Write> {
    const beganMs = Date.now();
    writeFileSync(join(this.#source, 'written'), `${this.#dataset} ${this.#count++}\n`);
    const end = (outcome: Write['outcome'], reason: string): Write => ({
      ...{ beganMs, endedMs: Date.now(), outcome, reason },
    });
    try {
      await answered(backUp(this.#fleet, this.#host, this.#dataset, this.#source), backupTimeoutMs);
      return end('written', '');
    } catch (error) {
      const outcome = codeOf(error) === 'not-permitted' ? 'refused' : 'failed';
      return end(outcome, error instanceof Error ? error.message : String(error));
    }
  }

  /** The backup that is under way ends, or is given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#loop;
  }
}

/** What `holdfast backup` does. @throws HoldfastError */
export async function backUp(
  fleet: Fleet,
  host: string,
  dataset: string,
  source: string,
): Promise<void> {
  const none = { tags: [], exclude: [], iexclude: [], excludeIfPresent: [] };
  const flags = { excludeCaches: false, oneFileSystem: false, dryRun: false, force: false };
  const paths = [Buffer.from(source).toString('base64')];
  for await (const _ of fleet.api(host).backup({ ...none, ...flags, dataset, paths }));
}
