import { HoldfastError } from '../../src/core/errors.ts';
import { sealEnvelope } from '../../src/core/format/envelope.ts';
import type { AgentKey } from '../../src/core/ids.ts';
import type { ControlAgent } from './agent.ts';
import { operatorSecrets } from './cast.ts';
import type { ControlCluster } from './cluster.ts';

const retryMs = 4000;
const patienceMs = 15_000;
const votersMax = 3;

export type DecreeCase = {
  /** Where operators can be: hosts that they reach and believe in. */
  readonly survivors: () => ControlAgent[];
  /** They are right: who does not answer is off. */
  readonly isTrue: boolean;
};

/** Operators that believe that most voters are gone for good, and say with which they go on. */
export class DecreeOperator {
  readonly #cluster: ControlCluster;

  constructor(cluster: ControlCluster) {
    this.#cluster = cluster;
  }

  /** Tries until a decree is in force somewhere. */
  declare(one: DecreeCase): void {
    const { world } = this.#cluster;
    const before = this.#generation();
    let isSigning = false;
    let attempts = 0;
    const attempt = (): void => {
      if (this.#generation() > before || !this.#cluster.isClean) return;
      const there = one.survivors();
      const isPending = there.some(({ run }) => run?.decrees.pending !== undefined);
      if (!isPending && !isSigning && there.length > 0) {
        isSigning = true;
        const own = ++attempts;
        // A host that dies meanwhile never answers: then another one is asked.
        world.after(patienceMs, () => {
          isSigning = false;
        });
        // Whoever has asked another one signs nothing here any more, should the first one answer after all.
        this.#sign(one, there, () => own !== attempts).catch(expected);
      }
      world.after(retryMs, attempt);
    };
    attempt();
  }

  #generation(): number {
    return Math.max(...this.#cluster.agents.map(({ disk }) => disk.log.hard.generation));
  }

  async #sign(
    { isTrue }: DecreeCase,
    there: readonly ControlAgent[],
    isGivenUp: () => boolean,
  ): Promise<void> {
    const { world, truth, notice, cast, random } = this.#cluster;
    const agent = random.pick(there);
    const { run } = agent;
    if (run === undefined) return;
    const voters = there.slice(0, there.length < votersMax ? 1 : votersMax);
    const noticeMs = run.control.state.policy.current.decreeNoticeMs;
    const request = { voters: voters.map(keyOf), reason: 'most voters are gone', noticeMs };
    const { payload, decree } = await run.decrees.prepare(request);
    const seal = (secrets: readonly Uint8Array[]): Uint8Array => {
      const generation = BigInt(decree.generation);
      const { cluster } = cast;
      return sealEnvelope({ type: 'control', cluster, generation, payload, secrets }).bytes;
    };
    world.meet('a decree by one operator');
    const alone = await run.decrees.announce(seal(operatorSecrets.slice(0, 1))).catch(expected);
    if (alone !== undefined) {
      this.#cluster.fail('authorized', 'one operator alone has announced a decree');
    }
    if (isGivenUp()) return;
    if (isTrue) for (const gone of decree.abandoned) truth.powerOff(gone, undefined);
    world.note(`operators at ${agent.name} sign a decree for generation ${decree.generation}`);
    world.meet(isTrue ? 'a decree' : 'a false decree');
    notice.announced();
    await run.decrees.announce(seal(operatorSecrets));
  }
}

function keyOf({ agentKey }: ControlAgent): AgentKey {
  return agentKey;
}

/** Nobody answers in time, a host crashes meanwhile: operators try again. */
function expected(error: unknown): void {
  if (!(error instanceof HoldfastError)) throw error;
}
