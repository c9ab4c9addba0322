import type { PeerKey } from '../core/ids.ts';
import type { PullReply, PullRequest } from '../ports/network.ts';
import type { RecordStore } from '../ports/record-store.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { ShardStore } from '../ports/shard-store.ts';
import type { Tracer } from '../ports/tracer.ts';
import type { Alarms } from '../services/alarms.ts';
import type { Audit } from '../services/audit/audit-log.ts';
import type { ControlAccess } from '../services/control/control-access.ts';
import type { Distributor } from '../services/distributor.ts';
import type { DurabilityView } from '../services/durability-view.ts';
import type { HostClock } from '../services/host-clock.ts';
import type { Ledger } from '../services/ledger.ts';
import { ReadBook, type ReadUsage } from '../services/reads/read-book.ts';
import { ReadGuard } from '../services/reads/read-guard.ts';
import { ReadRights } from '../services/reads/read-rights.ts';
import { ShardReads } from '../services/reads/shard-reads.ts';
import type { Serve } from '../services/serve.ts';
import type { StoragePeer } from '../services/storage-peer.ts';

export type ReadsOptions = {
  readonly serve: Serve;
  readonly shards: ShardStore;
  /** Undefined on an agent that holds no shards. */
  readonly storage: StoragePeer | undefined;
  readonly distributor: Distributor;
  readonly control: ControlAccess;
  readonly ledger: Ledger;
  readonly view: DurabilityView;
  readonly hostClock: HostClock;
  readonly promises: RecordStore;
  readonly alarms: Alarms;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly log: Log;
  readonly tracer?: Tracer | undefined;
};

/** What this host lets others read of the shards that lie here. */
export class Reads {
  readonly #book: ReadBook;
  readonly #reads: ShardReads;

  /** `usage`: what `readReads` has read. */
  constructor(options: ReadsOptions, usage: ReadUsage) {
    const { promises: records, hostClock, shards: store } = options;
    this.#book = new ReadBook({ ...options, records, nowMs: () => hostClock.nowMs() }, usage);
    const rights = new ReadRights(options);
    const guard = new ReadGuard({ ...options, book: this.#book });
    this.#reads = new ShardReads({ ...options, store, rights, guard });
  }

  /** @throws HoldfastError not-permitted | not-found | corrupt */
  serve(peer: PeerKey, request: PullRequest): Promise<PullReply> {
    return this.#reads.serve(peer, request);
  }

  /** Keeps the count on disk until the signal. */
  run(options: Cancel): Promise<void> {
    return this.#book.run(options);
  }
}
