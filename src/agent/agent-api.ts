import { printable } from '../base/bytes.ts';
import { HoldfastError } from '../core/errors.ts';
import { clusterStream } from '../core/format/statement.ts';
import type { AgentKey, DatasetId } from '../core/ids.ts';
import { shortId } from '../core/ids.ts';
import { PathPattern } from '../core/policy/path-pattern.ts';
import { revokedRoles } from '../core/protocol/control/member-book.ts';
import type { CheckProgress } from '../services/check.ts';
import type { ManifestRecord } from '../services/ledger.ts';
import { normalisePath, Selection } from '../services/selection.ts';
import { stoppable } from '../services/stoppable.ts';
import type { Agent } from './agent.ts';
import type {
  AgentApi,
  BackupRequest,
  DatasetStatus,
  IdentityReport,
  PeerReport,
  SnapshotFilter,
  SnapshotReport,
  StatusReport,
} from './api.ts';
import { auditApi } from './audit-api.ts';
import { bandwidthApi } from './bandwidth-api.ts';
import { backupEvents } from './backup-events.ts';
import type { CheckEvent, CheckRequest } from './check-types.ts';
import { contradictions } from './contradictions.ts';
import { coordinatorApi, coordinatorStatus } from './coordinator-api.ts';
import { decreeApi } from './coordinator-decree-api.ts';
import { grantApi } from './grant-api.ts';
import { datasetApi } from './dataset-api.ts';
import { alertApi } from './alert-api.ts';
import { drillApi, drillStatus, drillWarnings } from './drill-api.ts';
import { keepingApi, keepingWarnings } from './keeping-api.ts';
import { snapshotKeeping } from './keeping-report.ts';
import { keyApi } from './key-api.ts';
import { keyWarnings } from './key-report.ts';
import { layoutApi } from './layout-api.ts';
import { expulsionReport, membershipWarnings } from './membership-loss.ts';
import { metricsApi } from './metrics/metrics-api.ts';
import { oldCodeReport } from './old-code.ts';
import { planApi } from './plan-api.ts';
import { policyApi } from './policy-api.ts';
import { badRecords } from './record-check.ts';
import { snapshotReport } from './snapshot-report.ts';
import { statsApi } from './stats-api.ts';
import { coldStatus, hotCopies, storeApi, tierWarnings } from './store-api.ts';
import type { HotCopyReport } from './store-types.ts';
import { possessionOf, scrubStatus, upkeepApi, upkeepWarnings } from './upkeep-api.ts';
import { namesOf, suspicionReport, tripwireApi, tripwireWarnings } from './tripwire-api.ts';
import { trustApi } from './trust-api.ts';
import { validateApi } from './validate-api.ts';

/** The agent's answers to its clients. */
export function agentApi(agent: Agent, stop: () => void): AgentApi {
  return {
    identity: () => Promise.resolve(identityReport(agent)),
    status: () => statusReport(agent),
    peers: () => Promise.resolve(peerReports(agent)),
    ping: (peer) => ping(agent, peer),
    snapshots: (filter) => snapshotReports(agent, filter),
    backup: (request) => backupEvents(agent, request),
    check: (request) => stoppable((signal) => checkEvents(agent, request, signal)),
    operatorHead: (operator) => Promise.resolve(operatorHead(agent, operator)),
    submit: (envelope) => submit(agent, envelope),
    rebuildIndex: () => rebuildIndex(agent),
    ...coordinatorApi(agent),
    ...decreeApi(agent),
    ...layoutApi(agent),
    ...keyApi(agent),
    ...datasetApi(agent),
    ...keepingApi(agent),
    ...policyApi(agent),
    ...tripwireApi(agent),
    ...trustApi(agent),
    ...upkeepApi(agent),
    ...storeApi(agent),
    ...auditApi(agent),
    ...planApi(agent),
    ...alertApi(agent),
    ...drillApi(agent),
    ...metricsApi(agent),
    ...grantApi(agent),
    ...statsApi(agent),
    ...bandwidthApi(agent),
    ...validateApi(agent),
    shutdown: () => {
      stop();
      return Promise.resolve();
    },
  };
}

function identityReport(agent: Agent): IdentityReport {
  const { ledger, network, version } = agent;
  const self = agent.member();
  return {
    clusterId: ledger.cluster,
    clusterName: ledger.roster.genesis.name,
    name: self.name,
    site: self.site,
    region: self.region,
    roles: [...self.roles],
    peerKey: self.peerKey,
    agentKey: self.agentKey,
    addresses: [...network.addresses()],
    version,
  };
}

async function statusReport(agent: Agent): Promise<StatusReport> {
  const { ledger, status } = agent;
  const datasets: DatasetStatus[] = [];
  const copies = await hotCopies(agent);
  for (const state of await status.datasets()) {
    datasets.push(datasetStatus(agent, state, copies.get(state.dataset.id)));
  }
  const scrub = scrubStatus(agent);
  const expulsion = expulsionReport(agent);
  const cold = coldStatus(agent);
  const twofold = contradictions(agent);
  return {
    ...(expulsion === undefined ? {} : { expulsion }),
    ...(scrub === undefined ? {} : { scrub }),
    ...(cold === undefined ? {} : { cold }),
    agent: identityReport(agent),
    sites: ledger.roster.sites().map(({ site, region, members }) => ({
      site,
      region,
      members: members.length,
      reachable: members.filter((member) => status.isReachable(member.agentKey)).length,
    })),
    policy: { surviveSites: ledger.roster.policy.surviveSites, words: status.words() },
    coordinator: coordinatorStatus(agent),
    datasets,
    contradictions: twofold,
    warnings: [
      ...membershipWarnings(agent),
      ...tripwireWarnings(agent),
      ...keepingWarnings(agent),
      ...drillWarnings(agent),
      ...upkeepWarnings(agent),
      ...tierWarnings(agent, copies.values()),
      ...status.warnings(),
      ...twofold.map(({ text }) => `${text}: its statements there are frozen`),
      ...(await keyWarnings(agent)),
    ],
  };
}

type DatasetState = Awaited<ReturnType<Agent['status']['datasets']>>[number];

function datasetStatus(
  agent: Agent,
  state: DatasetState,
  hot: HotCopyReport[] | undefined,
): DatasetStatus {
  const { dataset, newest, pending } = state;
  const nowMs = agent.clock.nowMs();
  return {
    name: dataset.name,
    id: dataset.id,
    source: agent.nameOf(dataset.writer),
    ...(state.isShredded && { isShredded: true }),
    ...(newest === undefined
      ? {}
      : {
          restorable: {
            snapshot: newest.record.hash,
            state: newest.state,
            timeMs: newest.record.statement.timeMs,
            ageMs: Math.max(0, nowMs - newest.record.statement.timeMs),
            isRestorableNow: newest.now.isRecoverable,
            sites: [...newest.now.sites],
            sitesMayFail: newest.now.sitesMayFail,
            bytes: newest.record.manifest.totals.bytes,
          },
        }),
    ...(pending === undefined
      ? {}
      : {
          pending: {
            snapshot: pending.record.hash,
            state: pending.durability.state,
            timeMs: pending.record.statement.timeMs,
            missing: [...pending.missing],
          },
        }),
    snapshots: state.snapshots,
    drill: drillStatus(agent, dataset),
    words: newest?.words ?? agent.status.words(),
    ...(hot === undefined ? {} : { hot }),
    ...(newest?.oldCode !== undefined && {
      oldCode: oldCodeReport(agent, dataset, newest.oldCode),
    }),
  };
}

function rolesTaken(agent: Agent, key: AgentKey): string[] {
  const known = agent.control.log.state.members.record(key);
  return known === undefined ? [] : revokedRoles(known);
}

function peerReports(agent: Agent): PeerReport[] {
  const usage = agent.store?.usage();
  return agent.peers.report().map((facts): PeerReport => {
    const isSelf = facts.state === 'self';
    const lag = isSelf ? 0 : agent.sync.lag(facts.member.peerKey);
    const freeBytes = isSelf ? usage?.freeBytes : facts.freeBytes;
    const shards = isSelf ? usage?.shards : facts.shards;
    const shardBytes = isSelf ? usage?.bytes : facts.shardBytes;
    const version = isSelf ? agent.version : facts.version;
    const possession = possessionOf(agent, facts.member);
    return {
      name: facts.member.name,
      site: facts.member.site,
      region: facts.member.region,
      roles: [...facts.member.roles],
      revoked: rolesTaken(agent, facts.member.agentKey),
      state: facts.state,
      path: facts.path,
      ...(facts.pathReason !== undefined && { pathReason: facts.pathReason }),
      address: facts.address,
      ...(lag === undefined ? {} : { lag }),
      ...(freeBytes === undefined ? {} : { freeBytes }),
      ...(shards === undefined ? {} : { shards }),
      ...(shardBytes === undefined ? {} : { shardBytes }),
      ...(facts.lastSeenMs === undefined ? {} : { lastSeenMs: facts.lastSeenMs }),
      ...(facts.clockSkewMs === undefined ? {} : { clockSkewMs: facts.clockSkewMs }),
      ...(version === undefined ? {} : { version }),
      peerKey: facts.member.peerKey,
      agentKey: facts.member.agentKey,
      ...(possession === undefined ? {} : { possession }),
    };
  });
}

async function ping(
  agent: Agent,
  name: string,
): Promise<{ peer: string; roundTripMs: number; path: string }> {
  const member = agent.ledger.roster.memberByName(name);
  const connection = agent.network.connections().find(({ peer }) => peer === member.peerKey);
  if (member.agentKey === agent.member().agentKey) {
    return { peer: member.name, roundTripMs: 0, path: 'self' };
  }
  const roundTripMs = await agent.network.ping(member.peerKey);
  return { peer: member.name, roundTripMs, path: connection?.path ?? 'direct' };
}

async function snapshotReports(agent: Agent, filter: SnapshotFilter): Promise<SnapshotReport[]> {
  const { ledger, view, lines } = agent;
  const dataset: DatasetId | undefined =
    filter.dataset === undefined ? undefined : lines.find(filter.dataset).id;
  const onLine = lines.onLine(dataset);
  const reports: SnapshotReport[] = [];
  const verdicts = agent.suspicion.verdicts(dataset);
  // What is gone cannot be restored: it would only be in the way.
  const wanted = ledger
    .manifests(dataset)
    .filter((record) => hasTags(record, filter.tags) && hasText(record, filter.text))
    .map((record) => ({ record, keeping: snapshotKeeping(agent, record) }))
    .filter(({ keeping }) => keeping.stage !== 'gone');
  for (const { record, keeping } of pageOf(wanted, filter.page)) {
    const suspicion = suspicionReport(verdicts.get(record.hash), namesOf(agent));
    const isOnLine = onLine.has(record.hash);
    const report = snapshotReport(ledger, record, await view.assess(record), isOnLine);
    const isShredded = agent.keys.isShredded(record);
    reports.push({
      ...report,
      keeping,
      ...(suspicion !== undefined && { suspicion }),
      ...(isShredded && { isShredded }),
    });
  }
  return reports;
}

/** The page that stands so far from the end. */
function pageOf<T>(all: readonly T[], page: SnapshotFilter['page']): readonly T[] {
  if (page === undefined) return all;
  const end = Math.max(0, all.length - page.skip);
  return all.slice(Math.max(0, end - page.count), end);
}

/** True when it carries every tag asked for. */
export function hasTags(record: ManifestRecord, tags: readonly string[] | undefined): boolean {
  return (tags ?? []).every((tag) => record.manifest.tags.includes(tag));
}

/** What a person may know of a snapshot that is looked for. */
function hasText({ hash, manifest, statement }: ManifestRecord, text = ''): boolean {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return true;
  const moment = new Date(statement.timeMs).toISOString().replace('T', ' ');
  return (
    [hash, moment].some((one) => one.startsWith(wanted)) ||
    [manifest.host, ...manifest.tags].some((one) => one.toLowerCase().includes(wanted))
  );
}

async function* checkEvents(
  agent: Agent,
  request: CheckRequest,
  signal: AbortSignal,
): AsyncGenerator<CheckEvent> {
  const { ledger } = agent;
  const dataset = request.dataset === undefined ? undefined : agent.lines.find(request.dataset).id;
  const records = ledger.manifests(dataset).filter((record) => !agent.packUse.isDiscarded(record));
  let bad = 0;
  for await (const event of badRecords(agent, request, { records, signal })) {
    bad++;
    yield event;
  }
  const { readData, subset } = request;
  const scope = { readData, records, ...(subset !== undefined && { subset }) };
  const run = agent.check.run(scope, signal);
  for await (const progress of run) yield checkEvent(progress, bad);
}

function checkEvent(progress: CheckProgress, bad: number): CheckEvent {
  if (progress.kind === 'status') {
    const { packsDone, packsTotal, peer } = progress;
    return { type: 'status', packsDone, packsTotal, peer };
  }
  if (progress.kind === 'problem') return { type: 'problem', ...progress.problem };
  const { peersUnreachable, ...counts } = progress.result;
  const peers = { peersUnreachable: [...peersUnreachable] };
  return { type: 'summary', summary: { ...counts, ...peers, badRecords: bad } };
}

function operatorHead(agent: Agent, operator: string): { sequence: number; hash: string } {
  if (!agent.ledger.roster.isOperator(operator as AgentKey)) {
    throw new HoldfastError(
      'not-permitted',
      `${shortId(operator as AgentKey)} is not an operator here`,
    );
  }
  const head = agent.ledger.head(operator, clusterStream);
  const hash = head?.hash ?? new Uint8Array(32);
  return { sequence: head?.sequence ?? 0, hash: Buffer.from(hash).toString('hex') };
}

async function submit(agent: Agent, envelope: string): Promise<{ hash: string }> {
  const bytes = new Uint8Array(Buffer.from(envelope, 'base64'));
  // What operators say through an agent is about membership, which a minority does not decide.
  await agent.control.log.confirm();
  const { hash } = await agent.ledger.appendSigned(bytes);
  return { hash };
}

async function rebuildIndex(
  agent: Agent,
): Promise<{ shards: number; quarantined: number; statements: number }> {
  const statements = agent.ledger.heads().reduce((sum, head) => sum + head.sequence, 0);
  const { shards, quarantined } = (await agent.store?.rebuild()) ?? { shards: 0, quarantined: 0 };
  return { shards, quarantined, statements };
}

/** What a request selects. @throws HoldfastError usage */
export function selectionOf(
  request: BackupRequest,
  paths: readonly Uint8Array[],
  stateDir: Uint8Array,
): { selection: Selection; paths: readonly Uint8Array[] } {
  const normal = paths.map((path) => {
    const normalised = normalisePath(path);
    if (normalised === undefined) {
      throw new HoldfastError('usage', `${printable(path)} is not an absolute path`);
    }
    return normalised;
  });
  const excludes = [
    ...request.exclude.map((text) => PathPattern.parse(text)),
    ...request.iexclude.map((text) => PathPattern.parse(text, { ignoreCase: true })),
  ];
  const selection = new Selection({
    paths: normal,
    excludes,
    excludeIfPresent: request.excludeIfPresent,
    excludeCaches: request.excludeCaches,
    excludeLargerThan: request.excludeLargerThan,
    oneFileSystem: request.oneFileSystem,
    leaves: [stateDir],
  });
  return { selection, paths: normal };
}
