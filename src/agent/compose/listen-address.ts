import { freePort, reachableAddresses } from '../../adapters/system/host.ts';
import { HoldfastError } from '../../core/errors.ts';

/** Where an agent listens unless told otherwise. */
export const defaultPort = 7420;

export type ListenAddress = {
  readonly family: 'ip4' | 'ip6';
  readonly host: string;
  readonly port: number;
};

/**
 * `host:port`, `[v6]:port`, `:port`, or a multiaddr /ip4/../tcp/...
 * @throws HoldfastError usage
 */
export function parseListen(text: string): ListenAddress {
  const multiaddr = /^\/(ip4|ip6)\/([^/]+)\/tcp\/(\d+)$/.exec(text);
  const plain = /^(?:\[([0-9a-fA-F:]+)\]|([0-9.]*)):(\d+)$/.exec(text);
  const port = Number(multiaddr?.[3] ?? plain?.[3]);
  if ((multiaddr === null && plain === null) || port > 65535) {
    throw new HoldfastError('usage', `"${text}" is not an address to listen on`, {
      next: 'give one as 0.0.0.0:7420, [::]:7420 or /ip4/0.0.0.0/tcp/7420',
    });
  }
  if (multiaddr !== null) {
    return { family: multiaddr[1] as 'ip4' | 'ip6', host: multiaddr[2] as string, port };
  }
  if (plain?.[1] !== undefined) return { family: 'ip6', host: plain[1], port };
  return { family: 'ip4', host: plain?.[2] || '0.0.0.0', port };
}

/** The address with a port that is free now and from then on this agent's own. */
export async function settle(listen: readonly string[]): Promise<string[]> {
  const wanted = listen.length > 0 ? listen : [`0.0.0.0:${defaultPort}`];
  const settled: string[] = [];
  for (const text of wanted) {
    const { family, host, port } = parseListen(text);
    settled.push(`/${family}/${host}/tcp/${await freePort(host, port)}`);
  }
  return settled;
}

/** What others dial to reach an address that this host listens on. */
export function dialable(listen: readonly string[]): string[] {
  return listen.flatMap((text) => {
    const { family, host, port } = parseListen(text);
    const isAny = host === '0.0.0.0' || host === '::';
    if (!isAny) return [`/${family}/${host}/tcp/${port}`];
    return reachableAddresses()
      .filter((address) => address.startsWith(`/${family}/`))
      .map((address) => `${address}/tcp/${port}`);
  });
}
