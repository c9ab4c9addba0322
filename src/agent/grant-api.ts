import { codeOf, HoldfastError } from '../core/errors.ts';
import type { CommandHash, ControlBody, RestoreRequest } from '../core/format/control-records.ts';
import { type AgentKey, idBytes, type StatementHash } from '../core/ids.ts';
import { PathPattern } from '../core/policy/path-pattern.ts';
import { countingFor, signaturesNeeded } from '../core/protocol/control/grant-approval.ts';
import type { Proposal } from '../core/protocol/control/proposal.ts';
import { isGrantUnderWay, type RestoreGrant } from '../core/protocol/control/restore-grant.ts';
import type { TimeWait } from '../core/protocol/control/time-book.ts';
import { aroundStage } from '../services/stage-hooks.ts';
import { selectSnapshot } from '../services/select-snapshot.ts';
import type { Agent } from './agent.ts';
import type { RestoreEvent } from './api.ts';
import { hearNews } from './coordinator-news.ts';
import type {
  GrantApi,
  GrantedRestoreRequest,
  GrantMaterial,
  RestoreGrantReport,
  RestoreWish,
} from './grant-types.ts';
import { operatorName } from './operator-name.ts';

export function grantApi(agent: Agent): GrantApi {
  return {
    requestRestore: (wish) => request(agent, wish),
    restoreGrants: async () => {
      await hearNews(agent);
      return reports(agent);
    },
    grantMaterial: async ({ id }) => {
      // What was approved a moment ago elsewhere counts.
      await agent.control.log.confirm();
      return material(agent, id);
    },
    readPack: async ({ id, ...range }) => {
      const bytes = await agent.grants.readPack(approved(agent, id), range);
      return { bytes: Buffer.from(bytes).toString('base64') };
    },
    restoreGranted: (order) => restore(agent, order),
  };
}

async function request(agent: Agent, wish: RestoreWish): Promise<RestoreGrantReport> {
  const { path, reason, host } = wish;
  const snapshot = chosen(agent, wish);
  const member = host === undefined ? agent.member() : agent.ledger.roster.memberByName(host);
  const lastsMs = wish.lastsMs;
  const isHere = member.agentKey === agent.member().agentKey;
  const id = isHere
    ? await agent.grants.requests.ask({ snapshot, path, lastsMs, reason })
    : await askOther(agent, member.peerKey, { snapshot, path, lastsMs, reason });
  const found = reports(agent).find((one) => one.id === id);
  if (found !== undefined) return found;
  throw new HoldfastError('not-found', `request ${id.slice(0, 8)} has not arrived here yet`, {
    next: 'holdfast restore grants',
  });
}

async function askOther(
  agent: Agent,
  peer: Parameters<Agent['peers']['ask']>[0],
  wish: {
    readonly snapshot: StatementHash;
    readonly path: string;
    readonly lastsMs: number | undefined;
    readonly reason: string;
  },
): Promise<CommandHash> {
  const { snapshot, path, lastsMs = 0, reason } = wish;
  const value = { snapshot: idBytes(snapshot), path, lastsMs: BigInt(lastsMs), reason };
  const answer = await agent.peers.ask(peer, { case: 'askRestore', value });
  await hearNews(agent);
  await agent.control.log.confirm().catch((error: unknown) => {
    if (codeOf(error) === undefined) throw error;
  });
  return Buffer.from(answer.request).toString('hex') as CommandHash;
}

/** @throws HoldfastError not-found | ambiguous | usage */
function chosen(
  agent: Agent,
  { snapshot: text, dataset: datasetName }: RestoreWish,
): StatementHash {
  const { ledger, lines } = agent;
  const onLine = lines.onLine();
  const choices = ledger.manifests().map((record) => ({
    id: record.hash,
    dataset: record.manifest.dataset,
    datasetName:
      nameOf(agent, { writer: record.statement.writer, dataset: record.manifest.dataset }) ?? '',
    sequence: record.manifest.sequence,
    timeMs: record.statement.timeMs,
    isUsable: onLine.has(record.hash) && !agent.keys.isShredded(record),
  }));
  return selectSnapshot(choices, text, { datasetName, isUsable: (one) => one.isUsable }).snapshot
    .id;
}

function nameOf(
  { ledger }: Agent,
  { writer, dataset }: Pick<RestoreRequest, 'writer' | 'dataset'>,
): string | undefined {
  return ledger.roster.datasetOf(writer, dataset)?.ruleName;
}

function reports(agent: Agent): RestoreGrantReport[] {
  const { proposals, restoreGrants } = agent.control.log.state;
  const asked = proposals.all().flatMap((proposal) => {
    const isGranted = restoreGrants.of(proposal.hash) !== undefined;
    return isGranted ? [] : requestReport(agent, proposal);
  });
  const granted = restoreGrants.all().map((grant) => grantReport(agent, grant));
  return [...granted, ...asked];
}

function requestReport(agent: Agent, proposal: Proposal): RestoreGrantReport[] {
  const { hash, state, approvals, denials, reason, wait, command } = proposal;
  const { body } = command;
  if (body.kind !== 'restore-request' || state === 'waiting' || state === 'vetoed') return [];
  // One that was granted long ago has left its proposal, and nothing else.
  const word = state === 'done' ? 'used' : state === 'open' ? 'requested' : state;
  const why = reason === '' ? denials[0]?.reason : reason;
  return [
    {
      ...wordsOf(agent, body),
      ...{ id: hash, state: word },
      approvals: countingNames(
        agent,
        body,
        approvals.map(({ operator }) => operator),
      ),
      ...(state === 'open' ? endOf(wait) : {}),
      ...(state !== 'open' && why !== undefined ? { endReason: why } : {}),
    },
  ];
}

function grantReport(agent: Agent, one: RestoreGrant): RestoreGrantReport {
  const { id, state, request: wanted, approvals, grant, wait, reason } = one;
  return {
    ...wordsOf(agent, wanted),
    ...{ id, state },
    approvals: countingNames(agent, { kind: 'restore-request', ...wanted }, approvals),
    ...(isGrantUnderWay(one) ? endOf(wait) : {}),
    ...(grant?.keys === undefined ? {} : { packs: grant.keys.packs }),
    ...(grant === undefined ? {} : { grantedBy: operatorName(agent, grant.by) }),
    ...(reason === '' ? {} : { endReason: reason }),
  };
}

function countingNames(agent: Agent, body: ControlBody, signers: readonly AgentKey[]): string[] {
  const counting = countingFor(agent.control.log.state, body, signers);
  return counting.map((key) => operatorName(agent, key));
}

function wordsOf(agent: Agent, wanted: RestoreRequest) {
  const { agent: key, dataset: datasetId, name, snapshot, path, reason, lastsMs } = wanted;
  const knownAs = nameOf(agent, wanted);
  return {
    agent: agent.nameOf(key),
    agentKey: key,
    isHere: key === agent.member().agentKey,
    ...{ dataset: name, datasetId, snapshot, path, reason, lastsMs },
    ...(knownAs === undefined ? {} : { knownAs }),
    needed: signaturesNeeded(agent.control.log.state, { kind: 'restore-request', ...wanted }),
  };
}

function endOf({ sinceMs, lengthMs }: TimeWait): { endsMs?: number } {
  return sinceMs === undefined ? {} : { endsMs: sinceMs + lengthMs };
}

function approved(agent: Agent, id: string): RestoreGrant {
  const found = agent.control.log.state.restoreGrants.of(id as CommandHash);
  if (found?.state === 'approved') return found;
  const what = found === undefined ? 'not approved' : found.state;
  throw new HoldfastError(
    'not-permitted',
    `request ${id.slice(0, 8)} is ${what}: nothing is resealed`,
    {
      next:
        found === undefined ? `holdfast approve sign ${id.slice(0, 8)}` : 'holdfast restore grants',
    },
  );
}

async function material(agent: Agent, id: string): Promise<GrantMaterial> {
  const grant = approved(agent, id);
  const { snapshot, recipient } = grant.request;
  const record = agent.ledger.manifest(snapshot);
  if (record === undefined) {
    throw new HoldfastError('not-found', `snapshot ${snapshot.slice(0, 8)} is not known here yet`, {
      next: 'holdfast peer list',
    });
  }
  const { writer, stream, sequence } = record.statement;
  const [manifest] = await agent.ledger.read(writer, stream, sequence, 1);
  const segments: string[] = [];
  for (const { hash } of await agent.ledger.packSegments(record)) {
    const fact = await agent.fact(hash);
    if (fact === undefined) {
      throw new HoldfastError('not-found', 'the list of the packs has not arrived here yet', {
        next: 'holdfast peer list',
      });
    }
    segments.push(Buffer.from(fact).toString('base64'));
  }
  const text = Buffer.from(manifest ?? new Uint8Array()).toString('base64');
  return { grant: grantReport(agent, grant), recipient, manifest: text, segments };
}

function restore(agent: Agent, order: GrantedRestoreRequest): AsyncGenerator<RestoreEvent> {
  const { request: wanted } =
    agent.control.log.state.restoreGrants.of(order.id as CommandHash) ?? {};
  const dataset = wanted?.name ?? '';
  const facts = { dataset, target: order.target, snapshot: wanted?.snapshot ?? '' };
  const learn = (event: RestoreEvent) => ({ isLast: event.type === 'summary' });
  return aroundStage({ ...agent.stageOrder('restore', dataset), facts, learn }, (signal) =>
    restoreNow(agent, order, signal),
  );
}

async function* restoreNow(
  agent: Agent,
  { id, target, path, include, exclude }: GrantedRestoreRequest,
  signal: AbortSignal,
): AsyncGenerator<RestoreEvent> {
  await hearNews(agent);
  const patterns = (texts: string[]): PathPattern[] => texts.map((text) => PathPattern.parse(text));
  const order = { id: id as CommandHash, target, path };
  const filters = { include: patterns(include), exclude: patterns(exclude) };
  yield* agent.grants.restores.run({ ...order, ...filters }, { signal });
}
