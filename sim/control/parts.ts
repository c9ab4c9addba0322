import { answerControl } from '../../src/services/control/answer-control.ts';
import { CheckpointKeeper } from '../../src/services/control/checkpoint-keeper.ts';
import { ControlLog } from '../../src/services/control/control-log.ts';
import { DecreeKeeper } from '../../src/services/control/decree-keeper.ts';
import { TimeKeeper } from '../../src/services/control/time-keeper.ts';
import { VoterKeeper } from '../../src/services/control/voter-keeper.ts';
import { Ledger } from '../../src/services/ledger.ts';
import { Peers } from '../../src/services/peers.ts';
import { PlanCoordinator } from '../../src/services/plan/coordinator.ts';
import { Failover } from '../../src/services/plan/failover.ts';
import { LeaseKeeper } from '../../src/services/plan/lease-keeper.ts';
import { LeaseWatch } from '../../src/services/plan/lease-watch.ts';
import { WriteRight } from '../../src/services/plan/write-right.ts';
import { FenceVoter } from '../../src/services/plan/fence-voter.ts';
import { SiteWatch } from '../../src/services/plan/site-watch.ts';
import { PlanWorker } from '../../src/services/plan/worker.ts';
import { Serve } from '../../src/services/serve.ts';
import type { MutantBuild } from '../raft/mutants-build.ts';

/** What an agent is made of: shipped, or a copy with a bug in it. */
export type Parts = {
  readonly answerControl: typeof answerControl;
  readonly CheckpointKeeper: typeof CheckpointKeeper;
  readonly ControlLog: typeof ControlLog;
  readonly DecreeKeeper: typeof DecreeKeeper;
  readonly TimeKeeper: typeof TimeKeeper;
  readonly SiteWatch: typeof SiteWatch;
  readonly Failover: typeof Failover;
  readonly LeaseKeeper: typeof LeaseKeeper;
  readonly LeaseWatch: typeof LeaseWatch;
  readonly WriteRight: typeof WriteRight;
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
  DecreeKeeper,
  TimeKeeper,
  SiteWatch,
  Failover,
  LeaseKeeper,
  LeaseWatch,
  WriteRight,
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
  DecreeKeeper: 'control/decree-keeper.ts',
  TimeKeeper: 'control/time-keeper.ts',
  SiteWatch: 'plan/site-watch.ts',
  Failover: 'plan/failover.ts',
  LeaseKeeper: 'plan/lease-keeper.ts',
  LeaseWatch: 'plan/lease-watch.ts',
  WriteRight: 'plan/write-right.ts',
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
