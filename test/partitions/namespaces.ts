import { execFileSync, spawn } from 'node:child_process';

/** Hosts of the network, and how each is called: the process id lets several runs live side by side. */
export const hostCount = 5;

/**
 * `lan`: hosts at one switch. `relay`: their frames go through a process that delays and loses them, since
 * common kernels cannot (netem is missing): a VXLAN over the switch, whose only other end is that process.
 */
export type NetworkKind = 'lan' | 'relay';

/** Where the relay hears the hosts' frames, and whence they come. */
export const relayAddress = '10.66.0.254';
export const relayPort = 4789;

export function underlayOf(host: number): string {
  return `10.66.0.${host + 1}`;
}

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
  readonly #kind: NetworkKind;
  readonly #made: string[] = [];

  constructor(prefix: string, kind: NetworkKind) {
    this.#prefix = prefix;
    this.#kind = kind;
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
      ['ethtool', '--version'],
    ] as [string, string][]) {
      try {
        execFileSync(program, args, { stdio: 'ignore' });
      } catch {
        return `there is no ${program} here: apt-get install -y iproute2 nftables ethtool`;
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
    const isRelayed = this.#kind === 'relay';
    const own = isRelayed ? relayAddress : '10.77.0.254';
    ip('-n', this.switch, 'addr', 'add', `${own}/24`, 'dev', 'br0');
    ip('-n', this.switch, 'link', 'set', 'br0', 'up');
    // Whoever runs in the switch reaches the hosts without the relay, at the same addresses.
    if (isRelayed) ip('-n', this.switch, 'route', 'add', '10.77.0.0/24', 'dev', 'br0');
    for (let host = 0; host < hostCount; host++) {
      const name = this.host(host);
      const port = portOf(host);
      this.#add(name);
      ip('-n', name, 'link', 'set', 'lo', 'up');
      const peer = ['type', 'veth', 'peer', 'name', port, 'netns', this.switch];
      ip('link', 'add', 'eth0', 'netns', name, ...peer);
      ip('-n', this.switch, 'link', 'set', port, 'master', 'br0', 'up');
      const address = isRelayed ? underlayOf(host) : addressOf(host);
      ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
      ip('-n', name, 'link', 'set', 'eth0', 'up');
      if (isRelayed) this.#overlay(host);
    }
  }

  /** Every frame that the host sends to another goes to the relay. */
  #overlay(host: number): void {
    const name = this.host(host);
    const ends = ['local', underlayOf(host), 'remote', relayAddress, 'dstport', `${relayPort}`];
    ip('-n', name, 'link', 'add', 'vx0', 'type', 'vxlan', 'id', '7', ...ends, 'dev', 'eth0');
    // Frames are taken apart in a process, which cannot finish what the kernel left to hardware.
    const off = ['tx', 'sg', 'tso', 'gso', 'gro'].flatMap((feature) => [feature, 'off']);
    ip('netns', 'exec', name, 'ethtool', '-K', 'vx0', ...off);
    ip('-n', name, 'addr', 'add', `${addressOf(host)}/24`, 'dev', 'vx0');
    ip('-n', name, 'link', 'set', 'vx0', 'mtu', '1400', 'up');
  }

  #add(name: string): void {
    ip('netns', 'add', name);
    this.#made.push(name);
  }

  /** Runs a script of this folder inside the switch. @returns its exit code */
  run(script: URL, args: readonly string[]): Promise<number> {
    const node = [process.execPath, script.pathname, this.#prefix, ...args];
    const child = spawn('ip', ['netns', 'exec', this.switch, ...node], { stdio: 'inherit' });
    // On a terminal the child has it already; then it has begun to end, and hears it once more.
    const pass = (): void => void child.kill('SIGINT');
    const signals = ['SIGINT', 'SIGTERM'] as const;
    for (const signal of signals) process.on(signal, pass);
    return new Promise<number>((done, fail) => {
      child.once('error', fail);
      child.once('exit', (code) => done(code ?? 1));
    }).finally(() => {
      for (const signal of signals) process.off(signal, pass);
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

let runs = 0;

/** Makes a network of its own and runs a script in it. @returns an exit code */
export async function runInside(
  script: URL,
  args: readonly string[],
  kind: NetworkKind = 'lan',
): Promise<number> {
  const obstacle = Namespaces.obstacle();
  if (obstacle !== undefined) {
    console.error(`not run: ${obstacle}`);
    return 1;
  }
  using namespaces = new Namespaces(`hf${process.pid}x${runs++}`, kind);
  namespaces.make();
  return await namespaces.run(script, args);
}
