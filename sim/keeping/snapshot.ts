import { toHex, utf8 } from '../../src/base/bytes.ts';
import { hash } from '../../src/core/crypto/hash.ts';
import { encodePackSegments, type PackEntry } from '../../src/core/format/facts.ts';
import type { FactRef, Manifest } from '../../src/core/format/records.ts';
import { type FactHash, idOf, type PackId, type StatementHash } from '../../src/core/ids.ts';
import type { FactStore } from '../../src/ports/statement-log.ts';
import type { ManifestRecord } from '../../src/services/ledger.ts';
import { manifestAfter } from '../workload.ts';
import { epochMs } from '../world.ts';
import { dataset, signAs, source } from './cast.ts';

/** A snapshot as it truly is. */
export type Snapshot = {
  readonly sequence: number;
  readonly record: ManifestRecord;
  /** The manifest as its source has signed it. */
  readonly envelope: Uint8Array;
  readonly packs: readonly PackEntry[];
  readonly lists: readonly FactRef[];
  readonly madeMs: number;
};

/** Pack lists by their hashes. */
export type Facts = Map<string, Uint8Array>;

/** A pack of that number, with two shards needed of four, or whole copies. */
export function packNumber(number: number, isCoded: boolean): PackEntry {
  const pack = idOf<PackId>(hash('fact', utf8(`simulated pack ${number}`)));
  const code = isCoded ? { k: 2, m: 2 } : { k: 1, m: 0 };
  return { pack, ...code, type: isCoded ? 'data' : 'metadata', size: 1000 };
}

/** A snapshot with its lists among the facts. */
export function snapshotOf(
  facts: Facts,
  {
    sequence,
    packs,
    madeMs,
    tags,
  }: Omit<Snapshot, 'record' | 'envelope' | 'lists'> & { readonly tags: string[] },
): Snapshot {
  const segments = encodePackSegments(packs);
  for (const one of segments) facts.set(toHex(one.hash), one.bytes);
  const lists = segments.map(({ hash: name, count }) => ({
    hash: idOf<FactHash>(name),
    count,
  }));
  const { manifest, bytes, name } = signedManifest(sequence, tags);
  const statement = { writer: source.agentKey, timeMs: epochMs + madeMs, body: manifest };
  const record = { hash: name, manifest, statement } as unknown as ManifestRecord;
  return { sequence, packs, madeMs, record, envelope: bytes, lists };
}

/** The manifest of a place in the source's sequence, in its name, whoever signs it. */
export function signedManifest(
  sequence: number,
  tags: readonly string[],
  secret = source.statementSecret,
): { manifest: Manifest; bytes: Uint8Array; name: StatementHash } {
  const previous = sequence === 1 ? new Uint8Array(32) : hash('leaf', utf8(`${sequence - 1}`));
  const after = sequence === 1 ? undefined : { sequence: sequence - 1, hash: previous };
  const manifest = { ...manifestAfter(dataset, after, []), tags, surviveSites: 2 };
  const place = { writer: source.agentKey, secret, sequence, previous };
  const { bytes, hash: name } = signAs(place, manifest);
  return { manifest, bytes, name: idOf(name) };
}

/** Every host has every list that it has heard of: how lists travel is another simulator's. */
export function factsOf({ facts }: { readonly facts: Facts }): FactStore {
  return {
    get: async (name: Uint8Array) => facts.get(toHex(name)),
    has: async (name: Uint8Array) => facts.has(toHex(name)),
    put: async () => {},
  } as unknown as FactStore;
}
