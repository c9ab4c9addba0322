import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { changeMadeUp, writeMadeUp } from '../../../adapters/sandbox/made-up-files.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { DatasetShape } from '../../../core/policy/data-shape.ts';
import type { DrillReport } from '../../../core/policy/drill-report.ts';
import { type MadeUpTree, madeUpTree } from '../../../core/policy/made-up-tree.ts';
import type { SandboxRequest } from '../../drill-types.ts';
import { SandboxNetwork } from './sandbox-network.ts';
import { type Ended, type SandboxSite, SiteProcesses } from './site-processes.ts';

export const sandboxDataset = 'made-up';

const filesMax = 4000;

/** A cluster of this machine with made-up data that is backed up twice: what a scenario then does its worst to. */
export class Sandbox implements AsyncDisposable {
  readonly sites: readonly SandboxSite[];
  readonly processes: SiteProcesses;
  readonly network: SandboxNetwork;
  readonly tree: MadeUpTree;
  /** Where the made-up files lie. */
  readonly treePath: string;
  readonly root: string;

  private constructor(parts: {
    sites: readonly SandboxSite[];
    processes: SiteProcesses;
    network: SandboxNetwork;
    tree: MadeUpTree;
    root: string;
  }) {
    const { sites, processes, network, tree, root } = parts;
    this.sites = sites;
    this.processes = processes;
    this.network = network;
    this.tree = tree;
    this.root = root;
    this.treePath = join(root, 'data');
  }

  static async open(
    { shape, bytesMax, sites: count }: SandboxRequest,
    { root, signal }: { root: string; signal: AbortSignal },
  ): Promise<Sandbox> {
    const sites = Array.from({ length: count }, (_, i) => ({
      name: `site-${i + 1}`,
      region: `region-${1 + (i % 3)}`,
    }));
    const network = await SandboxNetwork.open(sites.map(({ name }) => name));
    const processes = new SiteProcesses({
      ...{ root, signal },
      listenOf: (site) => network.listenOf(site),
      configOf: (site) => ({
        storage: { reserve: '64MiB' },
        log: { level: 'warn' },
        threads: 1,
        announce: [network.addressOf(site)],
        dashboard: { enabled: false },
      }),
    });
    network.serve(processes);
    const tree = madeUpTree(shape, { bytesMax, filesMax }, Math.random);
    return new Sandbox({ sites, processes, network, tree, root });
  }

  /** Holds the operator's key; never the source, whose host an attacker may have. */
  get founder(): string {
    return this.#site(0);
  }

  get source(): string {
    return this.#site(1);
  }

  /** The sites but the source, the founder first. */
  get others(): string[] {
    return this.sites.map(({ name }) => name).filter((name) => name !== this.source);
  }

  #site(i: number): string {
    const site = this.sites[i];
    if (site === undefined) throw new HoldfastError('failed', 'a sandbox needs two sites at least');
    return site.name;
  }

  async form(surviveSites: number): Promise<void> {
    const [first, ...rest] = this.sites;
    if (first === undefined) return;
    const survive = ['--survive-sites', String(surviveSites)];
    await this.processes.form([first, ...rest], {
      founding: ['--cluster', 'sandbox', ...survive],
    });
  }

  /** A first snapshot, and a second one after as much change as is usual. */
  async backUpTwice({ changedPermille }: DatasetShape): Promise<void> {
    mkdirSync(this.treePath, { mode: 0o700 });
    writeMadeUp(this.treePath, this.tree.files);
    await this.backUp();
    const every = Math.max(1, Math.round(1000 / Math.max(10, changedPermille)));
    changeMadeUp(
      this.treePath,
      this.tree.files.filter((_, i) => i % every === 0),
    );
    await this.backUp();
  }

  /** @throws HoldfastError when it is not committed */
  async backUp(): Promise<void> {
    await this.processes.quiet(this.source, this.backupCommand);
  }

  get backupCommand(): string[] {
    return ['backup', '--dataset', sandboxDataset, this.treePath, '--json'];
  }

  /** Everything that the member at a site can say of the dataset is so. */
  async restorableAt(site: string): Promise<boolean> {
    const { datasets } = await this.processes.api(site).status();
    return datasets.some(
      ({ name, restorable }) => name === sandboxDataset && restorable?.isRestorableNow === true,
    );
  }

  /** Whether this member cannot reach any of those. */
  async isApart(site: string, from: readonly string[]): Promise<boolean> {
    const peers = await this.processes.api(site).peers();
    return from.every((name) =>
      peers.some((peer) => peer.name === name && peer.state === 'unreachable'),
    );
  }

  /**
   * Restores on a machine that knows nothing but what is given, reads everything back, and compares it with the
   * made-up files. @returns its report, which nobody has signed
   */
  async rehearse(
    through: string,
    options: { open?: readonly string[]; snapshot?: string; path?: string } = {},
  ): Promise<DrillReport> {
    const { open = ['--kit', this.processes.kit], snapshot = 'latest', path } = options;
    const scenario =
      path === undefined ? ['dataset', sandboxDataset] : ['file', `${sandboxDataset}:${path}`];
    const compare = path === undefined ? ['--compare', this.treePath] : [];
    const ended = await this.processes.run('blank', [
      ...['drill', 'run', ...scenario, ...open, '--peer', this.network.addressOf(through)],
      ...['--snapshot', snapshot, ...compare, '--json'],
    ]);
    return reportIn(ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.processes[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
  }
}

/** @throws HoldfastError when the command ended without one */
function reportIn({ code, output, lines }: Ended): DrillReport {
  const summary = lines.findLast((line) => line.message_type === 'summary');
  if (summary?.report !== undefined) return camelCased(summary.report) as DrillReport;
  const told = lines.findLast((line) => typeof line.message === 'string');
  const words = typeof told?.message === 'string' ? told.message : output.trim().slice(-500);
  throw new HoldfastError('drill-failed', `the restore ended with code ${code}: ${words}`);
}

/** The fields as the program itself names them: `--json` writes them with underscores. */
function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      camelCased(inner),
    ]),
  );
}
