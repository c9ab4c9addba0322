import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../support/cluster.ts';
import { settledLeader } from './failover-time.ts';
import type { Fleet } from './fleet.ts';
import { fleetHosts } from './hosts.ts';
import { SeededRandom } from './seeded-random.ts';
import { templateMark } from './template-mark.ts';
import { backUp } from './writer.ts';

/** Datasets of each host: enough for a block of rounds. */
const datasetsEach = 5;

/** A dataset that a host has backed up, and that nobody has moved yet. */
export type FreshDataset = {
  readonly name: string;
  /** Its files, which its writer may change. */
  readonly source: string;
  /** As they were backed up. */
  readonly pristine: string;
  /** What they are called in the snapshot. */
  readonly pathThere: string;
};

/**
 * A cluster with datasets, stopped and copied: every fleet begins with a copy of its disks, since forming it
 * anew and backing up takes longer than the rounds do. The networks of fleets do not meet.
 */
export class Template {
  readonly #directory: string;
  readonly #taken = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async make(fleet: Fleet): Promise<void> {
    rmSync(this.#directory, { recursive: true, force: true });
    await fleet.form(fleetHosts, { surviveSites: 2 });
    await settledLeader(fleet);
    const names = fleetHosts.flatMap(({ name: host }) =>
      Array.from({ length: datasetsEach }, (_, i) => ({ host, name: `${host}-data-${i}` })),
    );
    for (const { host, name } of names) {
      const source = join(fleet.root, 'sources', name);
      writeSome(source, new SeededRandom(names.findIndex((one) => one.name === name)));
      await backUp(fleet, host, name, source);
    }
    for (const { host, name } of names) await untilAnchored(fleet, host, name);
    await Promise.all(fleetHosts.map(({ name }) => fleet.stop(name)));
    cpSync(fleet.root, this.#directory, { recursive: true });
    writeFileSync(templateMark(this.#directory), fleet.root);
  }

  /** Starts a fleet with its disks. */
  async start(fleet: Fleet): Promise<void> {
    cpSync(this.#directory, fleet.root, { recursive: true });
    await Promise.all(fleetHosts.map(({ name }) => fleet.start(name)));
    await fleet.untilConnected(fleetHosts);
  }

  /** One that no round of this fleet has had. */
  take(fleet: Fleet, host: string): FreshDataset {
    const count = this.#taken.get(host) ?? 0;
    if (count >= datasetsEach) throw new Error(`no dataset of ${host} is left`);
    this.#taken.set(host, count + 1);
    const name = `${host}-data-${count}`;
    const within = (root: string): string => join(root, 'sources', name);
    const madeAt = readFileSync(templateMark(this.#directory), 'utf8');
    const places = { source: within(fleet.root), pristine: within(this.#directory) };
    return { name, ...places, pathThere: within(madeAt) };
  }
}

function writeSome(directory: string, random: SeededRandom): void {
  mkdirSync(join(directory, 'below'), { recursive: true });
  for (let i = random.between(3, 10); i > 0; i--) {
    const bytes = Buffer.alloc(random.between(0, 60_000));
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = random.between(0, 255);
    writeFileSync(join(directory, i % 2 === 0 ? '.' : 'below', `file-${i}`), bytes);
  }
}

/** A plan can name its newest snapshot. */
async function untilAnchored(fleet: Fleet, host: string, dataset: string): Promise<void> {
  let problem = '';
  const isAnchored = async (): Promise<boolean> => {
    const draft = { target: { site: host }, datasets: [dataset] };
    const resolved = fleet.api(host).resolvePlan({ draft });
    return resolved.then(
      () => true,
      (error: unknown) => {
        problem = String(error);
        return false;
      },
    );
  };
  await until(`${dataset} is anchored`, 180_000, isAnchored).catch((error: unknown) => {
    throw new Error(problem, { cause: error });
  });
}
