import { equal } from '../../base/bytes.ts';
import { secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import type { AgentKey, PeerKey } from '../../core/ids.ts';
import { controlMessages } from '../../core/log-messages/control.ts';
import type { GenerationStore } from '../../ports/generation-store.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import type { Peers } from '../peers.ts';
import type { ControlLog } from './control-log.ts';

export type RivalDecreesOptions = {
  readonly control: ControlLog;
  readonly generations: GenerationStore;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly log: Log;
};

type Other = { readonly agentKey: AgentKey; readonly peerKey: PeerKey };

/** One member after another is asked how its generation has begun. */
const periodMs = 20 * secondMs;

/**
 * Operators in two parts of the network can sign a decree each, and both begin a generation of one number. Then two
 * clusters decide, and nothing can merge them. This tells when the parts meet, so that a third decree ends one.
 */
export class RivalDecrees {
  readonly #options: RivalDecreesOptions;
  readonly #known = new Set<AgentKey>();
  #turn = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: RivalDecreesOptions) {
    this.#options = options;
  }

  get known(): ReadonlySet<AgentKey> {
    return this.#known;
  }

  /** A newer generation has begun here: whoever was of another one follows it. */
  forget(): void {
    this.#known.clear();
  }

  /** Asks the next member, when it is time. */
  async look(options: Cancel): Promise<void> {
    const { clock, control, peers } = this.#options;
    if (control.status().generation === 1) return;
    if (clock.monotonicMs() - this.#lookedMs < periodMs) return;
    this.#lookedMs = clock.monotonicMs();
    const others = peers.reachable();
    const other = others[this.#turn++ % Math.max(1, others.length)];
    if (other !== undefined) await this.isRival(other, options);
  }

  /** Asks a member whether another decree has begun its generation, of the same number as here. */
  async isRival({ agentKey, peerKey }: Other, options: Cancel = {}): Promise<boolean> {
    const { control, generations, peers, log } = this.#options;
    const answer = await peers
      .ask(peerKey, { case: 'generation', value: {} }, options)
      .catch((error: unknown) => {
        if (codeOf(error) === undefined) throw error;
        return undefined;
      });
    const own = await generations.read();
    const { generation } = control.status();
    if (answer === undefined || own?.generation !== generation) return false;
    if (Number(answer.generation) !== generation) return false;
    if (equal(own.envelope, answer.envelope)) return false;
    if (!this.#known.has(agentKey)) {
      const next = 'holdfast coordinator decree prepare, on a host whose log is to be kept';
      log.log('error', controlMessages.rivalDecrees, { generation, agentKey, next });
    }
    this.#known.add(agentKey);
    return true;
  }
}
