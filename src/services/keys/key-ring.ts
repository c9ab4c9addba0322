import { fromUtf8 } from '../../base/bytes.ts';
import { codeOf, HoldfastError } from '../../core/errors.ts';
import { decodeKeyRecord, type EpochName, epochKey } from '../../core/format/key-record.ts';
import { keyEpochsOf } from '../../core/format/manifest.ts';
import { idBytes, shortId } from '../../core/ids.ts';
import type { KeyEpoch } from '../../core/protocol/roster.ts';
import type { Sealer } from '../../ports/sealer.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import type { Peers } from '../peers.ts';

export type KeyRingOptions = {
  readonly ledger: Pick<Ledger, 'roster'>;
  readonly peers: Pick<Peers, 'reachable' | 'ask'>;
  readonly sealer: Sealer;
  /** Any of them may open: of the kit, or of a recipient. */
  readonly identities: readonly string[];
};

/** What members say of an epoch. */
type Found =
  | { readonly state: 'open'; readonly identity: string }
  | { readonly state: 'destroyed'; readonly timeMs: number }
  | { readonly state: 'closed'; readonly reason: HoldfastError };

/**
 * Opens epochs for whoever holds an identity, out of what members hold. It knows no control log, and needs
 * none: a record is right when it opens, and holds the identity of the epoch's recipient. So the worst that a
 * lying member can do is to keep a record back, and all are asked.
 */
export class KeyRing {
  readonly #options: KeyRingOptions;
  readonly #found = new Map<string, Promise<Found>>();

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  /** Of every epoch whose packs a snapshot needs. @throws HoldfastError shredded | wrong-key | key-needed | corrupt */
  async identitiesOf(record: ManifestRecord): Promise<readonly string[]> {
    const identities: string[] = [];
    for (const name of epochsOf(record)) {
      const found = await this.#find(name);
      if (found.state === 'destroyed') throw shredded(record, name, found.timeMs);
      if (found.state === 'closed') throw found.reason;
      identities.push(found.identity);
    }
    // Most packs of a snapshot are newer than the first epoch: the newest is tried first.
    return identities.reverse();
  }

  /** A key that it needs was destroyed, as members say who hold none. */
  async isShredded(record: ManifestRecord): Promise<boolean> {
    for (const name of epochsOf(record)) {
      if ((await this.#find(name)).state === 'destroyed') return true;
    }
    return false;
  }

  #find(name: EpochName): Promise<Found> {
    const key = epochKey(name);
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const finding = this.#search(name);
    this.#found.set(key, finding);
    return finding;
  }

  async #search(name: EpochName): Promise<Found> {
    const epoch = this.#options.ledger.roster.keyEpoch(name);
    if (epoch === undefined) {
      return { state: 'closed', reason: keyNeeded(name, 'its source has never described it') };
    }
    let reason = keyNeeded(name, 'no member that answers holds its key record');
    let destroyedMs: number | undefined;
    const { writer, dataset } = name;
    const value = { writer: idBytes(writer), dataset: idBytes(dataset), epoch: name.epoch };
    for (const { peerKey } of this.#options.peers.reachable()) {
      try {
        const answer = await this.#options.peers.ask(peerKey, { case: 'keyRecord', value });
        if (answer.isDestroyed) destroyedMs ??= Number(answer.destroyedMs);
        if (answer.record.length === 0) continue;
        const { files } = decodeKeyRecord(answer.record.slice());
        return { state: 'open', identity: await this.#open(epoch, files) };
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        if (tells(error)) reason = error;
      }
    }
    if (destroyedMs !== undefined) return { state: 'destroyed', timeMs: destroyedMs };
    if (epoch.wrappedIdentity.length === 0) return { state: 'closed', reason };
    return this.#open(epoch, [epoch.wrappedIdentity]).then(
      (identity) => ({ state: 'open', identity }),
      (error: unknown) => {
        if (!(error instanceof HoldfastError)) throw error;
        return { state: 'closed', reason: error };
      },
    );
  }

  #open(epoch: KeyEpoch, files: readonly Uint8Array[]): Promise<string> {
    return openEpoch(epoch, { ...this.#options, files });
  }
}

/** The identity of an epoch out of its age files, checked against its recipient. @throws HoldfastError wrong-key | corrupt */
export async function openEpoch(
  epoch: Pick<KeyEpoch, 'recipient' | 'epoch'>,
  options: {
    readonly files: readonly Uint8Array[];
    readonly identities: readonly string[];
    readonly sealer: Sealer;
  },
): Promise<string> {
  const { files, identities, sealer } = options;
  let failure: unknown;
  for (const identity of identities) {
    for (const file of files) {
      try {
        const secret = await sealer.open(identity, file);
        const text = fromUtf8(secret) ?? '';
        secret.fill(0);
        if ((await sealer.recipientOf(text)) === epoch.recipient) return text;
        failure = new HoldfastError('corrupt', `a key record holds another key than its epoch's`);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        failure ??= error;
      }
    }
  }
  if (failure instanceof HoldfastError && failure.code !== 'wrong-key') throw failure;
  throw new HoldfastError('wrong-key', `epoch ${epoch.epoch} is sealed to other keys than this`, {
    next: 'use the newest recovery kit, or an identity that may read this dataset: holdfast key list',
    ...(failure === undefined ? {} : { cause: failure }),
  });
}

function epochsOf({ manifest, statement }: ManifestRecord): readonly EpochName[] {
  const { dataset } = manifest;
  const { writer } = statement;
  return keyEpochsOf(manifest).map((epoch) => ({ writer, dataset, epoch }));
}

/** What the holder of a key can do something about. */
function tells(error: HoldfastError): boolean {
  return ['wrong-key', 'corrupt', 'bad-encoding'].includes(error.code);
}

function keyNeeded({ epoch }: EpochName, why: string): HoldfastError {
  return new HoldfastError('key-needed', `key epoch ${epoch} cannot be opened: ${why}`, {
    next: 'ask another member: --peer HOST:PORT',
  });
}

function shredded({ hash }: ManifestRecord, { epoch }: EpochName, timeMs: number): HoldfastError {
  const when = timeMs === 0 ? '' : ` on ${new Date(timeMs).toISOString().slice(0, 10)}`;
  return new HoldfastError(
    'shredded',
    `snapshot ${shortId(hash)} was shredded: operators destroyed key epoch ${epoch}${when}, and nobody can open it any more`,
    { next: 'holdfast snapshots --kit FILE, and choose another' },
  );
}
