import { concat } from '../../base/bytes.ts';
import { HoldfastError } from '../../core/errors.ts';
import { factHash } from '../../core/format/facts.ts';
import {
  decodeGrantPart,
  factPartSizeMax,
  inlinePartSizeMax,
  keyParts,
  listParts,
  type SnapshotKeys,
} from '../../core/format/grant.ts';
import { type FactHash, idOf, type PackId, type StatementHash } from '../../core/ids.ts';
import type { Sealer } from '../../ports/sealer.ts';

/** First byte of a fact that holds a sealed part of a grant. */
const factType = 3;
/** Lists of lists: a list of two levels names more packs than a cluster can hold. */
const depthMax = 4;
/** Far more than any snapshot needs; a list that names itself must end. */
const factsMax = 65_536;

export type SealedGrant = {
  /** For the grant command. */
  readonly sealed: Uint8Array;
  /** To be kept by a member before the command is submitted: the worker asks for them. */
  readonly facts: readonly { readonly hash: FactHash; readonly bytes: Uint8Array }[];
};

/** The keys of some snapshots, sealed to one agent. What does not fit a command becomes facts, sealed each. */
export async function sealGrant(options: {
  readonly snapshots: readonly SnapshotKeys[];
  /** What the agent has answered to a `recipient` request for this plan and run. */
  readonly recipient: string;
  readonly sealer: Sealer;
  /** Bytes of a part before sealing: of the command, and of a fact; as large as these may be unless given. */
  readonly sizes?: { readonly inline: number; readonly fact: number };
}): Promise<SealedGrant> {
  const { snapshots, recipient, sealer } = options;
  const { inline, fact } = options.sizes ?? { inline: inlinePartSizeMax, fact: factPartSizeMax };
  const facts: { hash: FactHash; bytes: Uint8Array }[] = [];
  const keepAll = async (parts: readonly Uint8Array[]): Promise<FactHash[]> => {
    const hashes: FactHash[] = [];
    for (const part of parts) {
      const bytes = concat([Uint8Array.of(factType), await sealer.seal([recipient], part)]);
      const hash = idOf<FactHash>(factHash(bytes));
      facts.push({ hash, bytes });
      hashes.push(hash);
    }
    return hashes;
  };
  let top = keyParts(snapshots, inline);
  if (top.length > 1) {
    let hashes = await keepAll(keyParts(snapshots, fact));
    for (top = listParts(hashes, inline); top.length > 1; ) {
      hashes = await keepAll(listParts(hashes, fact));
      top = listParts(hashes, inline);
    }
  }
  const [only] = top;
  if (only === undefined) throw new HoldfastError('usage', 'there are no keys to grant');
  return { sealed: await sealer.seal([recipient], only), facts };
}

export type GrantedKeys = ReadonlyMap<StatementHash, ReadonlyMap<PackId, Uint8Array>>;

/**
 * The keys in a grant, by snapshot. `fetch` gives the facts of these hashes, in order.
 * @throws HoldfastError wrong-key | corrupt | bad-encoding | limit-exceeded, and whatever `fetch` throws
 */
export async function openGrant(options: {
  readonly sealed: Uint8Array;
  readonly identity: string;
  readonly sealer: Sealer;
  readonly fetch: (hashes: readonly FactHash[]) => Promise<readonly Uint8Array[]>;
}): Promise<GrantedKeys> {
  const { identity, sealer, fetch } = options;
  const granted = new Map<StatementHash, Map<PackId, Uint8Array>>();
  let level: readonly Uint8Array[] = [options.sealed];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > depthMax) throw new HoldfastError('limit-exceeded', 'the grant is nested too deep');
    const next: FactHash[] = [];
    for (const sealed of level) {
      const part = decodeGrantPart(await sealer.open(identity, sealed));
      if (part.kind === 'list') next.push(...part.facts);
      else addKeys(granted, part.snapshots);
    }
    if (next.length > factsMax) throw new HoldfastError('limit-exceeded', 'the grant is too large');
    level = next.length === 0 ? [] : (await fetch(next)).map(sealedIn);
  }
  return granted;
}

function addKeys(
  granted: Map<StatementHash, Map<PackId, Uint8Array>>,
  snapshots: readonly SnapshotKeys[],
): void {
  for (const { snapshot, keys } of snapshots) {
    const known = granted.get(snapshot) ?? new Map<PackId, Uint8Array>();
    for (const [pack, key] of keys) known.set(pack, key);
    granted.set(snapshot, known);
  }
}

/** The age file in a fact. @throws HoldfastError bad-encoding */
export function sealedIn(fact: Uint8Array): Uint8Array {
  if (fact[0] === factType) return fact.subarray(1);
  throw new HoldfastError('bad-encoding', 'a fact that a grant names is no part of a grant');
}
