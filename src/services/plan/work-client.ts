import { HoldfastError } from '../../core/errors.ts';
import { wordFrom } from '../../core/format/control-field.ts';
import { controlLimits } from '../../core/format/control-limits.ts';
import { boundedBytes, integer } from '../../core/format/field.ts';
import { type AgentKey, shortId } from '../../core/ids.ts';
import type { Answer } from '../../core/protocol/exchange-kinds.ts';
import type { Cancel } from '../../ports/runtime.ts';
import type { ControlAccess } from '../control/control-access.ts';
import type { Peers } from '../peers.ts';
import { detailText } from './step-outcome.ts';
import { type WorkOrder, workQuestion } from './work-order.ts';
import type { PlanWorker, WorkAnswer } from './worker.ts';

export type WorkClientOptions = {
  readonly control: Pick<ControlAccess, 'state' | 'self'>;
  readonly peers: Pick<Peers, 'ask' | 'isReachable'>;
  /** Of this host, which may have to work as well. */
  readonly worker: Pick<PlanWorker, 'work'>;
};

/** The coordinator's way to the agents. */
export class WorkClient {
  readonly #options: WorkClientOptions;

  constructor(options: WorkClientOptions) {
    this.#options = options;
  }

  isReachable(agent: AgentKey): boolean {
    const { control, peers } = this.#options;
    if (agent === control.self) return true;
    const peer = control.state.members.of(agent)?.peer;
    return peer !== undefined && peers.isReachable(peer);
  }

  /** @throws HoldfastError as PlanWorker.work, and peer-unreachable | timeout | bad-encoding */
  async ask(agent: AgentKey, order: WorkOrder, options: Cancel = {}): Promise<WorkAnswer> {
    const { control, peers, worker } = this.#options;
    if (agent === control.self) return worker.work(order, agent, options);
    const peer = control.state.members.of(agent)?.peer;
    if (peer === undefined) {
      throw new HoldfastError('peer-unreachable', `${shortId(agent)} is no member`);
    }
    return answerFrom(await peers.ask(peer, workQuestion(order), options));
  }
}

/** What a member says becomes part of the log: in its bounds, or not at all. @throws HoldfastError bad-encoding */
function answerFrom(answer: Answer<'work'>): WorkAnswer {
  const size = { min: 0, max: controlLimits.evidenceSizeMax };
  return {
    state: wordFrom(answer.state, ['running', 'done', 'failed'], 'state of a step'),
    detail: detailText(answer.detail),
    evidence: boundedBytes(answer.evidence, size, 'evidence'),
    percent: integer(answer.percent, { min: 0, max: 100 }, 'percent'),
    attempt: integer(answer.attempt, { min: 0, max: 0xffff }, 'attempt'),
  };
}
