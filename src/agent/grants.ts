import { BoundedCache } from '../base/bounded-cache.ts';
import { HoldfastError } from '../core/errors.ts';
import { printableText } from '../core/format/field.ts';
import { controlLimits } from '../core/format/control-limits.ts';
import { hexBytes, reasonFrom } from '../core/format/control-field.ts';
import { grantTimeFrom } from '../core/format/control-plan.ts';
import type { CommandHash } from '../core/format/control-records.ts';
import { type AgentKey, idOf, type StatementHash } from '../core/ids.ts';
import type { RestoreGrant } from '../core/protocol/control/restore-grant.ts';
import type { Compute } from '../ports/compute.ts';
import type { Network } from '../ports/network.ts';
import type { RestorePlaces } from '../ports/restore-place.ts';
import type { Clock, Log } from '../ports/runtime.ts';
import type { Sealer } from '../ports/sealer.ts';
import type { SecretStore } from '../ports/secrets.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { FactStore } from '../ports/statement-log.ts';
import type { Audit } from '../services/audit/audit-log.ts';
import type { ControlLog } from '../services/control/control-log.ts';
import type { DurabilityView } from '../services/durability-view.ts';
import { GrantedRestore } from '../services/grants/granted-restore.ts';
import { OneTimeKeys } from '../services/grants/one-time-keys.ts';
import { RestoreRequests } from '../services/grants/restore-requests.ts';
import type { Ledger } from '../services/ledger.ts';
import type { PackReader } from '../services/pack-reader.ts';
import type { Peers } from '../services/peers.ts';
import { GrantFacts } from '../services/plan/grant-facts.ts';
import type { Caller, Serve } from '../services/serve.ts';
import { SnapshotSession } from '../services/snapshot-session.ts';
import type { Sync } from '../services/sync.ts';

export type GrantsOptions = {
  readonly control: ControlLog;
  readonly ledger: Ledger;
  readonly network: Network;
  readonly peers: Peers;
  readonly sync: Sync;
  readonly view: DurabilityView;
  readonly facts: FactStore;
  readonly store: ShardStore | undefined;
  readonly places: RestorePlaces;
  readonly secrets: SecretStore;
  readonly sealer: Sealer;
  readonly compute: Compute;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: Audit;
};

/** Requests that one member may have open here in the name of this host. */
const askedPerPeerMax = 4;
/** Readers of snapshots whose keys are being resealed. */
const readersMax = 4;

/** This host's part in restore grants: it asks, restores what it was granted, and reads for who reseals. */
export class Grants implements Disposable {
  readonly requests: RestoreRequests;
  readonly restores: GrantedRestore;
  readonly #options: GrantsOptions;
  readonly #session: SnapshotSession;
  readonly #readers = new BoundedCache<CommandHash, Promise<PackReader>>(readersMax);
  /** By the member that has asked. */
  readonly #asked = new Map<AgentKey, CommandHash[]>();

  constructor(options: GrantsOptions) {
    this.#options = options;
    const { store, ...rest } = options;
    const keys = new OneTimeKeys(options);
    const facts = new GrantFacts(options);
    this.#session = new SnapshotSession({ ...rest, ...(store === undefined ? {} : { store }) });
    this.requests = new RestoreRequests({ ...options, keys });
    this.restores = new GrantedRestore({ ...options, session: this.#session, facts, keys });
  }

  /** Lets members ask for a request in the name of this host: operators see who did. */
  answer(serve: Pick<Serve, 'register'>): void {
    serve.register('askRestore', async (value, caller) => {
      const { snapshot, path, lastsMs, reason } = value;
      const asker = memberOf(caller);
      this.#requireRoom(asker.agentKey);
      const request = await this.requests.ask({
        snapshot: idOf<StatementHash>(snapshot),
        path: printableText(path, { min: 0, max: controlLimits.pathLengthMax }, 'path'),
        lastsMs: lastsMs === 0n ? undefined : grantTimeFrom(lastsMs),
        reason: reasonFrom(`${asker.name} asks: ${reason}`),
      });
      const before = this.#asked.get(asker.agentKey) ?? [];
      this.#asked.set(asker.agentKey, [...before, request]);
      return { request: hexBytes(request) };
    });
  }

  #requireRoom(asker: AgentKey): void {
    const { proposals } = this.#options.control.state;
    const isOpen = (id: CommandHash): boolean => proposals.of(id)?.state === 'open';
    const open = (this.#asked.get(asker) ?? []).filter(isOpen);
    this.#asked.set(asker, open);
    if (open.length < askedPerPeerMax) return;
    throw new HoldfastError('limit-exceeded', 'you have too many open requests at this host', {
      next: 'holdfast approve list',
    });
  }

  /** Bytes of a pack, for who reseals its key. @throws HoldfastError not-found | too-few-shards | not-permitted */
  async readPack(
    grant: RestoreGrant,
    { pack, offset, size }: { pack: string; offset: number; size: number },
  ): Promise<Uint8Array> {
    const reader = await this.#reader(grant);
    return reader.read(idOf(hexBytes(pack)), offset, size);
  }

  #reader(grant: RestoreGrant): Promise<PackReader> {
    const known = this.#readers.get(grant.id);
    if (known !== undefined) return known;
    const opening = this.#openReader(grant);
    this.#readers.set(grant.id, opening);
    opening.catch(() => this.#readers.delete(grant.id));
    return opening;
  }

  async #openReader({ id, request, index, wait }: RestoreGrant): Promise<PackReader> {
    const { control, ledger, audit } = this.#options;
    const record = ledger.manifest(request.snapshot);
    if (record === undefined)
      throw new HoldfastError('not-found', 'the snapshot is not known here');
    const subject = `snapshot ${request.snapshot.slice(0, 8)} of ${request.name}`;
    const event = {
      actor: 'this host',
      action: 'read sealed keys to be resealed',
      subject,
    } as const;
    audit({ ...event, kind: 'key', outcome: 'done', detail: `request ${id.slice(0, 8)}` });
    const sinceIndex = wait.generation === control.state.generation ? index : 0;
    return this.#session.packsOf(record, { kind: 'reseal', request: id, sinceIndex });
  }

  [Symbol.dispose](): void {
    this.requests[Symbol.dispose]();
  }
}

function memberOf({ member }: Caller): NonNullable<Caller['member']> {
  if (member !== undefined) return member;
  throw new HoldfastError('not-permitted', 'only members ask others to restore');
}
