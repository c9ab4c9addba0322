import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentApi } from '../../src/agent/api.ts';
import { connectControl } from '../../src/agent/control-client.ts';
import { end, hasEnded } from '../support/child-process.ts';
import { until } from '../support/cluster.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { fleetHosts, type Host } from './hosts.ts';
import { addressOf } from './namespaces.ts';

const launcher = fileURLToPath(new URL('../../src/cli/launcher.mjs', import.meta.url));
const startTimeoutMs = 60_000;
const commandTimeoutMs = 120_000;

export type Outcome = {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Both, as a terminal would show them. */
  readonly said: string;
};

/** Real agents, each in a network namespace; their control sockets are reached through the file system. */
export class Fleet implements AsyncDisposable {
  readonly #scratch = scratchDirectory();
  readonly #prefix: string;
  readonly #agents = new Map<string, ChildProcess>();
  readonly #commands = new Set<ChildProcess>();
  readonly #paused = new Set<string>();
  /** Agents that ended without being told to, in words. */
  readonly crashes: string[] = [];

  /** `prefix`: of the namespaces' names. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get root(): string {
    return this.#scratch.path;
  }

  get kit(): string {
    return join(this.root, 'recovery-kit.txt');
  }

  /** Hosts whose agents run and are not paused. */
  get awake(): Host[] {
    return fleetHosts.filter(({ name }) => this.isRunning(name) && !this.#paused.has(name));
  }

  state(name: string): string {
    return join(this.root, name);
  }

  api(name: string): AgentApi {
    return connectControl(join(this.state(name), 'control.sock'));
  }

  isRunning(name: string): boolean {
    return this.#agents.has(name);
  }

  log(name: string): string {
    return readFileSync(join(this.root, `${name}.log`), 'utf8');
  }

  /** Founds a cluster on the first of the hosts, lets the others join, waits until all see all. */
  async form(
    hosts: readonly Host[],
    options: { surviveSites: number; roles?: ReadonlyMap<string, readonly string[]> },
  ): Promise<void> {
    const [founder, ...others] = hosts as [Host, ...Host[]];
    this.prepare(founder);
    const who = ['--site', founder.name, '--region', founder.region, '--name', founder.name];
    const policy = ['--cluster', 'test', '--survive-sites', String(options.surviveSites)];
    const kit = ['--kit', this.kit, '--listen', `${addressOf(founder.index)}:7420`];
    await this.expect(founder.name, ['init', ...who, ...policy, ...kit]);
    await this.start(founder.name);
    for (const host of others) {
      const roles = options.roles?.get(host.name) ?? [];
      await this.invite(founder.name, host, roles);
      await this.join(host);
      await this.start(host.name);
    }
    await this.untilConnected(hosts);
  }

  async invite(through: string, host: Host, roles: readonly string[] = []): Promise<void> {
    const asked = roles.length === 0 ? [] : ['--role', ...roles];
    const { name, region } = host;
    const { out } = await this.expect(through, [
      'invite',
      '--site',
      name,
      '--region',
      region,
      ...asked,
    ]);
    writeFileSync(this.codeFile(name), out, { mode: 0o600 });
  }

  codeFile(name: string): string {
    return join(this.root, `${name}.code`);
  }

  async join(host: Host): Promise<void> {
    this.prepare(host);
    const listen = ['--listen', `${addressOf(host.index)}:7420`];
    const code = ['--code-file', this.codeFile(host.name)];
    await this.expect(host.name, ['join', ...code, '--name', host.name, ...listen]);
  }

  /** A state directory with a configuration that asks for little of the disk. */
  prepare({ name }: Host): void {
    mkdirSync(this.state(name), { mode: 0o700, recursive: true });
    const config = { storage: { reserve: '64MiB' }, threads: 1 };
    writeFileSync(join(this.state(name), 'config.json'), JSON.stringify(config));
  }

  async untilConnected(hosts: readonly Host[]): Promise<void> {
    await until('all are connected', startTimeoutMs, async () => {
      const seen = await Promise.all(hosts.map(({ name }) => this.api(name).peers()));
      return seen.every((peers) =>
        hosts.every(({ name }) =>
          peers.some((peer) => peer.name === name && peer.state !== 'unreachable'),
        ),
      );
    });
  }

  /** Starts an agent and waits until it answers. */
  async start(name: string): Promise<void> {
    const log = openSync(join(this.root, `${name}.log`), 'a');
    const args = ['agent', '-s', this.state(name)];
    const child = this.#spawn(name, args, ['ignore', 'ignore', log]);
    closeSync(log);
    this.#agents.set(name, child);
    child.once('exit', (code, signal) => {
      // Whoever ends an agent takes it out of the list first.
      if (this.#agents.get(name) !== child) return;
      this.#agents.delete(name);
      this.crashes.push(`${name} ended by itself: code ${code}, signal ${signal}`);
    });
    await until(`the agent of ${name} answers`, startTimeoutMs, async () => {
      // It was ended while it started: whoever did that knows.
      if (this.#agents.get(name) !== child && child.signalCode === 'SIGKILL') return true;
      if (hasEnded(child)) throw new Error(`the agent of ${name} ended: ${this.log(name)}`);
      const identity = this.api(name).identity();
      return (await identity.catch(() => undefined)) !== undefined;
    });
  }

  /** As a power failure would. */
  kill(name: string): Promise<void> {
    return this.#end(name, 'SIGKILL');
  }

  stop(name: string): Promise<void> {
    return this.#end(name, 'SIGTERM');
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#agents.get(name);
    this.#agents.delete(name);
    this.#paused.delete(name);
    if (child !== undefined) await end(child, signal);
  }

  /** Its process stands still, its connections stay. */
  pause(name: string): void {
    if (this.#agents.get(name)?.kill('SIGSTOP') === true) this.#paused.add(name);
  }

  resume(name: string): void {
    if (this.#paused.delete(name)) this.#agents.get(name)?.kill('SIGCONT');
  }

  /** Runs a command on a host, in its namespace. */
  run(name: string, args: readonly string[]): Promise<Outcome> {
    const child = this.#spawn(name, [...args, '-s', this.state(name)], ['ignore', 'pipe', 'pipe']);
    this.#commands.add(child);
    const timer = setTimeout(() => child.kill('SIGKILL'), commandTimeoutMs);
    const text = { out: '', err: '', said: '' };
    const hear = (which: 'out' | 'err') => (part: string) => {
      text[which] += part;
      text.said += part;
    };
    child.stdout?.setEncoding('utf8').on('data', hear('out'));
    child.stderr?.setEncoding('utf8').on('data', hear('err'));
    return new Promise((done, fail) => {
      child.once('error', fail);
      child.once('close', (code) => {
        clearTimeout(timer);
        this.#commands.delete(child);
        done({ code: code ?? -1, ...text });
      });
    });
  }

  async expect(name: string, args: readonly string[]): Promise<Outcome> {
    const outcome = await this.run(name, args);
    if (outcome.code === 0) return outcome;
    const { code, said } = outcome;
    throw new Error(`holdfast ${args.join(' ')} ended with code ${code}\n${said}`);
  }

  #spawn(
    name: string,
    args: readonly string[],
    stdio: ['ignore', 'ignore' | 'pipe', 'pipe' | number],
  ): ChildProcess {
    const host = fleetHosts.find((one) => one.name === name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    const own = Object.entries(process.env).filter(([key]) => !key.startsWith('HOLDFAST_'));
    const env = { ...Object.fromEntries(own), NO_COLOR: '1' };
    // `ip netns exec` becomes the program: signals reach the agent itself.
    const command = ['netns', 'exec', `${this.#prefix}-${host.index}`, process.execPath, launcher];
    // A session of its own, as on a host of its own: the scheduler shares the processors out by sessions, and
    // a whole fleet in one would be served as one process.
    return spawn('ip', [...command, ...args], { stdio, env, cwd: this.root, detached: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const children = [...this.#agents.values(), ...this.#commands];
    this.#agents.clear();
    await Promise.all(children.map((child) => end(child, 'SIGKILL')));
    await this.#scratch[Symbol.asyncDispose]();
  }
}
