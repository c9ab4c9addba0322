import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentApi } from '../../src/agent/api.ts';
import { connectControl } from '../../src/agent/control-client.ts';
import { end } from '../support/child-process.ts';
import { messages, until } from '../support/cluster.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import type { Networks, Place } from './networks.ts';

const cli = fileURLToPath(new URL('../../src/cli/launcher.mjs', import.meta.url));
const startMs = 60_000;

export type Said = { readonly code: number; readonly out: string; readonly err: string };

/** Agents and commands at places of the network; disposing ends all of them. */
export class Hosts implements AsyncDisposable {
  readonly #networks: Networks;
  readonly #scratch = scratchDirectory();
  readonly #agents = new Map<Place, ChildProcess>();

  constructor(networks: Networks) {
    this.#networks = networks;
  }

  get root(): string {
    return this.#scratch.path;
  }

  state(place: Place): string {
    return join(this.root, place);
  }

  api(place: Place): AgentApi {
    return connectControl(join(this.state(place), 'control.sock'));
  }

  /** A state directory with a configuration. */
  prepare(place: Place, config: object): void {
    mkdirSync(this.state(place), { mode: 0o700 });
    const whole = { storage: { reserve: '64MiB' }, threads: 1, ...config };
    writeFileSync(join(this.state(place), 'config.json'), JSON.stringify(whole));
  }

  #spawn(place: Place, args: readonly string[], options: SpawnOptions): ChildProcess {
    const at = ['netns', 'exec', this.#networks.of(place), process.execPath, cli];
    const env = { ...process.env, NO_COLOR: '1' };
    return spawn('ip', [...at, ...args], { ...options, env });
  }

  /** Runs a command there to its end, which must be that code. */
  async run(place: Place, args: readonly string[], code = 0): Promise<Said> {
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    const child = this.#spawn(place, args, { stdio: [...stdio], cwd: this.root });
    const text = { out: '', err: '' };
    child.stdout?.setEncoding('utf8').on('data', (part: string) => (text.out += part));
    child.stderr?.setEncoding('utf8').on('data', (part: string) => (text.err += part));
    const ended = await new Promise<number>((done) => {
      child.once('close', (status) => done(status ?? -1));
    });
    if (ended === code) return { code: ended, ...text };
    throw new Error(
      `${place}: holdfast ${args.join(' ')} ended with ${ended}\n${text.out}${text.err}`,
    );
  }

  /** With its state directory. */
  at(place: Place, args: readonly string[], code = 0): Promise<Said> {
    return this.run(place, [...args, '-s', this.state(place)], code);
  }

  async join(place: Exclude<Place, 'hub'>): Promise<void> {
    const invite = ['invite', '--site', place, '--region', place, '--json'];
    const { out } = await this.at('hub', invite);
    const code = messages(out).find((message) => 'code' in message)?.code;
    const file = join(this.root, `${place}.code`);
    writeFileSync(file, String(code), { mode: 0o600 });
    // One address each, which none of the others can use.
    this.prepare(place, { listen: ['/ip4/0.0.0.0/tcp/7420'], relay: { use: true } });
    await this.at(place, ['join', '--code-file', file, '--name', place]);
    await this.start(place);
  }

  async start(place: Place): Promise<void> {
    const log = openSync(join(this.root, `${place}.log`), 'a');
    const agent = ['agent', '-s', this.state(place)];
    const child = this.#spawn(place, agent, { stdio: ['ignore', 'ignore', log] });
    closeSync(log);
    this.#agents.set(place, child);
    await until(`the agent at ${place} answers`, startMs, async () => {
      const identity = await this.api(place)
        .identity()
        .catch(() => undefined);
      return identity !== undefined;
    });
  }

  async stop(place: Place): Promise<void> {
    const child = this.#agents.get(place);
    this.#agents.delete(place);
    if (child !== undefined) await end(child, 'SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#agents.values()) await end(child, 'SIGKILL');
    await this.#scratch[Symbol.asyncDispose]();
  }
}
