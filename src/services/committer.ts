import { assert } from '../base/assert.ts';
import { secondMs } from '../base/units.ts';
import { codeOf } from '../core/errors.ts';
import type { Manifest } from '../core/format/records.ts';
import { manifestStream } from '../core/format/statement.ts';
import type { AgentKey, PeerKey, StatementHash, TraceId } from '../core/ids.ts';
import { backupMessages } from '../core/log-messages/backup.ts';
import type { Durability } from '../core/policy/durability.ts';
import type { Cancel, Clock, Log } from '../ports/runtime.ts';
import type { Distributor } from './distributor.ts';
import { type DurabilityView, isAsWanted } from './durability-view.ts';
import type { Ledger, ManifestRecord } from './ledger.ts';
import type { Outbox } from './outbox.ts';
import { readdress } from './outbox-recovery.ts';
import type { Peers } from './peers.ts';
import type { Standing } from './standing.ts';
import type { StoragePeer } from './storage-peer.ts';
import type { Sync } from './sync.ts';

export type CommitterOptions = {
  readonly ledger: Ledger;
  readonly self: AgentKey;
  readonly peers: Peers;
  readonly sync: Pick<Sync, 'withPeer' | 'pullFacts'>;
  readonly distributor: Distributor;
  readonly outbox: Outbox;
  readonly view: DurabilityView;
  /** Undefined on an agent that holds no shards. */
  readonly storage: StoragePeer | undefined;
  readonly standing?: Standing;
  /** Put out of the cluster, by the control log: it will not come back. Undefined: nobody is. */
  readonly isOut?: (agent: AgentKey) => boolean;
  readonly clock: Clock;
  readonly log: Log;
};

/** Own snapshots that are looked after when a site was missing. */
const unfinishedMax = 32;
const finishPeriodMs = 15 * secondMs;

/** Turns placed packs into a committed snapshot, and finishes later what some sites missed. */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #finishing = new Map<AgentKey, Promise<void>>();
  /** Snapshots that an agent has been asked about since it last took something: asking again would tell nothing new. */
  readonly #asked = new Map<AgentKey, Set<StatementHash>>();

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** `sign` and `collect`. */
  async commit(manifest: Manifest): Promise<{ record: ManifestRecord; durability: Durability }> {
    return this.collect(await this.sign(manifest));
  }

  /** From here on the snapshot exists. */
  async sign(manifest: Manifest): Promise<ManifestRecord> {
    const { ledger } = this.#options;
    const { hash } = await ledger.append(manifestStream(manifest.dataset), {
      kind: 'manifest',
      ...manifest,
    });
    const record = ledger.manifest(hash);
    assert(record !== undefined, 'an appended manifest is in the index');
    return record;
  }

  /** Receipts from all storage peers that answer. */
  async collect(
    record: ManifestRecord,
    trace?: TraceId,
  ): Promise<{ record: ManifestRecord; durability: Durability }> {
    const { view, peers, log } = this.#options;
    await this.#signHere(record);
    await Promise.all(
      this.#storagePeers()
        .filter((member) => peers.isReachable(member.peerKey))
        .map((member) => this.#askReceipt(member.agentKey, record, trace)),
    );
    const durability = await view.assess(record);
    log.log('info', backupMessages.snapshotSigned, {
      snapshot: record.hash,
      state: durability.state,
      ...(trace && { trace }),
    });
    return { record, durability };
  }

  #storagePeers(): { agentKey: AgentKey; peerKey: PeerKey }[] {
    const { ledger, self } = this.#options;
    return ledger.roster
      .members()
      .filter((member) => member.hasRole('storage') && member.agentKey !== self);
  }

  async #signHere(record: ManifestRecord): Promise<void> {
    await this.#options.storage?.sign(record);
  }

  /** @returns false when the peer did not answer; it is asked again later. */
  async #askReceipt(agent: AgentKey, record: ManifestRecord, trace?: TraceId): Promise<boolean> {
    const { ledger, peers, sync, outbox, log } = this.#options;
    const peerKey = ledger.roster.member(agent)?.peerKey;
    const { writer, stream, sequence } = record.statement;
    const { dataset } = record.manifest;
    const [manifest] = await ledger.read(writer, stream, sequence, 1);
    if (peerKey === undefined || manifest === undefined) return false;
    try {
      const answer = await peers.ask(
        peerKey,
        { case: 'commit', value: { manifest } },
        { timeoutMs: 60 * secondMs, trace },
      );
      outbox.refusals.taken(agent, dataset, record.hash);
      const outcome = await ledger.ingest(answer.receipt);
      if (outcome.outcome === 'gap') await sync.withPeer(peerKey);
      const receipt = ledger.receipts(record.hash).find((one) => one.agent === agent);
      const hashes = receipt === undefined ? [] : await ledger.holdings(receipt);
      await sync.pullFacts(peerKey, hashes, agent);
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      const reason = (error as Error).message;
      outbox.refusals.refused(agent, dataset, record.hash, error);
      const about = { agent, snapshot: record.hash, ...(trace && { trace }) };
      log.log('info', backupMessages.noReceiptYet, { ...about, code, reason });
      return false;
    }
  }

  /** Delivers what waits for an agent, then asks it to sign the snapshots that it has not signed in full. */
  finishWith(agent: AgentKey): Promise<void> {
    const running = this.#finishing.get(agent);
    if (running !== undefined) return running;
    const run = this.#finishWith(agent).finally(() => this.#finishing.delete(agent));
    this.#finishing.set(agent, run);
    return run;
  }

  async #finishWith(agent: AgentKey): Promise<void> {
    const { ledger, distributor, outbox, log } = this.#options;
    try {
      // Whatever it has signed, it will hold more after this.
      if (outbox.parcels(agent).length > 0) this.#asked.delete(agent);
      await distributor.flush(agent);
      const asked = this.#asked.get(agent) ?? new Set();
      this.#asked.set(agent, asked);
      for (const record of await this.unfinished()) {
        const isSilent = !ledger.receipts(record.hash).some((receipt) => receipt.agent === agent);
        if (!isSilent && asked.has(record.hash)) continue;
        if (!(await this.#askReceipt(agent, record))) return;
        asked.add(record.hash);
      }
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      log.log('info', backupMessages.deliveryPostponed, {
        agent,
        code,
        reason: (error as Error).message,
      });
    }
  }

  /** Own newest snapshots that some storage site does not hold as it should. */
  async unfinished(): Promise<ManifestRecord[]> {
    const { ledger, self, view } = this.#options;
    const unfinished: ManifestRecord[] = [];
    const own = ledger.manifests().filter((record) => record.statement.writer === self);
    const signers = this.#storagePeers().length + (this.#options.storage === undefined ? 0 : 1);
    for (const record of own.slice(-unfinishedMax)) {
      const isSilent = ledger.receipts(record.hash).length < signers;
      if (isSilent || !isAsWanted(await view.assess(record))) unfinished.push(record);
    }
    return unfinished;
  }

  /** Until the signal: whenever a storage peer is there and something is owed to it, deliver. */
  async run({ signal }: Cancel): Promise<void> {
    const { clock, log, outbox } = this.#options;
    while (signal?.aborted !== true) {
      try {
        if (await this.#releaseGone()) outbox.isAddressed = false;
        if (!outbox.isAddressed) outbox.isAddressed = await readdress(this.#options);
        await this.#deliver();
      } catch (error) {
        // A disk that is full or fails now: an agent that ended here could not even restore.
        const code = codeOf(error);
        if (code === undefined) throw error;
        log.log('warn', backupMessages.deliveriesPostponed, {
          code,
          reason: (error as Error).message,
        });
      }
      await clock.sleep(finishPeriodMs, signal === undefined ? {} : { signal }).catch(() => {});
    }
  }

  /** What waits for members that are none any more, who else needs it may have. @returns whether there was any */
  async #releaseGone(): Promise<boolean> {
    const { outbox, isOut = () => false, log } = this.#options;
    const gone = outbox.agents().filter((agent) => isOut(agent));
    for (const agent of gone) {
      const shards = outbox.parcels(agent).length;
      await outbox.release(agent);
      log.log('info', backupMessages.outboxAddresseeGone, { agent, shards });
    }
    return gone.length > 0;
  }

  async #deliver(): Promise<void> {
    const { peers, outbox } = this.#options;
    if (outbox.agents().length === 0 && (await this.unfinished()).length === 0) return;
    for (const member of this.#storagePeers()) {
      if (peers.isReachable(member.peerKey)) await this.finishWith(member.agentKey);
    }
  }
}
