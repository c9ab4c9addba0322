import type { AgentKey } from '../core/ids.ts';
import type { ControlJournal } from '../ports/control-journal.ts';
import type { GenerationStore } from '../ports/generation-store.ts';
import type { Cancel, Clock, Entropy, Log } from '../ports/runtime.ts';
import { AnchorKeeper } from '../services/control/anchor-keeper.ts';
import { answerControl } from '../services/control/answer-control.ts';
import { CheckpointKeeper } from '../services/control/checkpoint-keeper.ts';
import { ControlLog } from '../services/control/control-log.ts';
import { DecreeKeeper } from '../services/control/decree-keeper.ts';
import { VoterKeeper } from '../services/control/voter-keeper.ts';
import type { DurabilityView } from '../services/durability-view.ts';
import type { Ledger } from '../services/ledger.ts';
import type { Peers } from '../services/peers.ts';
import type { Serve } from '../services/serve.ts';

export type ControlPlaneOptions = {
  readonly ledger: Ledger;
  readonly peers: Peers;
  readonly view: DurabilityView;
  readonly journal: ControlJournal;
  readonly generations: GenerationStore;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly self: AgentKey;
  readonly statementSecret: Uint8Array;
  readonly onFatal: (error: unknown) => void;
};

/** What an agent does for what needs agreement: its part of the control log, and its duties when it leads. */
export class ControlPlane {
  readonly log: ControlLog;
  readonly voters: VoterKeeper;
  readonly decrees: DecreeKeeper;
  readonly checkpoints: CheckpointKeeper;
  readonly #anchors: AnchorKeeper;

  constructor(options: ControlPlaneOptions) {
    this.log = new ControlLog(options);
    const control = this.log;
    this.voters = new VoterKeeper({ ...options, control });
    this.decrees = new DecreeKeeper({ ...options, control });
    this.checkpoints = new CheckpointKeeper({ ...options, control });
    this.#anchors = new AnchorKeeper({ ...options, control });
  }

  /** Lets other members speak to it. */
  answer(serve: Pick<Serve, 'register'>): void {
    answerControl(serve, this.log);
    this.decrees.answer(serve);
    this.checkpoints.answer(serve);
  }

  /** Takes part until the signal. */
  async run(options: Cancel): Promise<void> {
    await Promise.all([
      this.log.run(options),
      this.voters.run(options),
      this.decrees.run(options),
      this.checkpoints.run(options),
      this.#anchors.run(options),
    ]);
  }
}
