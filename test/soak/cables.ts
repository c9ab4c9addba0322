import { FaultyLink } from '../../src/adapters/sandbox/faulty-link.ts';
import { socketOwner } from '../../src/adapters/sandbox/socket-owner.ts';
import { freePort } from '../../src/adapters/system/host.ts';
import type { Cluster } from '../support/cluster.ts';

/** The cables between the agents of a cluster on this host: each can be reached by way of a link that can be cut. */
export class Cables implements AsyncDisposable {
  readonly #links = new AsyncDisposableStack();
  /** Nothing passes between these and the others. */
  readonly #apart = new Set<string>();

  /** Before the sites are made: they tell others the addresses of their links. */
  async lay(cluster: Cluster, sites: readonly string[]): Promise<void> {
    for (const site of sites) {
      const port = await freePort('127.0.0.1', 0);
      const link: FaultyLink = this.#links.use(
        await FaultyLink.open({
          port,
          callerOf: (from) => callerOf(cluster, from, link.port),
          stateFor: (caller) => ({ kind: this.#isCut(caller, site) ? 'cut' : 'open' }),
        }),
      );
      cluster.listens[site] = `127.0.0.1:${port}`;
      cluster.configs[site] = { announce: [`/ip4/127.0.0.1/tcp/${link.port}`] };
    }
  }

  /** Commands of this host are with those who are not cut off. */
  #isCut(caller: string | undefined, site: string): boolean {
    const isApart = caller !== undefined && this.#apart.has(caller);
    return isApart !== this.#apart.has(site);
  }

  /** Of several that are cut off at once, each reaches the others. */
  cut(site: string): void {
    this.#apart.add(site);
  }

  mend(site: string): void {
    this.#apart.delete(site);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#links.disposeAsync();
  }
}

function callerOf(cluster: Cluster, from: number, port: number): string | undefined {
  const sites = new Map(cluster.running.map((site) => [cluster.pid(site), site]));
  const owner = socketOwner({ localPort: from, remotePort: port }, sites.keys());
  return owner === undefined ? undefined : sites.get(owner);
}
