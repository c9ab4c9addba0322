import type { AgentKey, DatasetId } from '../../../src/core/ids.ts';
import type { ControlCluster } from '../cluster.ts';
import type { ControlChecker } from '../observation.ts';
import { isOverBudget } from '../plan.ts';
import { Authorized } from './authorized.ts';
import { Bounded } from './bounded.ts';
import { CurrentFences } from './current-fences.ts';
import { EquivocationFound } from './equivocation-found.ts';
import { FencesGrow } from './fences-grow.ts';
import { ForksFound } from './forks-found.ts';
import { GenerationsGrow } from './generations-grow.ts';
import { HooksOnce } from './hooks-once.ts';
import { datasets } from '../datasets.ts';
import { LeasedCopies } from './leased-copies.ts';
import { LiveCopies } from './live-copies.ts';
import { MarksGrow } from './marks-grow.ts';
import { OneCertificate } from './one-certificate.ts';
import { OneLeader } from './one-leader.ts';
import { OneLive } from './one-live.ts';
import { PerGeneration } from './per-generation.ts';
import { QuorumHolds } from './quorum-holds.ts';
import { SameState } from './same-state.ts';
import { SitesByMajority } from './sites-by-majority.ts';
import { StandbyWaits } from './standby-waits.ts';
import { VotesKept } from './votes-kept.ts';

/** One for each thing that must never be. Where more is broken than a log bears, fewer promises are left. */
export function checkersOf(cluster: ControlCluster): readonly ControlChecker[] {
  const { faults } = cluster.plan;
  const diskOf = (agent: AgentKey) => cluster.of(agent)?.disk;
  const bounded = new Bounded(() => cluster.world.pending);
  const always = [new OneCertificate(), new Authorized(), bounded];
  const liars = new Set(
    faults.flatMap((one) => (one.kind === 'liar' ? [one.agent % cluster.agents.length] : [])),
  );
  const isLiar = (agent: AgentKey): boolean =>
    cluster.agents.some((one, i) => one.agentKey === agent && liars.has(i));
  const votesKept = new VotesKept(diskOf, isLiar);
  if (faults.some(({ kind }) => kind === 'lying-leader')) {
    return [...always, new FencesGrow(), votesKept, forksFound(cluster)];
  }
  if (isOverBudget(faults)) return always;
  const isDecreeFalse = (): boolean => faults.some(({ kind }) => kind === 'false-decree');
  const isRunning = (agent: AgentKey): boolean => cluster.of(agent)?.run !== undefined;
  const hasStopped = (agent: AgentKey, dataset: DatasetId): boolean => {
    const name = datasets.find(({ id }) => id === dataset)?.name;
    return name !== undefined && cluster.of(agent)?.guard.hasStopped(name) === true;
  };
  return [
    ...always,
    new OneLeader(),
    new SameState({ isOneVersion: !faults.some(({ kind }) => kind === 'upgrade') }),
    new PerGeneration(() => new OneLive(cluster.cast.cluster, cluster.cast.byzantineVoters)),
    new LiveCopies({ truth: cluster.truth, isRunning, hasStopped, isDecreeFalse }),
    new LeasedCopies((name) => usedAt(cluster, name)),
    new FencesGrow(),
    new HooksOnce(),
    new PerGeneration(() => new MarksGrow()),
    new PerGeneration(() => new CurrentFences()),
    new PerGeneration(() => new QuorumHolds(diskOf)),
    new PerGeneration(() => new StandbyWaits()),
    new PerGeneration(() => new SitesByMajority(diskOf, cluster.cast.cluster)),
    new PerGeneration(() => new EquivocationFound(diskOf, cluster.cast.cluster)),
    votesKept,
    new GenerationsGrow(),
    cluster.notice,
  ];
}

/** Hosts at which programs of a dataset really run. */
function usedAt({ agents, truth }: ControlCluster, name: string): AgentKey[] {
  const id = datasets.find((one) => one.name === name)?.id;
  const used = agents.filter(
    ({ guard, agentKey }) =>
      guard.isUsed(name) && (id === undefined || !truth.isPoweredOff(agentKey, id)),
  );
  return used.map(({ agentKey }) => agentKey);
}

function forksFound(cluster: ControlCluster): ForksFound {
  const { agents, world } = cluster;
  const running = () => agents.flatMap(({ run }) => run ?? []);
  return new ForksFound({
    isLed: () => running().some(({ control }) => control.isLeading),
    found: () => running().reduce((sum, { checkpoints }) => sum + checkpoints.forks.size, 0),
    meet: (what) => world.meet(what),
  });
}
