import { FaultyLink, type LinkState } from '../../../adapters/sandbox/faulty-link.ts';
import { knowsSocketOwners, socketOwner } from '../../../adapters/sandbox/socket-owner.ts';
import { freePort } from '../../../adapters/system/host.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { SiteProcesses } from './site-processes.ts';

const open: LinkState = { kind: 'open' };
const cut: LinkState = { kind: 'cut' };

/** The network between the agents of a sandbox, which does what a drill asks. */
export class SandboxNetwork implements AsyncDisposable {
  readonly #links = new Map<string, FaultyLink>();
  readonly #ports = new Map<string, number>();
  #processes: SiteProcesses | undefined;
  /** Those of one group reach each other; empty: everybody reaches everybody. */
  #groups: readonly ReadonlySet<string>[] = [];
  /** Reaches nobody, and nobody reaches it. */
  readonly #isolated = new Set<string>();
  #slow: Extract<LinkState, { kind: 'slow' }> | undefined;

  /** Before agents are made: each is told the port of its link as its own address. */
  static async open(sites: readonly string[]): Promise<SandboxNetwork> {
    await using opening = new AsyncDisposableStack();
    const network = opening.use(new SandboxNetwork());
    for (const site of sites) await network.#add(site);
    opening.move();
    return network;
  }

  async #add(site: string): Promise<void> {
    const port = await freePort('127.0.0.1', 0);
    this.#ports.set(site, port);
    const link = await FaultyLink.open({
      port,
      callerOf: (from) => this.#callerOf(from, link.port),
      stateFor: (caller) => this.#stateBetween(caller, site),
    });
    this.#links.set(site, link);
  }

  /** Whose processes its callers are. */
  serve(processes: SiteProcesses): void {
    this.#processes = processes;
  }

  /** Where the agent of a site listens. */
  listenOf(site: string): string {
    return `127.0.0.1:${this.#ports.get(site)}`;
  }

  /** Where others find it. */
  addressOf(site: string): string {
    return `/ip4/127.0.0.1/tcp/${this.#links.get(site)?.port}`;
  }

  #callerOf(from: number, port: number): string | undefined {
    const processes = this.#processes;
    if (processes === undefined || !knowsSocketOwners()) return undefined;
    const connection = { localPort: from, remotePort: port };
    return processes.siteOf(socketOwner(connection, processes.pids));
  }

  #stateBetween(caller: string | undefined, site: string): LinkState {
    if (this.#isolated.has(site)) return cut;
    if (caller !== undefined && this.#isolated.has(caller)) return cut;
    const group = this.#groups.find((members) => members.has(site));
    // Commands of this machine are with the first group.
    const own =
      caller === undefined ? this.#groups[0] : this.#groups.find((members) => members.has(caller));
    if (group !== own) return cut;
    return this.#slow ?? open;
  }

  /** @throws HoldfastError failed (this system does not tell who calls, so that a link can tell them apart) */
  partition(groups: readonly (readonly string[])[]): void {
    if (!knowsSocketOwners()) {
      throw new HoldfastError('failed', 'the network of a sandbox can be split on Linux only', {
        next: 'run this drill on a Linux host of the cluster',
      });
    }
    this.#groups = groups.map((group) => new Set(group));
  }

  isolate(site: string): void {
    this.#isolated.add(site);
  }

  slow(line: { delayMs: number; bytesPerSecond: number }): void {
    this.#slow = { kind: 'slow', ...line };
  }

  /** As before all that. */
  mend(): void {
    this.#groups = [];
    this.#isolated.clear();
    this.#slow = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link[Symbol.asyncDispose]()));
  }
}
