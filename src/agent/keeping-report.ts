import { type AgentKey, type DatasetId, shortId } from '../core/ids.ts';
import { durationText } from '../core/policy/policy-quantity.ts';
import type { Retention } from '../core/policy/policy-terms.ts';
import { countOf, hasSequence, rangesText } from '../core/policy/sequence-ranges.ts';
import type { ControlState } from '../core/protocol/control/control-state.ts';
import { type Fate, stageOf } from '../core/protocol/control/fate.ts';
import type { HoldRecord } from '../core/protocol/control/hold-book.ts';
import type { SnapshotLock } from '../ports/lock-ledger.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import type { JudgedStream } from '../services/retention-view.ts';
import type { Agent } from './agent.ts';
import type {
  ExpiryReport,
  HoldReport,
  LockStanding,
  QuarantineReport,
  RetentionReport,
  SnapshotKeeping,
} from './keeping-types.ts';

/** What is decided of a snapshot, and what this host keeps to. */
export function snapshotKeeping(agent: Agent, record: ManifestRecord): SnapshotKeeping {
  return keepingBy(agent.control.log.state, record, agent.keeping.locks.of(record.hash));
}

/** What the log decides of a snapshot, beside the lock that a host has put on it. */
export function keepingBy(
  { fates, holds }: Pick<ControlState, 'fates' | 'holds'>,
  { statement, manifest }: ManifestRecord,
  lock?: SnapshotLock,
): SnapshotKeeping {
  const { sequence, dataset } = manifest;
  const fate = fates.of(statement.writer, dataset);
  const stage = stageOf(fate, sequence);
  const expiry = fate?.expiries.find(({ ranges }) => hasSequence(ranges, sequence));
  const endsMs = stage === 'live' ? undefined : endOf(expiry?.wait);
  const hold = holds.covering(dataset, statement.writer, sequence);
  return {
    stage,
    ...(endsMs === undefined ? {} : { stageEndsMs: endsMs }),
    ...(lock === undefined ? {} : lockField(lock, hasSequence(fate?.unlocked ?? [], sequence))),
    ...(hold === undefined ? {} : { hold: hold.reason }),
  };
}

/** Whether there is a lock that operators could end. */
export function lockStanding(agent: Agent, record: ManifestRecord): LockStanding {
  const { statement, manifest, hash } = record;
  const { fates, policy } = agent.control.log.state;
  const fate = fates.of(statement.writer, manifest.dataset);
  if (hasSequence(fate?.unlocked ?? [], manifest.sequence)) return { state: 'unlocked' };
  const lock = agent.keeping.locks.of(hash);
  const named = agent.ledger.roster.datasetOf(statement.writer, manifest.dataset);
  const rule = policy.ruleFor(named?.ruleName ?? '').lock;
  if (lock === undefined) return { state: rule?.mode === 'governance' ? 'pending' : 'none' };
  const { complianceMs, governanceMs } = lock;
  const untilMs = Math.max(complianceMs, governanceMs);
  if (untilMs === 0) return { state: 'none' };
  if (untilMs <= (agent.keeping.hostClock.nowMs() ?? 0)) return { state: 'over', untilMs };
  return { state: governanceMs > complianceMs ? 'governance' : 'compliance', untilMs };
}

function lockField(
  { complianceMs, governanceMs }: { complianceMs: number; governanceMs: number },
  isUnlocked: boolean,
): Pick<SnapshotKeeping, 'lock'> {
  if (!isUnlocked && governanceMs > complianceMs) {
    return { lock: { mode: 'governance', untilMs: governanceMs } };
  }
  return complianceMs === 0 ? {} : { lock: { mode: 'compliance', untilMs: complianceMs } };
}

function endOf(
  wait: { sinceMs: number | undefined; lengthMs: number } | undefined,
): number | undefined {
  return wait?.sinceMs === undefined ? undefined : wait.sinceMs + wait.lengthMs;
}

/** The name of a dataset, or the beginning of its id. */
export function datasetName({ ledger }: Agent, id: DatasetId): string {
  return ledger.roster.datasets().find((one) => one.id === id)?.name ?? shortId(id);
}

/** What is on its way out of one stream. */
export function expiryReports(agent: Agent, { dataset, writer, expiries }: Fate): ExpiryReport[] {
  return expiries.map(({ id, ranges, stage, wait }) => {
    const endsMs = endOf(wait);
    return {
      id,
      dataset: datasetName(agent, dataset),
      datasetId: dataset,
      writer,
      source: agent.nameOf(writer),
      sequences: rangesText(ranges),
      snapshots: countOf(ranges),
      stage,
      ...(endsMs === undefined ? {} : { endsMs }),
    };
  });
}

/** The quarantine of one stream, if it is in one. */
export function quarantineReports(
  agent: Agent,
  { dataset, writer, quarantine }: Fate,
): QuarantineReport[] {
  if (quarantine === undefined) return [];
  const names = { dataset: datasetName(agent, dataset), source: agent.nameOf(writer) };
  const { sequence, agent: by, reason } = quarantine;
  return [{ ...names, datasetId: dataset, writer, sequence, by: agent.nameOf(by), reason }];
}

/** What this host has in its trash. */
export function trashReport({ store }: Agent): { shards: number; bytes: number } {
  const trash = store?.trash() ?? [];
  return { shards: trash.length, bytes: trash.reduce((sum, { size }) => sum + size, 0) };
}

/** What retention makes of one stream. */
export function retentionReport(agent: Agent, stream: JudgedStream): RetentionReport {
  const { writer, dataset, haltedBecause, snapshots } = stream;
  const known = agent.ledger.roster.datasetOf(writer, dataset);
  const { retention } = agent.control.log.state.policy.ruleFor(known?.ruleName ?? '');
  return {
    dataset: known?.name ?? shortId(dataset),
    datasetId: dataset,
    source: agent.nameOf(writer),
    writer,
    ...(haltedBecause === undefined ? {} : { haltedBecause }),
    ...(retention === undefined ? {} : { rule: ruleWords(retention) }),
    snapshots: snapshots.map(({ record, decision, stage, lockedUntilMs }) => ({
      id: record.hash,
      sequence: decision.sequence,
      timeMs: record.statement.timeMs,
      tags: [...record.manifest.tags],
      isKept: decision.isKept,
      reasons: [...decision.reasons],
      stage,
      lockedUntilMs,
    })),
  };
}

function ruleWords({ keepWithinMs, keepTags = [], ...counts }: Retention): string {
  const words = Object.entries(counts).map(
    ([field, count]) => `${field.replace('keep', '').toLowerCase()} ${count}`,
  );
  if (keepWithinMs !== undefined) words.push(`within ${durationText(keepWithinMs) ?? '?'}`);
  if (keepTags.length > 0) words.push(`tags ${keepTags.join(' ')}`);
  return words.join(', ');
}

/** One hold. */
export function holdReport(agent: Agent, hold: HoldRecord): HoldReport {
  const { id, dataset, snapshot, reason, sinceMs, authors } = hold;
  const { roster } = agent.ledger;
  const named = roster.datasets().find((one) => one.id === dataset);
  return {
    id,
    dataset: named?.name ?? shortId(dataset),
    datasetId: dataset,
    ...(snapshot === undefined ? {} : { snapshot: heldSnapshot(agent, hold) }),
    reason,
    sinceMs,
    operators: authors.map((key) => operatorName(agent, key)),
  };
}

function heldSnapshot(
  agent: Agent,
  { dataset, snapshot }: HoldRecord,
): { id?: string; writer: string; sequence: number } {
  const { writer = '' as AgentKey, sequence = 0 } = snapshot ?? {};
  const record = agent.ledger
    .manifests(dataset)
    .find((one) => one.statement.writer === writer && one.manifest.sequence === sequence);
  return { ...(record === undefined ? {} : { id: record.hash }), writer, sequence };
}

function operatorName(agent: Agent, key: AgentKey): string {
  const { operators } = agent.ledger.roster.genesis;
  return operators.find((one) => one.key === key)?.name ?? shortId(key);
}
