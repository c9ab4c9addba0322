import { HoldfastError } from '../core/errors.ts';
import type { DatasetId, StatementHash } from '../core/ids.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import { selectSnapshot } from '../services/select-snapshot.ts';
import type { Agent } from './agent.ts';
import { overBudgetText } from './budget-rules.ts';
import { hearNews } from './coordinator-news.ts';
import {
  datasetName,
  expiryReports,
  holdReport,
  lockStanding,
  quarantineReports,
  retentionReport,
  trashReport,
} from './keeping-report.ts';
import { budgetWarnings } from './refusal-report.ts';
import type {
  KeepingApi,
  KeepingReport,
  ProposedReport,
  PruneReport,
  SnapshotRef,
} from './keeping-types.ts';

export function keepingApi(agent: Agent): KeepingApi {
  return {
    keeping: async () => {
      await hearNews(agent);
      return keepingReport(agent);
    },
    resolveSnapshots: async ({ snapshots, dataset }) =>
      snapshots.map((text) => resolveSnapshot(agent, text, dataset)),
    retention: async ({ dataset }) => {
      await hearNews(agent);
      const streams = await agent.keeping.retention.streams(datasetId(agent, dataset));
      return streams.map((stream) => retentionReport(agent, stream));
    },
    proposeExpiry: ({ dataset }) => proposeExpiry(agent, dataset),
    prune: () => prune(agent),
  };
}

function keepingReport(agent: Agent): KeepingReport {
  const { state } = agent.control.log;
  const { hostClock, locks } = agent.keeping;
  const { name, agentKey } = agent.member();
  const timeMs = hostClock.nowMs();
  const { freeze } = hostClock;
  return {
    ...(timeMs === undefined ? {} : { timeMs }),
    logTimeMs: state.time.nowMs,
    ...(freeze === undefined ? {} : { freeze: { ...freeze } }),
    isLedgerDamaged: locks.isDamaged,
    self: { name, agentKey },
    holds: state.holds.all().map((hold) => holdReport(agent, hold)),
    expiries: state.fates.all().flatMap((fate) => expiryReports(agent, fate)),
    quarantines: state.fates.all().flatMap((fate) => quarantineReports(agent, fate)),
    trash: trashReport(agent),
  };
}

function resolveSnapshot(agent: Agent, text: string, datasetName: string | undefined): SnapshotRef {
  const { ledger } = agent;
  const choices = ledger.manifests().map((record) => ({
    id: record.hash,
    dataset: record.manifest.dataset,
    datasetName: nameOf(agent, record),
    sequence: record.manifest.sequence,
    timeMs: record.statement.timeMs,
  }));
  const { snapshot } = selectSnapshot(choices, text, { datasetName, isUsable: () => true });
  return snapshotRef(agent, snapshot.id);
}

function snapshotRef(agent: Agent, id: StatementHash): SnapshotRef {
  const record = agent.ledger.manifest(id) as ManifestRecord;
  const { writer } = record.statement;
  return {
    id,
    dataset: nameOf(agent, record),
    datasetId: record.manifest.dataset,
    source: agent.nameOf(writer),
    writer,
    sequence: record.manifest.sequence,
    lock: lockStanding(agent, record),
  };
}

function nameOf({ ledger }: Agent, { statement, manifest }: ManifestRecord): string {
  return ledger.roster.datasetOf(statement.writer, manifest.dataset)?.name ?? manifest.dataset;
}

/** What a person should do something about, each with the next command. */
export function keepingWarnings(agent: Agent): string[] {
  const { freeze } = agent.keeping.hostClock;
  const said = agent.statementBudget.over().map((one) => overBudgetText(agent, one));
  const over = [...said, ...budgetWarnings(agent)];
  if (freeze === undefined) return over;
  const text = `this host deletes nothing: ${freeze.reason}. Look at it, then: holdfast peer thaw`;
  return [text, ...over];
}

function datasetId({ ledger }: Agent, name: string | undefined): DatasetId | undefined {
  return name === undefined ? undefined : ledger.roster.dataset(name).id;
}

async function proposeExpiry(agent: Agent, name: string | undefined): Promise<ProposedReport[]> {
  const { log } = agent.control;
  await log.confirm();
  const { leader } = log.status();
  if (!log.isLeading) {
    const who = leader === undefined ? 'nobody' : agent.nameOf(leader);
    throw new HoldfastError(
      'not-permitted',
      `only who coordinates proposes what expires, and that is ${who}`,
      { next: `run it on ${who}; by itself it happens there a few times a week` },
    );
  }
  const proposed = await agent.keeping.expiry.propose(datasetId(agent, name));
  return proposed.map(({ dataset, ...rest }) => ({
    dataset: datasetName(agent, dataset),
    ...rest,
  }));
}

async function prune(agent: Agent): Promise<PruneReport> {
  const { trash } = agent.keeping;
  if (trash === undefined) {
    throw new HoldfastError('not-permitted', 'this host stores nothing for the cluster', {
      next: 'run it on a host with the role storage: holdfast peer list',
    });
  }
  const { reasons, ...counts } = await trash.round();
  return { ...counts, reasons: [...reasons], trash: trashReport(agent) };
}
