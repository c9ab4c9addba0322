import { toHex } from '../../src/base/bytes.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import type { CommandId } from '../../src/core/format/control-records.ts';
import { epochMs } from '../world.ts';
import type { ControlAgent } from './agent.ts';
import { operatorSecrets, sealed } from './cast.ts';
import type { ControlCluster } from './cluster.ts';
import type { ControlFault } from './plan.ts';
import { type Builds, newerFormat } from './versions.ts';

type UpgradeFault = Extract<ControlFault, { kind: 'upgrade' }>;

const retryMs = 3000;
const hasteMs = 3000;
const restartMs = 400;

/**
 * Hosts of two versions, some of them upgraded only after operators have put the new format into force: those stop
 * applying the log, and go on where they were once they run the newer version.
 */
export class Upgrade {
  readonly #cluster: ControlCluster;
  readonly #newer: Builds['newer'];
  readonly #waiting = new Set<ControlAgent>();

  constructor(cluster: ControlCluster, { older, newer }: Builds, { mask }: UpgradeFault) {
    this.#cluster = cluster;
    this.#newer = newer;
    const { world, random, plan } = cluster;
    for (const [i, agent] of cluster.agents.entries()) {
      const isNew = ((mask >> i) & 1) === 1;
      agent.parts = isNew ? newer : older;
      if (isNew) continue;
      this.#waiting.add(agent);
      world.after(random.below(2 * plan.durationMs), () => this.#upgrade(agent));
    }
  }

  /** A newer host says what only the new format has, and then operators put that into force, as often as it takes. */
  begin(): void {
    this.#hasten();
    this.#cluster.world.after(hasteMs, () => this.#raise());
  }

  /** Nobody may apply this yet: half of the hosts would not know what it is. */
  #hasten(): void {
    const { state, agents, truth, world } = this.#cluster;
    if (state === undefined || state.format.current >= newerFormat) return;
    const holders = new Map(agents.map((agent) => [agent.agentKey, agent]));
    for (const { state: is, holder, dataset, incarnation } of state.incarnations.all()) {
      const agent = holder === undefined ? undefined : holders.get(holder);
      if (is !== 'live' || agent?.control === undefined) continue;
      truth.stop(agent.agentKey, dataset, incarnation);
      world.meet('a command of a format that is not in force yet');
      const body = { kind: 'demote', dataset, incarnation } as const;
      agent.control.submit(body, { timeoutMs: hasteMs }).catch(expected);
    }
  }

  #raise(): void {
    const { world, state, cast, random } = this.#cluster;
    if ((state?.format.current ?? 1) >= newerFormat || !this.#cluster.isClean) return;
    const running = this.#cluster.running();
    const host = running.length === 0 ? undefined : random.pick(running);
    const id = toHex(random.bytes(16)) as CommandId;
    const { cluster } = cast;
    const generation = host?.control?.status().generation ?? 1;
    const body = { kind: 'format', version: newerFormat } as const;
    const timeMs = epochMs + world.nowMs;
    const of = { cluster, generation, secrets: operatorSecrets };
    host?.control?.submitSigned(sealed({ id, body, timeMs, ...of })).catch(expected);
    world.after(retryMs, () => this.#raise());
  }

  /** The end of all trouble: whoever is left is upgraded as well. */
  finish(): void {
    for (const agent of this.#waiting) this.#upgrade(agent);
  }

  #upgrade(agent: ControlAgent): void {
    const { world } = this.#cluster;
    if (!this.#waiting.delete(agent)) return;
    agent.parts = this.#newer;
    if (agent.run === undefined) return;
    if (agent.control?.outdatedBy !== undefined) world.meet('a host that had to be upgraded');
    world.meet('a host upgraded');
    agent.crash();
    world.after(restartMs, () => this.#cluster.start(agent));
  }
}

function expected(error: unknown): void {
  if (!(error instanceof HoldfastError)) throw error;
}
