import type { ChildProcess, StdioOptions } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentApi, PeerReport, SnapshotReport } from '../../src/agent/api.ts';
import { connectControl } from '../../src/agent/control-client.ts';
import type { Bent } from './bent-agent.ts';
import { end, hasEnded, startHoldfast, startNode } from './child-process.ts';
import { scratchDirectory } from './scratch-directory.ts';

/** How a command ended and what it wrote. */
export type Outcome = {
  readonly command: string;
  readonly code: number;
  readonly out: string;
  readonly err: string;
};

/** One message of `--json` output. */
export type Message = Readonly<Record<string, unknown>>;

export type Site = { readonly name: string; readonly region: string };

export const fiveSites: readonly Site[] = [
  { name: 'ams1', region: 'eu' },
  { name: 'fra1', region: 'eu' },
  { name: 'nyc1', region: 'us' },
  { name: 'sfo1', region: 'us' },
  { name: 'sin1', region: 'asia' },
];

export const threeSites: readonly Site[] = fiveSites.filter(({ name }) =>
  ['ams1', 'nyc1', 'sin1'].includes(name),
);

/** How a cluster comes to be: with more options of `init`, and of each `invite`. */
export type Forming = {
  readonly surviveSites: number;
  readonly founding?: readonly string[];
  readonly inviting?: readonly string[];
};

const bentAgent = fileURLToPath(new URL('bent-agent.ts', import.meta.url));
/** A port that is free. */
const listenAnywhere = '127.0.0.1:0';

/**
 * Agents of several sites as processes on this host, driven by the command line. The first site founds the
 * cluster. Everything is below one directory; disposing ends every process and removes it.
 */
export class Cluster implements AsyncDisposable {
  readonly #scratch = scratchDirectory();
  readonly #agents = new Map<string, ChildProcess>();
  readonly #commands = new Set<ChildProcess>();
  /** What agents find in their configuration beside the usual; to be set before they are made. */
  readonly configs: Record<string, object> = {};
  /** How long a command, or the start of an agent, may take: a busy machine needs more. */
  patienceMs = 240_000;
  /** Where they listen, if it matters; to be set before they are made. */
  readonly listens: Record<string, string> = {};

  get root(): string {
    return this.#scratch.path;
  }

  get kit(): string {
    return join(this.root, 'recovery-kit.txt');
  }

  /** Sites whose agents run. */
  get running(): string[] {
    return [...this.#agents.keys()];
  }

  /** Of the agent that runs there. */
  pid(site: string): number {
    return this.#agents.get(site)?.pid ?? 0;
  }

  state(site: string): string {
    return join(this.root, site);
  }

  api(site: string): AgentApi {
    return connectControl(join(this.state(site), 'control.sock'));
  }

  /** Founds the cluster, lets all others join, and waits until everybody is connected with everybody. */
  async form(sites: readonly Site[], options: Forming): Promise<void> {
    const [founder, ...others] = sites as [Site, ...Site[]];
    await this.found(founder, options);
    await this.start(founder.name);
    const joined: Promise<void>[] = [];
    // One invite after the other, since each has its place in the operator's sequence.
    for (const site of others) {
      const file = await this.invite(site, {
        through: founder.name,
        ...(options.inviting === undefined ? {} : { options: options.inviting }),
      });
      joined.push(this.join(site.name, file).then(() => this.start(site.name)));
    }
    await Promise.all(joined);
    await this.untilConnected();
  }

  async found({ name, region }: Site, options: Forming): Promise<void> {
    this.prepare(name);
    const who = ['--site', name, '--region', region, '--name', name, '--cluster', 'test'];
    const policy = ['--survive-sites', String(options.surviveSites)];
    const kit = ['--kit', this.kit];
    await this.expect(
      0,
      ['init', ...who, ...policy, ...(options.founding ?? []), ...kit, ...this.#listen(name)],
      name,
    );
  }

  /** A state directory with a configuration that asks for little of the disk. */
  prepare(name: string): void {
    mkdirSync(this.state(name), { mode: 0o700, recursive: true });
    const config = { storage: { reserve: '64MiB' }, threads: 1, ...this.configs[name] };
    writeFileSync(join(this.state(name), 'config.json'), JSON.stringify(config));
  }

  /** @returns the file that holds the code. */
  async invite(
    { name, region }: Site,
    { through, options = [] }: { through: string; options?: readonly string[] },
  ): Promise<string> {
    const command = ['invite', '--site', name, '--region', region, '--json', ...options];
    const { out } = await this.expect(0, command, through);
    const code = messages(out).find((message) => 'code' in message)?.code;
    const file = join(this.root, `${name}.code`);
    writeFileSync(file, String(code), { mode: 0o600 });
    return file;
  }

  /** Makes a state directory and redeems an invite with it. */
  async join(name: string, codeFile: string, code = 0): Promise<Outcome> {
    this.prepare(name);
    const who = ['--code-file', codeFile, '--name', name];
    return this.expect(code, ['join', ...who, ...this.#listen(name)], name);
  }

  #listen(name: string): string[] {
    return ['--listen', this.listens[name] ?? listenAnywhere];
  }

  /** Starts an agent and waits until it answers. `bent`: not quite the shipped one. */
  async start(site: string, bent?: Bent): Promise<void> {
    const log = openSync(this.#logFile(site), 'a');
    const args = ['agent', '-s', this.state(site)];
    const stdio: StdioOptions = ['ignore', 'ignore', log];
    const child =
      bent === undefined
        ? startHoldfast(args, { stdio })
        : startNode([bentAgent, ...args], { stdio, env: { BENT: bent } });
    closeSync(log);
    this.#agents.set(site, child);
    await until(`the agent of ${site} answers`, this.patienceMs, async () => {
      if (hasEnded(child)) throw new Error(`the agent of ${site} ended: ${this.log(site)}`);
      return (
        (await this.api(site)
          .identity()
          .catch(() => undefined)) !== undefined
      );
    });
  }

  #logFile(site: string): string {
    return join(this.root, `${site}.log`);
  }

  /** What an agent has logged since the cluster was made. */
  log(site: string): string {
    return readFileSync(this.#logFile(site), 'utf8');
  }

  /** As a power failure of the host would, but for what the kernel still writes. */
  async kill(site: string): Promise<void> {
    await this.#end(site, 'SIGKILL');
  }

  /** Asks it to stop in order. @returns its exit code. */
  stop(site: string): Promise<number | undefined> {
    return this.#end(site, 'SIGTERM');
  }

  async #end(site: string, signal: NodeJS.Signals): Promise<number | undefined> {
    const child = this.#agents.get(site);
    this.#agents.delete(site);
    return child === undefined ? undefined : end(child, signal);
  }

  /** Every running agent is connected with every other that runs. */
  async untilConnected(): Promise<void> {
    const names = this.running;
    await until(`${names.join(', ')} are connected`, this.patienceMs, async () => {
      const seen = await Promise.all(names.map((name) => this.api(name).peers()));
      return seen.every((peers) => names.every((name) => isConnected(peers, name)));
    });
  }

  /** Runs a command to its end. Without a site it knows no state directory. */
  run(
    args: readonly string[],
    site?: string,
    options: { signal?: AbortSignal } = {},
  ): Promise<Outcome> {
    const state = this.state(site ?? 'no state directory');
    const command = [...args, '-s', state];
    const child = startHoldfast(command, { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.root });
    this.#commands.add(child);
    const onAbort = (): void => void child.kill('SIGKILL');
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(onAbort, this.patienceMs);
    const text = { out: '', err: '' };
    child.stdout?.setEncoding('utf8').on('data', (part: string) => (text.out += part));
    child.stderr?.setEncoding('utf8').on('data', (part: string) => (text.err += part));
    return new Promise((done, fail) => {
      child.once('error', fail);
      child.once('close', (code) => {
        clearTimeout(timer);
        this.#commands.delete(child);
        done({ command: `holdfast ${args.join(' ')}`, code: code ?? -1, ...text });
      });
    });
  }

  /** Runs a command, which must end with this code. */
  async expect(code: number, args: readonly string[], site?: string): Promise<Outcome> {
    const outcome = await this.run(args, site);
    if (outcome.code === code) return outcome;
    throw new Error(`${told(outcome)}\n(code ${code} was expected)`);
  }

  /** Backs up. @returns the summary. */
  async backup(site: string, paths: readonly string[], code = 0): Promise<Message> {
    const outcome = await this.expect(code, ['backup', ...paths, '--json'], site);
    return summaryOf(outcome);
  }

  /** Options with which a command needs nothing of this host: the kit, and one member's address. */
  async recovery(site: string): Promise<string[]> {
    const [address] = (await this.api(site).identity()).addresses;
    return ['--kit', this.kit, '--peer', String(address)];
  }

  /** Restores a snapshot with the kit through one member, into a new directory. */
  async restore(snapshot: string, target: string, through: string): Promise<Outcome> {
    const recovery = await this.recovery(through);
    return this.run(['restore', snapshot, '-t', target, '--json', ...recovery]);
  }

  snapshots(site: string): Promise<SnapshotReport[]> {
    return this.api(site).snapshots({});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const children = [...this.#agents.values(), ...this.#commands];
    await Promise.all(children.map((child) => end(child, 'SIGKILL')));
    await this.#scratch[Symbol.asyncDispose]();
  }
}

function isConnected(peers: readonly PeerReport[], name: string): boolean {
  return peers.some((peer) => peer.name === name && peer.state !== 'unreachable');
}

/** The lines of `--json` output; a list is one line. */
export function messages(text: string): Message[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Message);
}

export function summaryOf(outcome: Outcome): Message {
  const summary = messages(outcome.out).find((message) => message.message_type === 'summary');
  if (summary === undefined) throw new Error(told(outcome));
  return summary;
}

/** An outcome for a reader. */
export function told({ command, code, out, err }: Outcome): string {
  return `${command} ended with code ${code}\n${out}${err}`;
}

/** Asks until it is so. */
export async function until(
  what: string,
  withinMs: number,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await pause(100);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resume) => {
    setTimeout(resume, ms);
  });
}
