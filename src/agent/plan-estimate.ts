import { fromUtf8 } from '../base/bytes.ts';
import { MiB, secondMs } from '../base/units.ts';
import type { PlanDataset, RestorePlan } from '../core/policy/restore-plan.ts';
import type { Agent } from './agent.ts';
import type { DatasetEstimate, PlanEstimate } from './plan-types.ts';

/** Less than this says more about starting than about the rate. */
const measuredBytesMin = 1 * MiB;

/** What carrying a plan out will take, as this host sees the cluster now. */
export async function estimatePlan(agent: Agent, plan: RestorePlan): Promise<PlanEstimate> {
  const datasets: DatasetEstimate[] = [];
  const sites = new Set<string>();
  for (const dataset of plan.datasets) {
    const estimate = await estimateDataset(agent, dataset);
    for (const site of estimate.known?.sites ?? []) sites.add(site);
    datasets.push(estimate);
  }
  const sum = (of: 'bytes' | 'fetchBytes'): number =>
    datasets.reduce((total, { known }) => total + (known?.[of] ?? 0), 0);
  const bytes = sum('bytes');
  const rate = measuredRate(agent, plan.target.site);
  return {
    datasets,
    bytes,
    fetchBytes: sum('fetchBytes'),
    sites: [...sites].sort(),
    ...(rate === undefined
      ? {}
      : { measured: { bytesPerSecond: rate, durationMs: Math.ceil((bytes / rate) * secondMs) } }),
  };
}

async function estimateDataset(agent: Agent, dataset: PlanDataset): Promise<DatasetEstimate> {
  const { ledger, view, status, clock } = agent;
  const { name, snapshot, writer, id } = dataset;
  const record = ledger.manifest(snapshot);
  if (record === undefined) return { name, snapshot };
  const all = await view.assess(record);
  const now = await view.assess(record, (member) => status.isReachable(member));
  const { timeMs } = record.statement;
  const anchor = agent.control.log.state.anchors.of(writer, id)?.head;
  return {
    name,
    snapshot,
    known: {
      source: agent.nameOf(writer),
      state: all.state,
      isAnchored: (anchor?.sequence ?? 0) >= record.manifest.sequence,
      timeMs,
      ageMs: Math.max(0, clock.nowMs() - timeMs),
      bytes: record.manifest.totals.bytes,
      fetchBytes: all.packs.reduce((sum, { size }) => sum + size, 0),
      sites: [...now.sites],
      isRestorableNow: now.isRecoverable,
    },
  };
}

/** Bytes a second of the newest restore that a plan has made; at this site, if there was one. */
function measuredRate(agent: Agent, site: string): number | undefined {
  const { plans, members } = agent.control.log.state;
  const measured = plans
    .all()
    .flatMap(({ runs }) => runs)
    .flatMap(({ steps }) => [...steps.values()])
    .filter(({ state }) => state === 'done')
    .map(({ worker, evidence, index }) => {
      const isHere = worker !== undefined && members.of(worker)?.site === site;
      return { isHere, index, rate: rateIn(evidence) };
    })
    .sort((a, b) => Number(b.isHere) - Number(a.isHere) || b.index - a.index);
  return measured.find(({ rate }) => rate !== undefined)?.rate;
}

/** Of what a restore step leaves as its evidence: see RestoreStep. */
function rateIn(evidence: Uint8Array): number | undefined {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(evidence) ?? '');
  } catch {
    // Evidence of other kinds of steps need not be JSON.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { bytes, durationMs } = value as { bytes?: unknown; durationMs?: unknown };
  if (typeof bytes !== 'number' || typeof durationMs !== 'number') return undefined;
  if (bytes < measuredBytesMin || durationMs <= 0) return undefined;
  return (bytes * secondMs) / durationMs;
}
