import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorTable, type ErrorCode, HoldfastError } from '../../../core/errors.ts';
import type { AgentApi } from '../../api.ts';
import { connectControl } from '../../control-client.ts';

export type SandboxSite = { readonly name: string; readonly region: string };

export type Ended = { readonly code: number; readonly output: string; readonly lines: Line[] };

/** One message of `--json` output. */
export type Line = Readonly<Record<string, unknown>>;

export type SiteProcessesOptions = {
  /** A directory of its own, which the caller has made and removes. */
  readonly root: string;
  readonly signal: AbortSignal;
  /** What the agent of a site finds in its configuration. */
  readonly configOf: (site: string) => object;
  /** Where it listens. */
  readonly listenOf?: (site: string) => string;
};

const cli = fileURLToPath(new URL('../../../cli/launcher.mjs', import.meta.url));
/** A machine that rehearses a bad day may be busy with one. */
const startWithinMs = 120_000;
const lookAgainMs = 50;
/** Of what a command prints; the last of it says how it ended. */
const outputMax = 4 * 1024 * 1024;

/** Agents of several sites as processes of this machine, driven by the commands that a person would type. */
export class SiteProcesses implements AsyncDisposable {
  readonly #options: SiteProcessesOptions;
  readonly #agents = new Map<string, ChildProcess>();
  readonly #commands = new Set<ChildProcess>();
  #isOver = false;

  constructor(options: SiteProcessesOptions) {
    this.#options = options;
  }

  get kit(): string {
    return join(this.#options.root, 'recovery-kit.txt');
  }

  /** Sites whose agents run. */
  get running(): string[] {
    return [...this.#agents.keys()];
  }

  /** Which site's agent this process is. */
  siteOf(pid: number | undefined): string | undefined {
    return [...this.#agents].find(([, child]) => child.pid === pid)?.[0];
  }

  get pids(): number[] {
    return [...this.#agents.values()].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  state(site: string): string {
    return join(this.#options.root, site);
  }

  api(site: string): AgentApi {
    return connectControl(join(this.state(site), 'control.sock'));
  }

  /** Founds a cluster at the first site, lets the others join, and waits until all are connected. */
  async form(
    sites: readonly [SandboxSite, ...SandboxSite[]],
    { founding }: { founding: readonly string[] },
  ): Promise<void> {
    const [founder, ...others] = sites;
    for (const { name } of sites) this.#prepare(name);
    await this.quiet(founder.name, [
      'init',
      ...['--site', founder.name, '--region', founder.region, '--name', founder.name],
      ...[...founding, '--kit', this.kit, '--listen', this.#listenOf(founder.name)],
    ]);
    await this.start(founder.name);
    const invited: { name: string; codeFile: string }[] = [];
    // One invite after the other: each has its place in the operator's sequence.
    for (const site of others) {
      invited.push({ name: site.name, codeFile: await this.#invite(site, founder.name) });
    }
    // Only then, all at once: a join that fails while nobody awaits it would end the process.
    await Promise.all(invited.map(({ name, codeFile }) => this.#join(name, codeFile)));
    await this.untilConnected(sites.map(({ name }) => name));
  }

  #listenOf(site: string): string {
    return this.#options.listenOf?.(site) ?? '127.0.0.1:0';
  }

  #prepare(site: string): void {
    mkdirSync(this.state(site), { mode: 0o700 });
    const config = JSON.stringify(this.#options.configOf(site));
    writeFileSync(join(this.state(site), 'config.json'), config);
  }

  async #invite({ name, region }: SandboxSite, through: string): Promise<string> {
    const command = ['invite', '--site', name, '--region', region, '--json'];
    const { lines } = await this.quiet(through, command);
    const code = lines.map((line) => line.code).find((one) => typeof one === 'string');
    if (code === undefined) throw new HoldfastError('failed', 'holdfast invite printed no code');
    const file = join(this.#options.root, `${name}.code`);
    writeFileSync(file, code, { mode: 0o600 });
    return file;
  }

  async #join(site: string, codeFile: string): Promise<void> {
    const command = ['join', '--code-file', codeFile, '--name', site];
    await this.quiet(site, [...command, '--listen', this.#listenOf(site)]);
    await this.start(site);
  }

  /** Starts the agent of a site, and waits until it answers. */
  async start(site: string): Promise<void> {
    this.#requireOpen();
    // Its log has lines for machines: whoever wants them finds them beside its state.
    const logFile = join(this.#options.root, `${site}.log`);
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(process.execPath, [cli, 'agent', '-s', this.state(site)], {
      stdio: ['ignore', 'ignore', log],
      env: this.#environment(),
    });
    closeSync(log);
    this.#agents.set(site, child);
    let failure: Error | undefined;
    child.on('error', (error) => {
      failure = error;
    });
    await this.until(`the agent of ${site} answers`, startWithinMs, async () => {
      if (failure !== undefined) {
        const what = `the agent of ${site} did not start: ${failure.message}`;
        throw new HoldfastError('failed', what, { cause: failure });
      }
      if (hasEnded(child)) {
        const words = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
        const how = child.signalCode ?? `code ${child.exitCode}`;
        throw new HoldfastError('failed', `the agent of ${site} ended with ${how}:\n${words}`);
      }
      return (
        (await this.api(site)
          .identity()
          .catch(() => undefined)) !== undefined
      );
    });
  }

  async untilConnected(names: readonly string[]): Promise<void> {
    await this.until('all sites are connected', startWithinMs, async () => {
      const seen = await Promise.all(names.map((name) => this.api(name).peers()));
      return seen.every((peers) =>
        names.every((name) =>
          peers.some((peer) => peer.name === name && peer.state !== 'unreachable'),
        ),
      );
    });
  }

  /** Asks until it is so. @returns how long that took @throws HoldfastError timeout */
  async until(what: string, withinMs: number, isSo: () => Promise<boolean>): Promise<number> {
    const startMs = performance.now();
    while (!(await isSo())) {
      this.#options.signal.throwIfAborted();
      if (performance.now() - startMs > withinMs) {
        throw new HoldfastError('timeout', `not within ${withinMs / 1000} s: ${what}`);
      }
      await new Promise((resume) => setTimeout(resume, lookAgainMs));
    }
    return performance.now() - startMs;
  }

  /** Kills the agent of a site. Its disk stays. */
  async kill(site: string): Promise<void> {
    const child = this.#agents.get(site);
    this.#agents.delete(site);
    if (child !== undefined) await killed(child);
  }

  /** The site burns down: its agent and its disk are gone. */
  async lose(site: string): Promise<void> {
    await this.kill(site);
    rmSync(this.state(site), { recursive: true, force: true });
  }

  /** Runs a command that must succeed. @throws HoldfastError as the command has failed */
  async quiet(site: string, command: readonly string[]): Promise<Ended> {
    const ended = await this.run(site, command);
    if (ended.code === 0) return ended;
    throw failureOf(command, ended);
  }

  /** Runs a command as a person would. `isShown`: its output is for the terminal, and not returned. */
  async run(
    site: string,
    command: readonly string[],
    { isShown = false }: { isShown?: boolean } = {},
  ): Promise<Ended> {
    this.#requireOpen();
    const output = isShown ? 'inherit' : 'pipe';
    const child = spawn(process.execPath, [cli, ...command, '-s', this.state(site)], {
      stdio: ['ignore', output, output],
      env: this.#environment(),
      signal: this.#options.signal,
    });
    this.#commands.add(child);
    // Not when the wait for it is given up: until it has ended, disposal has to kill it.
    child.once('close', () => this.#commands.delete(child));
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        text = (text + data.toString()).slice(-outputMax);
      });
    }
    const code = await new Promise<number>((done, fail) => {
      child.once('error', fail);
      child.once('close', (status, killer) => done(status ?? (killer === null ? 1 : 130)));
    });
    return { code, output: text, lines: linesIn(text) };
  }

  /**
   * Settings of the person's own cluster must not leak into this one, and its processes must not write compiled
   * code into the checkout, which may be what is backed up and compared.
   */
  #environment(): NodeJS.ProcessEnv {
    const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_'));
    const cache = join(this.#options.root, 'compile-cache');
    return { ...Object.fromEntries(clean), NODE_COMPILE_CACHE: cache };
  }

  /** What goes on beside a step that has failed must not start a process that nobody would end. */
  #requireOpen(): void {
    if (this.#isOver) throw new HoldfastError('failed', 'the processes were taken down meanwhile');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#agents.values(), ...this.#commands].map(killed));
    this.#agents.clear();
  }
}

function linesIn(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Line];
      } catch {
        // Output and complaints share the text: a line may be cut by another.
        return [];
      }
    });
}

/** As the command itself has told it, where it spoke JSON. */
function failureOf(command: readonly string[], { code, output, lines }: Ended): HoldfastError {
  const told = lines.findLast((line) => typeof line.code === 'string' && line.code in errorTable);
  const words = typeof told?.message === 'string' ? told.message : output.trim().slice(-2000);
  return new HoldfastError(
    (told?.code as ErrorCode | undefined) ?? 'failed',
    `holdfast ${command[0]} ended with code ${code}: ${words}`,
  );
}

/** Also when it never began: that has no process id. */
function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

function killed(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return Promise.resolve();
  return new Promise((done) => {
    child.once('exit', () => done());
    child.kill('SIGKILL');
  });
}
