import type { ControlBody } from '../../src/core/format/control-records.ts';
import type { ControlCluster } from './cluster.ts';

/** In one of so many seeds hosts that a decree has given up may vote again once they are found. */
const stride = 3;

/** What operators do when all is well after a decree. */
export class AfterDecree {
  readonly #cluster: ControlCluster;
  readonly #say: (body: ControlBody) => void;

  constructor(cluster: ControlCluster, say: (body: ControlBody) => void) {
    this.#cluster = cluster;
    this.#say = say;
  }

  /** A decree pins its few voters. */
  get isPinned(): boolean {
    const { generation = 1, layout } = this.#cluster.state ?? {};
    return generation > 1 && layout?.current.mode === 'pinned';
  }

  /** Lets the cluster choose, of more hosts than the decree has left. */
  help(): void {
    this.#giveVotesBack();
    const { layout } = this.#cluster.state ?? {};
    if (layout === undefined || !this.isPinned) return;
    const { version } = layout.current;
    this.#say({ kind: 'layout', version: version + 1, base: version, mode: 'auto', voters: [] });
  }

  #giveVotesBack(): void {
    const { state, world } = this.#cluster;
    if (state === undefined || state.generation === 1 || world.seed % stride !== 0) return;
    for (const { agent, isAbandoned } of state.members.all()) {
      if (!isAbandoned || this.#cluster.of(agent)?.run === undefined) continue;
      world.meet('a vote given back after a decree');
      this.#say({ kind: 'roles', agent, add: ['voter'], remove: [] });
    }
  }
}
