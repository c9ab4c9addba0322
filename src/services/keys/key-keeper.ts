import { secondMs } from '../../base/units.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { factHash } from '../../core/format/facts.ts';
import { decodeKeyRecord, type EpochName, epochKey } from '../../core/format/key-record.ts';
import { keyEpochsOf } from '../../core/format/manifest.ts';
import { type FactHash, idBytes, idOf, type PeerKey } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import { trustMessages } from '../../core/log-messages/trust.ts';
import type { ControlState } from '../../core/protocol/control/control-state.ts';
import type { KeyEpoch } from '../../core/protocol/roster.ts';
import type { KeyRecordStore } from '../../ports/key-records.ts';
import type { Cancel, Clock, Log } from '../../ports/runtime.ts';
import { repeat } from '../control/duty.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import { Bell } from '../plan/bell.ts';
import type { Serve } from '../serve.ts';

export type KeyKeeperOptions = {
  readonly ledger: Ledger;
  readonly control: {
    readonly state: Pick<ControlState, 'keys'>;
    onState(listener: () => void): () => void;
  };
  readonly peers: Pick<Peers, 'reachable' | 'ask'>;
  /** Records in force. */
  readonly keyRecords: KeyRecordStore;
  /** Records that somebody has made and operators have not put into force yet. */
  readonly stagedKeyRecords: KeyRecordStore;
  readonly clock: Clock;
  readonly log: Log;
};

/** Which record of an epoch counts. */
export type RecordInForce =
  | { readonly state: 'destroyed'; readonly timeMs: number }
  | { readonly state: 'record'; readonly hash: FactHash }
  /** Before key records: the identity stands in the source's statement, which nobody can delete. */
  | { readonly state: 'statement' }
  | { readonly state: 'unknown' };

const periodMs = 10 * secondMs;
/** While a record is missing: whoever made it may not have it in its place yet. */
const retryMs = secondMs;
/** Records made for decisions that were never taken; more than any one decision names. */
const stagedMax = 4096;

/**
 * Every member holds the key record of every epoch, and no other: without one a snapshot is lost to all, and
 * one that was replaced opens it to those who shall not open it any more. So what was replaced is deleted as
 * soon as its successor is durable here, never before; and what was destroyed, at once.
 */
export class KeyKeeper {
  readonly #options: KeyKeeperOptions;
  readonly #bell = new Bell();
  /** After the last round. */
  #isMissing = false;

  constructor(options: KeyKeeperOptions) {
    this.#options = options;
    options.control.onState(() => this.#bell.ring());
    options.ledger.onStatement(({ statement }) => {
      if (statement.body.kind === 'dataset') this.#bell.ring();
    });
  }

  /** The newest decision of the log counts; before there is one, the source's word. */
  inForce(name: EpochName): RecordInForce {
    const { control, ledger } = this.#options;
    const decided = control.state.keys.decided(name);
    if (decided?.state === 'destroyed') return { state: 'destroyed', timeMs: decided.timeMs };
    if (decided !== undefined) return { state: 'record', hash: decided.record };
    const said = ledger.roster.keyEpoch(name);
    if (said === undefined) return { state: 'unknown' };
    return said.wrap === undefined ? { state: 'statement' } : { state: 'record', hash: said.wrap };
  }

  /** A key that it needs was destroyed: nobody can open it any more. */
  isShredded({ manifest, statement }: ManifestRecord): boolean {
    const { dataset } = manifest;
    const { keys } = this.#options.control.state;
    return keyEpochsOf(manifest).some((epoch) =>
      keys.isDestroyed({ writer: statement.writer, dataset, epoch }),
    );
  }

  /** Every epoch of every dataset that is known here. */
  epochs(): readonly KeyEpoch[] {
    const { roster } = this.#options.ledger;
    return roster.datasets().flatMap(({ writer, id }) => roster.epochsOf(writer, id));
  }

  /** The record in force, or while that has not arrived here the newest before it. */
  async record(name: EpochName): Promise<Uint8Array | undefined> {
    const { keyRecords, stagedKeyRecords } = this.#options;
    const inForce = this.inForce(name);
    if (inForce.state !== 'record') return undefined;
    const { hash } = inForce;
    // Decided a moment ago, others ask before it has been moved here.
    const newest = (await keyRecords.get(hash)) ?? (await stagedKeyRecords.get(hash));
    return newest ?? (await this.#earlier(name));
  }

  async #earlier(name: EpochName): Promise<Uint8Array | undefined> {
    const { keyRecords } = this.#options;
    for (const hash of await keyRecords.list()) {
      const bytes = await keyRecords.get(hash);
      if (bytes !== undefined && epochKey(decodeKeyRecord(bytes)) === epochKey(name)) return bytes;
    }
    return undefined;
  }

  /** Keeps a record for a decision that is about to be taken. Durable when resolved. @throws bad-encoding */
  async stage(bytes: Uint8Array): Promise<FactHash> {
    const { stagedKeyRecords } = this.#options;
    const name = decodeKeyRecord(bytes);
    if (this.inForce(name).state === 'destroyed') {
      throw new HoldfastError('not-permitted', `key epoch ${name.epoch} was destroyed`);
    }
    if ((await stagedKeyRecords.list()).length >= stagedMax) {
      throw new HoldfastError('limit-exceeded', 'too many key records wait for a decision here');
    }
    const hash = idOf<FactHash>(factHash(bytes));
    await stagedKeyRecords.put(hash, bytes);
    return hash;
  }

  /** The decision was not taken. */
  async unstage(hashes: readonly FactHash[]): Promise<void> {
    for (const hash of hashes) await this.#options.stagedKeyRecords.remove(hash);
  }

  /** The record in force is here, not only one before it. */
  async isHeld(name: EpochName): Promise<boolean> {
    const inForce = this.inForce(name);
    return inForce.state === 'record' && this.#options.keyRecords.has(inForce.hash);
  }

  /** How many members, this one included, hold all these records; of how many that answered. */
  async holdersOf(
    names: readonly EpochName[],
  ): Promise<{ readonly held: number; readonly asked: number }> {
    const own = await Promise.all(names.map((name) => this.isHeld(name)));
    const answers = await Promise.all(
      this.#options.peers.reachable().map(({ peerKey }) => this.#holdsAll(peerKey, names)),
    );
    const asked = answers.filter((answer) => answer !== undefined);
    const all = [own.every(Boolean), ...asked];
    return { held: all.filter(Boolean).length, asked: all.length };
  }

  /** Undefined: it does not answer. */
  async #holdsAll(peer: PeerKey, names: readonly EpochName[]): Promise<boolean | undefined> {
    for (const name of names) {
      const inForce = this.inForce(name);
      if (inForce.state !== 'record') continue;
      const question = { case: 'keyRecord', value: epochValue(name) } as const;
      const answer = await this.#options.peers.ask(peer, question).catch(tolerate);
      if (answer === undefined) return undefined;
      if (idOf<FactHash>(factHash(answer.record)) !== inForce.hash) return false;
    }
    return true;
  }

  /** Lets members and holders of the kit read what is in force. */
  answer(serve: Pick<Serve, 'register'>): void {
    serve.register('keyRecord', async ({ writer, dataset, epoch }) => {
      if (writer.length !== 32 || dataset.length !== 16) {
        throw new HoldfastError('bad-encoding', 'no key epoch has such a name');
      }
      const name = { writer: idOf(writer), dataset: idOf(dataset), epoch } as EpochName;
      const inForce = this.inForce(name);
      const isDestroyed = inForce.state === 'destroyed';
      const destroyedMs = BigInt(isDestroyed ? inForce.timeMs : 0);
      return { record: (await this.record(name)) ?? new Uint8Array(), isDestroyed, destroyedMs };
    });
  }

  async run(options: Cancel): Promise<void> {
    const { log, clock } = this.#options;
    const failure = { level: 'warn', message: trustMessages.keyRecordsWait } as const;
    await repeat({ periodMs: 0, clock, log, failure }, (cancel) => this.#turn(cancel), options);
  }

  async #turn(options: Cancel): Promise<void> {
    try {
      await this.round(options);
    } finally {
      const waitMs = this.#isMissing ? retryMs : periodMs;
      await this.#bell.wait(this.#options.clock, waitMs, options);
    }
  }

  /** Fetches what is missing, then deletes what does not count any more. */
  async round(options: Cancel = {}): Promise<void> {
    this.#isMissing = false;
    for (const name of this.epochs()) {
      const inForce = this.inForce(name);
      if (inForce.state === 'record') await this.#fetch(name, inForce.hash, options);
    }
    await this.#clean(this.#options.keyRecords);
    await this.#clean(this.#options.stagedKeyRecords);
  }

  async #fetch(name: EpochName, hash: FactHash, options: Cancel): Promise<void> {
    const { keyRecords, stagedKeyRecords, peers } = this.#options;
    if (await keyRecords.has(hash)) return;
    const staged = await stagedKeyRecords.get(hash);
    if (staged !== undefined) return keyRecords.put(hash, staged);
    for (const { peerKey } of peers.reachable()) {
      options.signal?.throwIfAborted();
      const question = { case: 'keyRecord', value: epochValue(name) } as const;
      const answer = await peers.ask(peerKey, question, options).catch(tolerate);
      const bytes = answer?.record.slice();
      if (bytes === undefined || bytes.length === 0 || bytes.length > limits.factSizeMax) continue;
      if (idOf<FactHash>(factHash(bytes)) !== hash) continue;
      return keyRecords.put(hash, bytes);
    }
    this.#isMissing = true;
    this.#options.log.log('debug', trustMessages.keyRecordNotYetHad, { epoch: name.epoch });
  }

  async #clean(store: KeyRecordStore): Promise<void> {
    const isStaging = store === this.#options.stagedKeyRecords;
    for (const hash of await store.list()) {
      const bytes = await store.get(hash);
      if (bytes !== undefined && !(await this.#isOver(hash, bytes, isStaging))) continue;
      await store.remove(hash);
    }
  }

  async #isOver(hash: FactHash, bytes: Uint8Array, isStaging: boolean): Promise<boolean> {
    const inForce = this.inForce(decodeKeyRecord(bytes));
    if (inForce.state === 'destroyed') return true;
    if (inForce.state !== 'record') return false;
    const isHere = await this.#options.keyRecords.has(inForce.hash);
    // What is staged may be next; what was in force and is not any more was replaced.
    return isStaging ? isHere && inForce.hash === hash : isHere && inForce.hash !== hash;
  }
}

function epochValue({ writer, dataset, epoch }: EpochName): {
  writer: Uint8Array;
  dataset: Uint8Array;
  epoch: number;
} {
  return { writer: idBytes(writer), dataset: idBytes(dataset), epoch };
}

/** A peer that does not answer is no reason not to ask the others. */
function tolerate(error: unknown): undefined {
  if (codeOf(error) === undefined) throw error;
  return undefined;
}
