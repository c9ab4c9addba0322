import { answerControl } from '../../src/services/control/answer-control.ts';
import { CheckpointKeeper } from '../../src/services/control/checkpoint-keeper.ts';
import { ControlLog } from '../../src/services/control/control-log.ts';
import { VoterKeeper } from '../../src/services/control/voter-keeper.ts';
import { Ledger } from '../../src/services/ledger.ts';
import { Peers } from '../../src/services/peers.ts';
import { PlanCoordinator } from '../../src/services/plan/coordinator.ts';
import { FenceVoter } from '../../src/services/plan/fence-voter.ts';
import { PlanWorker } from '../../src/services/plan/worker.ts';
import { Serve } from '../../src/services/serve.ts';
import type { MutantBuild } from '../raft/mutants-build.ts';

/** What an agent is made of: shipped, or a copy with a bug in it. */
export type Parts = {
  readonly answerControl: typeof answerControl;
  readonly CheckpointKeeper: typeof CheckpointKeeper;
  readonly ControlLog: typeof ControlLog;
  readonly VoterKeeper: typeof VoterKeeper;
  readonly Ledger: typeof Ledger;
  readonly Peers: typeof Peers;
  readonly PlanCoordinator: typeof PlanCoordinator;
  readonly FenceVoter: typeof FenceVoter;
  readonly PlanWorker: typeof PlanWorker;
  readonly Serve: typeof Serve;
};

export const shippedParts: Parts = {
  answerControl,
  CheckpointKeeper,
  ControlLog,
  VoterKeeper,
  Ledger,
  Peers,
  PlanCoordinator,
  FenceVoter,
  PlanWorker,
  Serve,
};

/** Folders of src that such a copy takes. */
export const partsFolders = ['base', 'core', 'ports', 'services'] as const;

const files: Readonly<Record<keyof Parts, string>> = {
  answerControl: 'control/answer-control.ts',
  CheckpointKeeper: 'control/checkpoint-keeper.ts',
  ControlLog: 'control/control-log.ts',
  VoterKeeper: 'control/voter-keeper.ts',
  Ledger: 'ledger.ts',
  Peers: 'peers.ts',
  PlanCoordinator: 'plan/coordinator.ts',
  FenceVoter: 'plan/fence-voter.ts',
  PlanWorker: 'plan/worker.ts',
  Serve: 'serve.ts',
};

export async function partsOf(build: MutantBuild): Promise<Parts> {
  const parts: Record<string, unknown> = {};
  for (const [name, file] of Object.entries(files)) {
    const module = await build.load<Record<string, unknown>>(`services/${file}`);
    parts[name] = module[name];
  }
  return parts as Parts;
}
