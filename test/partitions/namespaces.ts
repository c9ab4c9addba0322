import { execFileSync, spawn } from 'node:child_process';

/** Hosts of the network, and how each is called: the process id lets several runs live side by side. */
export const hostCount = 5;

/** Address of a host, the same in every run: nothing of it leaves the namespaces. */
export function addressOf(host: number): string {
  return `10.77.0.${host + 1}`;
}

/** Name of a host's end of its cable, inside the switch's namespace. */
export function portOf(host: number): string {
  return `p${host}`;
}

/** The namespaces of one run. The switch's own address lets whoever runs in it reach all hosts at any time. */
export class Namespaces implements Disposable {
  readonly #prefix: string;
  readonly #made: string[] = [];

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get switch(): string {
    return `${this.#prefix}-sw`;
  }

  host(host: number): string {
    return `${this.#prefix}-${host}`;
  }

  /** Why namespaces cannot be made here; undefined: they can. */
  static obstacle(): string | undefined {
    if (process.getuid?.() !== 0) return 'network namespaces need root';
    for (const [program, ...args] of [
      ['ip', '-V'],
      ['nft', '-v'],
    ] as [string, string][]) {
      try {
        execFileSync(program, args, { stdio: 'ignore' });
      } catch {
        return `there is no ${program} here (Debian: iproute2, nftables)`;
      }
    }
    const probe = `hf-probe-${process.pid}`;
    try {
      ip('netns', 'add', probe);
      ip('netns', 'del', probe);
    } catch {
      return 'network namespaces cannot be made here';
    }
    return undefined;
  }

  make(): void {
    this.#add(this.switch);
    ip('-n', this.switch, 'link', 'set', 'lo', 'up');
    const bridge = ['type', 'bridge', 'stp_state', '0', 'forward_delay', '0'];
    ip('-n', this.switch, 'link', 'add', 'br0', ...bridge);
    ip('-n', this.switch, 'addr', 'add', '10.77.0.254/24', 'dev', 'br0');
    ip('-n', this.switch, 'link', 'set', 'br0', 'up');
    for (let host = 0; host < hostCount; host++) {
      const name = this.host(host);
      const port = portOf(host);
      this.#add(name);
      ip('-n', name, 'link', 'set', 'lo', 'up');
      const peer = ['type', 'veth', 'peer', 'name', port, 'netns', this.switch];
      ip('link', 'add', 'eth0', 'netns', name, ...peer);
      ip('-n', this.switch, 'link', 'set', port, 'master', 'br0', 'up');
      ip('-n', name, 'addr', 'add', `${addressOf(host)}/24`, 'dev', 'eth0');
      ip('-n', name, 'link', 'set', 'eth0', 'up');
    }
  }

  #add(name: string): void {
    ip('netns', 'add', name);
    this.#made.push(name);
  }

  /** Runs a script of this folder inside the switch. @returns its exit code */
  run(script: URL, args: readonly string[]): Promise<number> {
    const node = [process.execPath, script.pathname, this.#prefix, ...args];
    const child = spawn('ip', ['netns', 'exec', this.switch, ...node], { stdio: 'inherit' });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      // On a terminal the child has it already; then it has begun to end, and hears it once more.
      process.on(signal, () => child.kill('SIGTERM'));
    }
    return new Promise((done, fail) => {
      child.once('error', fail);
      child.once('exit', (code) => done(code ?? 1));
    });
  }

  /** Ends whatever still runs in the namespaces, which this run alone has filled, and removes them. */
  [Symbol.dispose](): void {
    for (const name of this.#made.reverse()) {
      const pids = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
      for (const pid of pids.split('\n').filter((line) => line !== '')) {
        try {
          process.kill(Number(pid), 'SIGKILL');
        } catch {
          // It has ended by itself.
        }
      }
      ip('netns', 'del', name);
    }
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Makes the network and runs a script in it; says "skipped" where that cannot be. @returns an exit code */
export async function runInside(script: URL, args: readonly string[]): Promise<number> {
  const obstacle = Namespaces.obstacle();
  if (obstacle !== undefined) {
    console.log(`skipped: ${obstacle}`);
    return 0;
  }
  using namespaces = new Namespaces(`hf${process.pid}`);
  namespaces.make();
  return await namespaces.run(script, args);
}
