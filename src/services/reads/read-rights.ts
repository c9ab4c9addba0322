import { assertNever } from '../../base/assert.ts';
import { BoundedCache } from '../../base/bounded-cache.ts';
import { MiB, secondMs } from '../../base/units.ts';
import { codeOf } from '../../core/errors.ts';
import { packHeaderSizeMax } from '../../core/format/pack.ts';
import type { ShardHead } from '../../core/format/shard.ts';
import type { AgentKey, PackId, StatementHash } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import type { ReadPurpose } from '../../core/policy/read-purpose.ts';
import { isOpen } from '../../core/protocol/control/plan-run.ts';
import type { RestoreGrant } from '../../core/protocol/control/restore-grant.ts';
import type { Member } from '../../core/protocol/roster.ts';
import type { PullRequest } from '../../ports/network.ts';
import type { ControlAccess } from '../control/control-access.ts';
import type { DurabilityView } from '../durability-view.ts';
import type { Ledger } from '../ledger.ts';
import type { Caller } from '../serve.ts';

export type ReadRightsOptions = {
  readonly control: Pick<ControlAccess, 'state' | 'applied'>;
  readonly ledger: Pick<Ledger, 'manifest' | 'roster'>;
  readonly view: Pick<DurabilityView, 'packs'>;
};

/** On what account a read goes, and how much of it there may be in a day. */
export type ReadRight = {
  readonly account: string;
  /** What the reader does, for the audit log. */
  readonly words: string;
  /** Bytes in a day; undefined: no bound. */
  readonly bytesMax: number | undefined;
  /** How often one shard in a day; undefined: no bound. */
  readonly timesPerShard?: number;
  /** No more at once than a person would need. */
  readonly isSlowed?: boolean;
  /** Machines read so by themselves, all day long. */
  readonly isRoutine?: boolean;
  /** Why the purpose that was named does not count. */
  readonly objection?: string;
};

/** The packs of a snapshot, as far as they are known here. */
type Scope = { readonly packs: ReadonlySet<PackId>; readonly bytes: number };

/** How long a request waits for the log to arrive here. */
const arrivalTimeoutMs = 5 * secondMs;
/** Snapshots whose packs are kept in mind: a restore reads one. */
const scopesMax = 8;
/** A restore reads some leaves twice, and once more when it goes on after a break; nobody needs more. */
const grantFactor = 4;
const grantExtra = 64 * MiB;
const headerLeaves = Math.ceil(packHeaderSizeMax / limits.leafSize);

/**
 * What a reader may have, by the control log as this host has applied it. In a minority that is what the log last
 * said: the recovery kit is never asked for more than its key.
 */
export class ReadRights {
  readonly #options: ReadRightsOptions;
  readonly #scopes = new BoundedCache<StatementHash, Scope>(scopesMax);

  constructor(options: ReadRightsOptions) {
    this.#options = options;
  }

  async of(caller: Caller, head: ShardHead, request: PullRequest): Promise<ReadRight> {
    const { member } = caller;
    if (member === undefined) {
      return { account: 'kit', words: 'read shards with the recovery kit', bytesMax: undefined };
    }
    const { purpose } = request;
    if (purpose === undefined) return this.#plain(member, head);
    switch (purpose.kind) {
      case 'repair':
        return this.#repair(member, head);
      case 'audit':
        return {
          account: 'audit',
          words: 'read shards to see whether they are there',
          bytesMax: limits.auditReadsPerDay,
          isRoutine: true,
        };
      case 'plan':
      case 'grant':
      case 'reseal': {
        const right = await this.#byLog(member.agentKey, head, { ...request, purpose });
        if (typeof right !== 'string') return right;
        return { ...this.#plain(member, head), objection: right };
      }
      default:
        return assertNever(purpose);
    }
  }

  #plain({ agentKey }: Member, { type, writer }: ShardHead): ReadRight {
    if (type === 'metadata' && writer === agentKey) {
      return { account: 'own', words: 'read its own metadata packs', bytesMax: undefined };
    }
    const bytesMax = this.#options.control.state.policy.current.reads.ungrantedPerDay;
    return { account: 'plain', words: 'read shards', bytesMax, isSlowed: true };
  }

  /** Who stores rebuilds what was lost, without any key. A source codes anew what it has sealed, and can open none of it. */
  #repair(member: Member, head: ShardHead): ReadRight {
    if (!member.hasRole('storage') && head.writer !== member.agentKey) {
      return { ...this.#plain(member, head), objection: 'only who stores repairs' };
    }
    const bytesMax = this.#options.control.state.policy.current.reads.repairPerDay;
    const timesPerShard = limits.repairReadsPerShardAndDay;
    const words = 'read shards for repair';
    return { account: 'repair', words, bytesMax, timesPerShard, isRoutine: true };
  }

  /** The right, or why there is none. */
  async #byLog(
    reader: AgentKey,
    head: ShardHead,
    request: PullRequest & { readonly purpose: Extract<ReadPurpose, { sinceIndex: number }> },
  ): Promise<ReadRight | string> {
    const { control } = this.#options;
    const { purpose } = request;
    if (control.state.lastIndex < purpose.sinceIndex) {
      // It may be the first to hear of the grant; what is not known by then is not allowed.
      await control
        .applied(purpose.sinceIndex, { timeoutMs: arrivalTimeoutMs })
        .catch((error: unknown) => {
          if (codeOf(error) === undefined) throw error;
        });
    }
    if (purpose.kind === 'plan') return this.#ofPlan(reader, head, purpose);
    const grant = control.state.restoreGrants.of(purpose.request);
    if (grant === undefined) return 'the log knows no such grant';
    const objection = this.#nameObjection(grant);
    if (objection !== undefined) return objection;
    const scope = await this.#scope(grant.request.snapshot);
    if (!isIn(scope, head, grant.request)) return 'the pack is not of the granted snapshot';
    return purpose.kind === 'grant'
      ? ofGrant(grant, reader, scope)
      : ofReseal(grant, { head, request, scope });
  }

  /** The rule of the policy went by this name: it must be that of the dataset. */
  #nameObjection({ request }: RestoreGrant): string | undefined {
    const { roster } = this.#options.ledger;
    const name = roster.datasetOf(request.writer, request.dataset)?.ruleName;
    if (name === request.name) return undefined;
    return `the grant is of a dataset ${request.name}, which is not what this one is called`;
  }

  async #ofPlan(
    reader: AgentKey,
    head: ShardHead,
    { plan, run }: Extract<ReadPurpose, { kind: 'plan' }>,
  ): Promise<ReadRight | string> {
    const { plans, time } = this.#options.control.state;
    const found = plans.runOf({ plan, run });
    if (found === undefined || !isOpen(found.run)) return 'the log knows no such open run';
    const held = found.run.grants.get(reader);
    if (held === undefined) return 'no keys were granted for this run';
    if (time.isOver(held.wait)) return 'the grant for this run has expired';
    for (const dataset of found.record.plan.datasets) {
      if (dataset.id !== head.dataset) continue;
      if (!isIn(await this.#scope(dataset.snapshot), head, { dataset: dataset.id })) continue;
      const name = `plan ${plan.slice(0, 8)}`;
      return { account: name, words: `read shards for ${name}, run ${run}`, bytesMax: undefined };
    }
    return 'the pack is not of a snapshot that the plan restores';
  }

  /** Undefined when this host has no list of the packs: it was away when they were written. */
  async #scope(snapshot: StatementHash): Promise<Scope | undefined> {
    const known = this.#scopes.get(snapshot);
    if (known !== undefined) return known;
    const { ledger, view } = this.#options;
    const record = ledger.manifest(snapshot);
    const packs = record === undefined ? undefined : await view.packs(record);
    if (packs === undefined) return undefined;
    const bytes = packs.reduce((sum, { size }) => sum + size, 0);
    const scope = { packs: new Set(packs.map(({ pack }) => pack)), bytes };
    this.#scopes.set(snapshot, scope);
    return scope;
  }
}

function isIn(
  scope: Scope | undefined,
  { dataset, pack }: ShardHead,
  of: Pick<RestoreGrant['request'], 'dataset'>,
): boolean {
  return dataset === of.dataset && (scope === undefined || scope.packs.has(pack));
}

function ofGrant(
  { id, state, request }: RestoreGrant,
  reader: AgentKey,
  scope: Scope | undefined,
): ReadRight | string {
  if (request.agent !== reader) return 'the grant is of another agent';
  if (state !== 'in-use') return `the grant is ${state}`;
  const name = `grant ${id.slice(0, 8)}`;
  const bytesMax = scope === undefined ? undefined : grantFactor * scope.bytes + grantExtra;
  return { account: name, words: `read shards under ${name}`, bytesMax };
}

/** Whoever holds the epoch's identity reads the directories, and the sealed key at the head of each pack. */
function ofReseal(
  { id, state }: RestoreGrant,
  { head, request, scope }: { head: ShardHead; request: PullRequest; scope: Scope | undefined },
): ReadRight | string {
  if (state !== 'approved') return `the request is ${state}`;
  const isHeader = request.leaf + request.count <= headerLeaves;
  if (head.type !== 'metadata' && !isHeader) return 'resealing needs no content';
  const name = `request ${id.slice(0, 8)}`;
  const bytesMax = scope === undefined ? undefined : grantFactor * scope.bytes + grantExtra;
  return { account: `reseal ${name}`, words: `read sealed keys for ${name}`, bytesMax };
}
