import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compareTrees } from '../../adapters/fs/compare.ts';
import type { DemoOptions } from '../../cli/backend.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReport } from '../api.ts';
import type { DrillEntry } from '../drill-types.ts';
import { dashboardLink } from './dashboard.ts';
import { demoTable } from './demo-table.ts';
import { demoWords } from './demo-words.ts';
import { type SandboxSite, SiteProcesses } from './sandbox/site-processes.ts';

const sites = [
  { name: 'ams1', region: 'eu' },
  { name: 'fra1', region: 'eu' },
  { name: 'nyc1', region: 'us' },
  { name: 'sfo1', region: 'us' },
  { name: 'sin1', region: 'asia' },
] as const satisfies readonly SandboxSite[];

/** The source, and the site that is lost with it. */
const origin = sites[0];
const alsoLost = sites[2];
const survivor = sites[1];

/** What a restore must reach here: the drill says whether it does. */
const policy = { datasets: [{ match: '*', objectives: { rpo: '1h', rto: '15m' } }] };

const checkout = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
const missedWithinMs = 60_000;

/** Five agents as five processes: back up real files, rehearse and suffer the loss of two sites, restore, compare. */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
  try {
    await using processes = new SiteProcesses({
      ...{ root, signal },
      configOf: () => ({ storage: { reserve: '512MiB' }, log: { level: 'warn' } }),
    });
    await new Demo({ options, signal, root, processes }).run();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new HoldfastError('interrupted', 'the demo was interrupted', { cause: error });
  } finally {
    if (options.keep) options.print(`Kept: ${root}`);
    else rmSync(root, { recursive: true, force: true });
  }
}

type Parts = {
  readonly options: DemoOptions;
  readonly signal: AbortSignal;
  readonly root: string;
  readonly processes: SiteProcesses;
};

class Demo {
  readonly #options: DemoOptions;
  readonly #signal: AbortSignal;
  readonly #root: string;
  readonly #processes: SiteProcesses;
  readonly #paths: string[];
  readonly #documents: string;

  constructor({ options, signal, root, processes }: Parts) {
    this.#options = options;
    this.#signal = signal;
    this.#root = root;
    this.#processes = processes;
    this.#documents = join(this.#root, 'documents');
    const given = options.paths.length > 0 ? options.paths : defaultPaths();
    this.#paths = [...given.map((path) => resolve(path)), this.#documents];
  }

  #say(text: string): void {
    this.#options.print(text);
  }

  async run(): Promise<void> {
    this.#say(
      `Five sites in three regions, each a process with its own disk space, below ${this.#root}`,
    );
    await this.#formCluster();
    await this.#sayDashboard();
    this.#makeDocuments();
    this.#say(`\nFirst backup at ${origin.name}: ${this.#paths.join(', ')}`);
    const first = await this.#backup();
    const changed = this.#changeDocuments();
    this.#say(`\n${changed} files changed, created or deleted; second backup`);
    const second = await this.#backup();
    await this.#holdfast(origin.name, ['status']);
    const stored = await this.#storedBytes();
    const drill = await this.#drill();
    const lostMs = Date.now();
    this.#say(
      `\nNow for real: losing the two sites without warning (SIGKILL, disks gone): ${origin.name}, the source, and ${alsoLost.name}`,
    );
    for (const site of [origin, alsoLost]) await this.#processes.lose(site.name);
    const restored = await this.#restore();
    const compared = await this.#compare(restored.target);
    const rpoMs = lostMs - second.timeMs;
    const measures = { first, second, stored, drill, restoreMs: restored.ms, rpoMs, compared };
    this.#say(demoTable(measures));
    await this.#sayWhatToDo();
    if (this.#options.once) return;
    await this.#stayUp();
  }

  async #formCluster(): Promise<void> {
    const policyFile = join(this.#root, 'policy.json');
    writeFileSync(policyFile, JSON.stringify(policy));
    const founding = ['--cluster', 'demo', '--survive-sites', '2', '--policy', policyFile];
    await this.#processes.form(sites, { founding });
    await this.#holdfast(origin.name, ['peer', 'list']);
  }

  /** Of a site that stays: the page can be watched while others are lost. */
  async #sayDashboard(): Promise<void> {
    const stateDir = this.#processes.state(survivor.name);
    const { link } = await dashboardLink({ stateDir }, this.#processes.api(survivor.name));
    this.#say(
      `\nDashboard of ${survivor.name}: open this link in a browser, and watch what follows:\n  ${link}`,
    );
  }

  /** Runs a command as a person would, its output for the person. */
  async #holdfast(site: string, command: readonly string[], allowed = [0]): Promise<void> {
    this.#say(`\n$ holdfast ${command.join(' ')} -s ${this.#processes.state(site)}`);
    const { code } = await this.#processes.run(site, command, { isShown: true });
    if (!allowed.includes(code)) {
      throw new HoldfastError('failed', `holdfast ${command[0]} ended with code ${code}`);
    }
  }

  /** A directory that the demo may change, beside the real files that it only reads. */
  #makeDocuments(): void {
    cpSync(join(checkout, 'src'), join(this.#documents, 'src'), { recursive: true });
    for (let i = 0; i < 200; i++) {
      writeFileSync(join(this.#documents, `letter-${i}.txt`), `letter ${i}\n`.repeat(50 + i));
    }
  }

  #changeDocuments(): number {
    let changed = 0;
    for (const name of readdirSync(this.#documents)) {
      if (!name.startsWith('letter-')) continue;
      const number = Number(/\d+/.exec(name)?.[0]);
      const path = join(this.#documents, name);
      if (number % 10 === 0) rmSync(path);
      else if (number % 10 === 1)
        writeFileSync(path, `${readFileSync(path, 'utf8')}a postscript\n`);
      else if (number % 10 === 2) writeFileSync(`${path}.new`, 'a new letter\n');
      else continue;
      changed++;
    }
    return changed;
  }

  async #backup(): Promise<SnapshotReport> {
    // Code 3: a file of a busy machine may change while it is read; it is named, and all others are safe.
    await this.#holdfast(origin.name, ['backup', ...this.#paths], [0, 3]);
    const snapshots = await this.#processes.api(origin.name).snapshots({});
    const newest = snapshots.at(-1);
    if (newest?.state !== 'committed')
      throw new HoldfastError('not-committed', 'the demo backup is not committed');
    return newest;
  }

  async #storedBytes(): Promise<{ site: string; bytes: number }[]> {
    const stored: { site: string; bytes: number }[] = [];
    for (const site of sites) {
      const self = (await this.#processes.api(site.name).peers()).find(
        (peer) => peer.state === 'self',
      );
      stored.push({ site: site.name, bytes: self?.shardBytes ?? 0 });
    }
    return stored;
  }

  /** Rehearses the loss before it happens: restores without the two sites, while all are well. */
  async #drill(): Promise<DrillEntry | undefined> {
    this.#say(
      `\nA drill first: could ${survivor.name} bring the data of ${origin.name} back if ${origin.name} and ${alsoLost.name} were gone? It restores without them, reads everything back, and signs what it has measured`,
    );
    const lost = [origin, alsoLost].flatMap(({ name }) => ['--without', name]);
    const kit = ['--kit', this.#processes.kit];
    await this.#holdfast(survivor.name, [
      'drill',
      'run',
      ...['site-loss', origin.name, ...lost, ...kit],
    ]);
    return (await this.#processes.api(survivor.name).drills()).at(-1);
  }

  async #restore(): Promise<{ target: string; ms: number }> {
    const target = join(this.#root, 'restored');
    const address = (await this.#processes.api(survivor.name).identity()).addresses[0] ?? '';
    this.#say(
      `\nRestoring on a machine that knows nothing: the kit, and the address of ${survivor.name}`,
    );
    const startMs = performance.now();
    await this.#holdfast('blank', [
      'restore',
      'latest',
      ...['--kit', this.#processes.kit, '--peer', address, '-t', target],
    ]);
    return { target, ms: performance.now() - startMs };
  }

  async #compare(target: string): Promise<number> {
    this.#say('\nComparing every byte and all metadata with the originals');
    let compared = 0;
    for (const path of this.#paths) {
      const differences = await compareTrees(path, join(target, relative('/', path)));
      for (const difference of differences.slice(0, 20)) this.#say(`  differs: ${difference}`);
      if (differences.length > 0) {
        throw new HoldfastError('failed', `${differences.length} differences below ${path}`);
      }
      compared++;
    }
    this.#say('Identical.');
    return compared;
  }

  /** What a person sees who looks at the dashboard now. */
  async #sayWhatToDo(): Promise<void> {
    const api = this.#processes.api(survivor.name);
    const lost: readonly string[] = [origin.name, alsoLost.name];
    await this.#processes.until('the survivors miss the lost sites', missedWithinMs, async () =>
      (await api.peers()).every(
        ({ name, state }) => !lost.includes(name) || state === 'unreachable',
      ),
    );
    const [status, peers, proposals] = await Promise.all([
      api.status(),
      api.peers(),
      api.proposals(),
    ]);
    const facts = { status, peers, proposals, nowMs: Date.now() };
    this.#say(demoWords(survivor.name, facts));
  }

  async #stayUp(): Promise<void> {
    this.#say(`\nThe surviving sites stay up. In another terminal:`);
    const holdfast =
      relative(process.cwd(), checkout) === '' ? 'npm run -s holdfast --' : 'holdfast';
    for (const words of ['status', 'peer list', 'snapshots', 'check --read-data']) {
      this.#say(`  ${holdfast} ${words} -s ${this.#processes.state(survivor.name)}`);
    }
    await this.#sayDashboard();
    this.#say('Ctrl-C ends the demo and removes its files.');
    if (this.#signal.aborted) return;
    await new Promise<void>((resume) => {
      this.#signal.addEventListener('abort', () => resume(), { once: true });
    });
  }
}

/** The checkout, and the Node that runs this where it lies elsewhere. */
function defaultPaths(): string[] {
  const node = dirname(dirname(process.execPath));
  const isInside = !relative(checkout, node).startsWith('..');
  return isInside || node === '/usr' || node === '/' ? [checkout] : [checkout, node];
}
