import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compareTrees } from '../../adapters/fs/compare.ts';
import type { DemoOptions } from '../../cli/backend.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { AgentApi, SnapshotReport } from '../api.ts';
import { connectControl } from '../control-client.ts';
import { dashboardLink } from './dashboard.ts';
import { demoTable } from './demo-table.ts';

const sites = [
  { name: 'ams1', region: 'eu' },
  { name: 'fra1', region: 'eu' },
  { name: 'nyc1', region: 'us' },
  { name: 'sfo1', region: 'us' },
  { name: 'sin1', region: 'asia' },
] as const;

/** The source, and the site that is lost with it. */
const origin = sites[0];
const alsoLost = sites[2];
const survivor = sites[1];

const cli = fileURLToPath(new URL('../../cli/launcher.mjs', import.meta.url));
const checkout = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
const joinedWithinMs = 30_000;

/** Five agents as five processes: back up real files, lose two sites, restore from the others, compare. */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const demo = new Demo(options, signal);
  try {
    await demo.run();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new HoldfastError('interrupted', 'the demo was interrupted', { cause: error });
  } finally {
    await demo.takeDown();
  }
}

class Demo {
  readonly #options: DemoOptions;
  readonly #signal: AbortSignal;
  readonly #root = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
  readonly #agents = new Map<string, ChildProcess>();
  readonly #paths: string[];
  readonly #documents: string;
  readonly #kit: string;

  constructor(options: DemoOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#kit = join(this.#root, 'recovery-kit.txt');
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
    const lostMs = Date.now();
    this.#say(
      `\nLosing two sites without warning (SIGKILL, disks gone): ${origin.name}, the source, and ${alsoLost.name}`,
    );
    for (const site of [origin, alsoLost]) await this.#lose(site.name);
    const restored = await this.#restore();
    const compared = await this.#compare(restored.target);
    const rpoMs = lostMs - second.timeMs;
    const measures = { first, second, stored, restoreMs: restored.ms, rpoMs, compared };
    this.#say(demoTable(measures));
    if (this.#options.once) return;
    await this.#stayUp();
  }

  state(site: string): string {
    return join(this.#root, site);
  }

  #api(site: string): AgentApi {
    return connectControl(join(this.state(site), 'control.sock'));
  }

  async #formCluster(): Promise<void> {
    const config = join(this.#root, 'config.json');
    writeFileSync(
      config,
      JSON.stringify({ storage: { reserve: '512MiB' }, log: { level: 'warn' } }),
    );
    for (const site of sites) {
      mkdirSync(this.state(site.name), { mode: 0o700 });
      writeFileSync(join(this.state(site.name), 'config.json'), readFileSync(config));
    }
    const listen = ['--listen', '127.0.0.1:0'];
    await this.#quiet(origin.name, [
      'init',
      ...['--site', origin.name, '--region', origin.region, '--name', origin.name],
      ...['--cluster', 'demo', '--survive-sites', '2', '--kit', this.#kit, ...listen],
    ]);
    await this.#startAgent(origin.name);
    for (const site of sites.slice(1)) {
      const where = ['--site', site.name, '--region', site.region];
      const code = await this.#quiet(origin.name, ['invite', ...where, '--json']);
      const file = join(this.#root, `${site.name}.code`);
      writeFileSync(file, codeIn(code), { mode: 0o600 });
      await this.#quiet(site.name, ['join', '--code-file', file, '--name', site.name, ...listen]);
      await this.#startAgent(site.name);
    }
    await this.#untilConnected();
    await this.#holdfast(origin.name, ['peer', 'list']);
  }

  async #startAgent(site: string): Promise<void> {
    // Its log has lines for machines: whoever wants them finds them beside its state.
    const logFile = join(this.#root, `${site}.log`);
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(process.execPath, [cli, 'agent', '-s', this.state(site)], {
      stdio: ['ignore', 'ignore', log],
      env: environment(this.#root),
    });
    closeSync(log);
    this.#agents.set(site, child);
    await this.#until(async () => {
      if (child.exitCode !== null) {
        const words = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
        throw new HoldfastError(
          'failed',
          `the agent of ${site} ended with code ${child.exitCode}:\n${words}`,
        );
      }
      return (
        (await this.#api(site)
          .identity()
          .catch(() => undefined)) !== undefined
      );
    });
  }

  /** Of a site that stays: the page can be watched while others are lost. */
  async #sayDashboard(): Promise<void> {
    const stateDir = this.state(survivor.name);
    const { link } = await dashboardLink({ stateDir }, this.#api(survivor.name));
    this.#say(
      `\nDashboard of ${survivor.name}: open this link in a browser, and watch what follows:\n  ${link}`,
    );
  }

  async #untilConnected(): Promise<void> {
    await this.#until(async () => {
      const peers = await this.#api(origin.name).peers();
      return peers.length === sites.length && peers.every((peer) => peer.state !== 'unreachable');
    });
  }

  async #until(isDone: () => Promise<boolean>): Promise<void> {
    const endMs = Date.now() + joinedWithinMs;
    while (!(await isDone())) {
      this.#signal.throwIfAborted();
      if (Date.now() > endMs)
        throw new HoldfastError('timeout', 'the demo cluster did not form in time');
      await new Promise((resume) => setTimeout(resume, 50));
    }
  }

  /** Runs a command as a person would, its output for the person. */
  async #holdfast(site: string, command: readonly string[], allowed = [0]): Promise<void> {
    this.#say(`\n$ holdfast ${command.join(' ')} -s ${this.state(site)}`);
    const code = await this.#spawn(site, command, 'inherit').code;
    if (!allowed.includes(code)) {
      throw new HoldfastError('failed', `holdfast ${command[0]} ended with code ${code}`);
    }
  }

  async #quiet(site: string, command: readonly string[]): Promise<string> {
    const child = this.#spawn(site, command, 'pipe');
    const code = await child.code;
    if (code === 0) return child.output();
    throw new HoldfastError(
      'failed',
      `holdfast ${command[0]} ended with code ${code}:\n${child.output()}`,
    );
  }

  #spawn(
    site: string,
    command: readonly string[],
    output: 'inherit' | 'pipe',
  ): { code: Promise<number>; output: () => string } {
    const child = spawn(process.execPath, [cli, ...command, '-s', this.state(site)], {
      stdio: ['ignore', output, output],
      env: environment(this.#root),
      signal: this.#signal,
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        text += data.toString();
      });
    }
    const code = new Promise<number>((done, fail) => {
      child.once('error', fail);
      child.once('close', (status, killer) => done(status ?? (killer === null ? 1 : 130)));
    });
    return { code, output: () => text };
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
    const snapshots = await this.#api(origin.name).snapshots({});
    const newest = snapshots.at(-1);
    if (newest?.state !== 'committed')
      throw new HoldfastError('not-committed', 'the demo backup is not committed');
    return newest;
  }

  async #storedBytes(): Promise<{ site: string; bytes: number }[]> {
    const stored: { site: string; bytes: number }[] = [];
    for (const site of sites) {
      const self = (await this.#api(site.name).peers()).find((peer) => peer.state === 'self');
      stored.push({ site: site.name, bytes: self?.shardBytes ?? 0 });
    }
    return stored;
  }

  async #lose(site: string): Promise<void> {
    const child = this.#agents.get(site);
    this.#agents.delete(site);
    if (child !== undefined) await killed(child);
    rmSync(this.state(site), { recursive: true, force: true });
  }

  async #restore(): Promise<{ target: string; ms: number }> {
    const target = join(this.#root, 'restored');
    const address = (await this.#api(survivor.name).identity()).addresses[0] ?? '';
    this.#say(
      `\nRestoring on a machine that knows nothing: the kit, and the address of ${survivor.name}`,
    );
    const startMs = performance.now();
    await this.#holdfast('blank', [
      'restore',
      'latest',
      ...['--kit', this.#kit, '--peer', address, '-t', target],
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

  async #stayUp(): Promise<void> {
    this.#say(`\nThe surviving sites stay up. In another terminal:`);
    const holdfast =
      relative(process.cwd(), checkout) === '' ? 'npm run -s holdfast --' : 'holdfast';
    for (const words of ['status', 'peer list', 'snapshots', 'check --read-data']) {
      this.#say(`  ${holdfast} ${words} -s ${this.state(survivor.name)}`);
    }
    await this.#sayDashboard();
    this.#say('Ctrl-C ends the demo and removes its files.');
    if (this.#signal.aborted) return;
    await new Promise<void>((resume) => {
      this.#signal.addEventListener('abort', () => resume(), { once: true });
    });
  }

  async takeDown(): Promise<void> {
    await Promise.all([...this.#agents.values()].map(killed));
    if (this.#options.keep) this.#say(`Kept: ${this.#root}`);
    else rmSync(this.#root, { recursive: true, force: true });
  }
}

/** The checkout, and the Node that runs this where it lies elsewhere. */
function defaultPaths(): string[] {
  const node = dirname(dirname(process.execPath));
  const isInside = !relative(checkout, node).startsWith('..');
  return isInside || node === '/usr' || node === '/' ? [checkout] : [checkout, node];
}

function codeIn(output: string): string {
  for (const line of output.split('\n')) {
    if (!line.startsWith('{')) continue;
    const { code } = JSON.parse(line) as { code?: string };
    if (code !== undefined) return code;
  }
  throw new HoldfastError('failed', 'holdfast invite printed no code');
}

/**
 * Settings of the person's own cluster must not leak into the demo's, and its processes must not write
 * compiled code into the checkout that they back up and compare.
 */
function environment(root: string): NodeJS.ProcessEnv {
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_'));
  return { ...Object.fromEntries(clean), NODE_COMPILE_CACHE: join(root, 'compile-cache') };
}

function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((done) => {
    child.once('exit', () => done());
    child.kill('SIGKILL');
  });
}
