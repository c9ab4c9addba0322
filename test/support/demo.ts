import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { AgentApi } from '../../src/agent/api.ts';
import { connectControl } from '../../src/agent/control-client.ts';
import { end, hasEnded, startHoldfast } from './child-process.ts';
import type { Outcome } from './cluster.ts';

/** What it prints when there is nothing more to come. */
const standing = 'Ctrl-C ends the demo';

/** The demo as `npm start` begins it, driven by its own command: five sites, of which two have been lost. */
export class Demo implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** All that it has printed. */
  readonly lines: string[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when its disaster is over and the survivors stay up. `directory`: its files go below it. */
  static async start(paths: readonly string[], directory: string): Promise<Demo> {
    const child = startHoldfast(['demo', ...paths], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { TMPDIR: directory },
    });
    const demo = new Demo(child);
    if (child.stdout === null) throw new Error('the demo says nothing');
    for await (const line of createInterface({ input: child.stdout })) {
      demo.lines.push(line);
      if (line.startsWith(standing)) break;
    }
    child.stdout.resume();
    if (demo.lines.at(-1)?.startsWith(standing) === true) return demo;
    throw new Error(`the demo ended:\n${demo.lines.join('\n')}`);
  }

  #said(pattern: RegExp): string {
    const found = this.lines.findLast((line) => pattern.test(line));
    const [, text] = pattern.exec(found ?? '') ?? [];
    if (text === undefined) throw new Error(`the demo has not said ${pattern}`);
    return text;
  }

  get root(): string {
    return this.#said(/^Five sites .*, below (\S+)$/);
  }

  /** Opens the dashboard. */
  get link(): string {
    return this.#said(/^ {2}(http:\/\/127\.0\.0\.1:\d+\/#token=\S+)$/);
  }

  get kit(): string {
    return join(this.root, 'recovery-kit.txt');
  }

  state(site: string): string {
    return join(this.root, site);
  }

  api(site: string): AgentApi {
    return connectControl(join(this.state(site), 'control.sock'));
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], state: string): Promise<Outcome> {
    const child = startHoldfast([...args, '-s', state], { stdio: ['ignore', 'pipe', 'pipe'] });
    const text = { out: '', err: '' };
    child.stdout?.setEncoding('utf8').on('data', (part: string) => (text.out += part));
    child.stderr?.setEncoding('utf8').on('data', (part: string) => (text.err += part));
    const code = await new Promise<number | null>((done, fail) => {
      child.once('error', fail);
      child.once('close', done);
    });
    return { command: `holdfast ${args.join(' ')}`, code: code ?? -1, ...text };
  }

  /** As a person ends it. It takes its agents and its files with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!hasEnded(this.#child)) await end(this.#child, 'SIGINT');
  }
}
