import { gauge, type MetricFamily, type MetricSample } from '../../base/metric-text.ts';
import { secondMs } from '../../base/units.ts';
import type { DatasetRecord } from '../../core/protocol/roster.ts';
import { isRehearsal } from '../../services/drill/drill-history.ts';
import type { Agent } from '../agent.ts';

type Stage = 'committed' | 'anchored' | 'verified';
type DatasetState = Awaited<ReturnType<Agent['status']['datasets']>>[number];

/** How old what can be restored is, and whether it can. */
export async function datasetMetrics(agent: Agent): Promise<MetricFamily[]> {
  const nowMs = agent.clock.nowMs();
  const ages: MetricSample[] = [];
  const nevers: MetricSample[] = [];
  const states = await agent.status.datasets();
  for (const state of states) {
    const labels = labelsOf(agent, state.dataset);
    for (const [stage, timeMs] of Object.entries(stageTimes(agent, state))) {
      nevers.push({ labels: { ...labels, stage }, value: timeMs === undefined ? 1 : 0 });
      if (timeMs === undefined) continue;
      ages.push({ labels: { ...labels, stage }, value: Math.max(0, nowMs - timeMs) / secondMs });
    }
  }
  nevers.push(...unknownOnes(agent, states));
  return [
    gauge(
      'holdfast_snapshot_age_seconds',
      'Age of the newest snapshot that has reached the stage.',
      ages,
    ),
    gauge('holdfast_snapshot_never', '1: no snapshot has ever reached the stage.', nevers),
    ...objectiveMetrics(agent, states),
    gauge(
      'holdfast_dataset_restorable',
      '1: the peers that are reachable now can rebuild the newest snapshot.',
      each(agent, states, ({ newest }) => (newest?.now.isRecoverable === true ? 1 : 0)),
    ),
    gauge(
      'holdfast_dataset_spare_sites',
      'How many more reachable sites may fail before the newest snapshot cannot be rebuilt.',
      each(agent, states, ({ newest }) => newest?.now.sitesMayFail),
    ),
    gauge(
      'holdfast_dataset_snapshots',
      'Snapshots of the dataset.',
      each(agent, states, ({ snapshots }) => snapshots),
    ),
    gauge(
      'holdfast_dataset_size_bytes',
      'Size of the newest snapshot.',
      each(agent, states, ({ newest }) => newest?.record.manifest.totals.bytes),
    ),
    gauge(
      'holdfast_dataset_old_code_bytes',
      'Data packs of the newest snapshot that would gain by the code of today, before coding.',
      each(agent, states, ({ newest }) => newest && (newest.oldCode?.bytes ?? 0)),
    ),
  ];
}

function labelsOf(agent: Agent, { name, writer }: DatasetRecord): Record<string, string> {
  return { dataset: name, source: agent.nameOf(writer) };
}

function each(
  agent: Agent,
  states: readonly DatasetState[],
  of: (state: DatasetState) => number | undefined,
): MetricSample[] {
  return states.flatMap((state) => {
    const value = of(state);
    return value === undefined ? [] : [{ labels: labelsOf(agent, state.dataset), value }];
  });
}

/** When the newest snapshot of each stage was made; by the clock of its source. */
function stageTimes(agent: Agent, state: DatasetState): Record<Stage, number | undefined> {
  const { dataset, newest } = state;
  const committed = newest?.state === 'committed' ? newest.record.statement.timeMs : undefined;
  const anchor = agent.control.log.state.anchors.of(dataset.writer, dataset.id);
  const anchored = anchor === undefined ? undefined : agent.ledger.manifest(anchor.head.hash);
  const verified = agent.drills.history
    .of(dataset.id)
    .filter(({ report }) => report.outcome !== 'failed' && isRehearsal(report))
    .map(({ report }) => report.snapshot?.timeMs)
    .filter((timeMs) => timeMs !== undefined);
  return {
    committed,
    anchored: anchored?.statement.timeMs,
    verified: verified.length === 0 ? undefined : Math.max(...verified),
  };
}

/** Configured here, and never begun: the cluster knows nothing of them, so nobody else can miss them. */
function unknownOnes(agent: Agent, states: readonly DatasetState[]): MetricSample[] {
  const self = agent.member();
  if (!self.hasRole('source')) return [];
  const known = new Set(states.map(({ dataset }) => dataset.name));
  return agent.configuredDatasets
    .filter((dataset) => !known.has(dataset))
    .flatMap((dataset) =>
      (['committed', 'anchored', 'verified'] as const).map((stage) => ({
        labels: { dataset, source: self.name, stage },
        value: 1,
      })),
    );
}

/** What the policy asks, so that alert rules need no numbers of their own. */
function objectiveMetrics(agent: Agent, states: readonly DatasetState[]): MetricFamily[] {
  const ruleOf = ({ dataset }: DatasetState) => agent.ledger.roster.ruleFor(dataset.ruleName);
  const last = (state: DatasetState) =>
    agent.drills.history.of(state.dataset.id).findLast(({ report }) => isRehearsal(report));
  const seconds = (ms: number | undefined): number | undefined =>
    ms === undefined ? undefined : ms / secondMs;
  const outcomes = states.flatMap((state): MetricSample[] => {
    const outcome = last(state)?.report.outcome;
    if (outcome === undefined) return [];
    return [{ labels: { ...labelsOf(agent, state.dataset), outcome }, value: 1 }];
  });
  return [
    gauge(
      'holdfast_objective_rpo_seconds',
      'The policy: the newest committed snapshot is never older.',
      each(agent, states, (state) => seconds(ruleOf(state).objectives?.rpoMs)),
    ),
    gauge(
      'holdfast_objective_rto_seconds',
      'The policy: a restore takes no longer.',
      each(agent, states, (state) => seconds(ruleOf(state).objectives?.rtoMs)),
    ),
    gauge(
      'holdfast_drill_every_seconds',
      'The policy: the dataset is drilled at least so often.',
      each(agent, states, (state) => seconds(ruleOf(state).drill?.everyMs)),
    ),
    gauge(
      'holdfast_drill_due',
      '1: the policy asks for a drill that is overdue.',
      each(agent, states, ({ dataset }) => {
        const due = agent.drills.history.stateOf(dataset);
        if (due === 'unasked') return undefined;
        return due === 'overdue' || due === 'never' ? 1 : 0;
      }),
    ),
    gauge(
      'holdfast_drill_last_timestamp_seconds',
      'When the last drill of the dataset ended.',
      each(agent, states, (state) => seconds(last(state)?.report.endedMs)),
    ),
    gauge('holdfast_drill_last_outcome', 'How the last drill of the dataset ended.', outcomes),
    gauge(
      'holdfast_drill_last_rto_seconds',
      'How long the restore of the last drill took.',
      each(agent, states, (state) => seconds(last(state)?.report.times.rtoMs)),
    ),
    gauge(
      'holdfast_drill_last_rpo_seconds',
      'Age of the newest committed snapshot when the last drill began.',
      each(agent, states, (state) => seconds(last(state)?.report.times.rpoMs)),
    ),
  ];
}
