import { execFileSync } from 'node:child_process';

/** Where each host is; `hub` is the only one that everybody can dial. */
export type Place = 'hub' | 'home' | 'office' | 'cafe';

/** Of the hub. Nothing leaves the namespaces, and libp2p takes these for addresses of the internet. */
export const hubAddress = '45.66.0.10';
/** Every lan has the same addresses, as lans do. */
export const lanAddress = '192.168.1.2';

const lans = ['home', 'office', 'cafe'] as const;

/**
 * An internet of namespaces: a hub, and three lans, each behind a router that masquerades and lets nothing in
 * that was not asked for.
 */
export class Networks implements Disposable {
  readonly #prefix: string;
  readonly #made: string[] = [];

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Name of the namespace of a host. */
  of(place: Place): string {
    return `${this.#prefix}-${place}`;
  }

  make(): void {
    const wan = `${this.#prefix}-wan`;
    this.#add(wan);
    ip('-n', wan, 'link', 'add', 'br0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
    ip('-n', wan, 'link', 'set', 'br0', 'up');
    this.#add(this.of('hub'));
    this.#cable(this.of('hub'), { to: wan, bridge: 'br0', address: `${hubAddress}/24` });
    for (const [i, lan] of lans.entries()) {
      const router = `${this.#prefix}-r${i}`;
      this.#add(router);
      this.#cable(router, { to: wan, bridge: 'br0', address: `45.66.0.${21 + i}/24` });
      ip('-n', router, 'link', 'add', 'lan', 'type', 'bridge', 'stp_state', '0');
      ip('-n', router, 'addr', 'add', '192.168.1.1/24', 'dev', 'lan');
      ip('-n', router, 'link', 'set', 'lan', 'up');
      this.#add(this.of(lan));
      this.#cable(this.of(lan), { to: router, bridge: 'lan', address: `${lanAddress}/24` });
      ip('-n', this.of(lan), 'route', 'add', 'default', 'via', '192.168.1.1');
      inside(router, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
      inside(router, ['nft', masquerade]);
    }
  }

  #cable(host: string, { to, bridge, address }: { to: string; bridge: string; address: string }) {
    const port = `p${this.#made.length}`;
    ip('link', 'add', 'eth0', 'netns', host, 'type', 'veth', 'peer', 'name', port, 'netns', to);
    ip('-n', to, 'link', 'set', port, 'master', bridge, 'up');
    ip('-n', host, 'addr', 'add', address, 'dev', 'eth0');
    ip('-n', host, 'link', 'set', 'eth0', 'up');
  }

  #add(name: string): void {
    ip('netns', 'add', name);
    this.#made.push(name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }

  [Symbol.dispose](): void {
    for (const name of this.#made.reverse()) ip('netns', 'del', name);
  }
}

const masquerade = `
table ip nat {
  chain out { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
}
table ip filter {
  chain through {
    type filter hook forward priority filter; policy drop;
    iifname "lan" accept
    ct state established,related accept
  }
}`;

function inside(namespace: string, command: readonly string[]): void {
  ip('netns', 'exec', namespace, ...command);
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
