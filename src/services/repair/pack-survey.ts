import { equal } from '../../base/bytes.ts';
import { codeOf } from '../../core/errors.ts';
import {
  decodeHolding,
  decodePackSegment,
  type Holding,
  type PackEntry,
} from '../../core/format/facts.ts';
import { type AgentKey, type FactHash, idBytes, type PackId } from '../../core/ids.ts';
import type { FactStore } from '../../ports/statement-log.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';

/** What an agent said last of a pack; mask undefined: it has not arrived here. */
export type HeardWord = {
  readonly sequence: number;
  readonly mask: number | undefined;
  /** Of the mask: what is there only as part of a full copy, and may go. */
  readonly extraMask?: number;
};

/** What is there to stay. */
export function keptMask({ mask = 0, extraMask = 0 }: HeardWord): number {
  return (mask & ~extraMask) >>> 0;
}

/** A pack that some snapshot needs, and what each agent that has spoken of it has said last. */
export type SurveyedPack = {
  readonly entry: PackEntry;
  /** The newest snapshot that names it. */
  readonly record: ManifestRecord;
  /** The oldest one. */
  readonly first: ManifestRecord;
  readonly words: ReadonlyMap<AgentKey, HeardWord>;
};

export type Survey = {
  readonly packs: ReadonlyMap<PackId, SurveyedPack>;
  /** Snapshots that are needed. */
  readonly records: readonly ManifestRecord[];
  /** Snapshots that name a pack. */
  readonly usersOf: (pack: PackId) => readonly ManifestRecord[];
  /** Lists of packs that have not arrived: what they name is not judged. */
  readonly missingLists: number;
  /** Facts that have not arrived, the first ones: with each of them more would be known. */
  readonly missingFacts: readonly FactHash[];
  /** Free bytes, as each agent has signed last. */
  readonly freeBytes: ReadonlyMap<AgentKey, number>;
};

export type PackSurveyOptions = {
  readonly ledger: Pick<Ledger, 'manifests' | 'receipts' | 'packSegments' | 'holdings'>;
  readonly facts: FactStore;
  readonly isDiscarded: (record: ManifestRecord) => boolean;
};

type Word = { readonly sequence: number; readonly holding: FactHash };

/** Of missing facts so many are named: what a liar names and nobody has must not be looked for for ever. */
const missingFactsMax = 1024;

/**
 * Who says to hold what, over all snapshots that are needed. Of an agent's receipts the newest that speaks of a
 * pack counts, whichever snapshot it is for: shards belong to packs, and packs to many snapshots.
 */
export async function surveyPacks({
  ledger,
  facts,
  isDiscarded,
}: PackSurveyOptions): Promise<Survey> {
  const users = new Map<FactHash, ManifestRecord[]>();
  const words = new Map<FactHash, Map<AgentKey, Word>>();
  const free = new Map<AgentKey, { sequence: number; bytes: number }>();
  const needed = ledger.manifests().filter((record) => !isDiscarded(record));
  for (const record of needed) {
    const segments = await ledger.packSegments(record);
    for (const { hash } of segments) listIn(users, hash).push(record);
    for (const received of ledger.receipts(record.hash)) {
      const { agent, statement, receipt } = received;
      const { sequence } = statement;
      const said = free.get(agent);
      if (said === undefined || said.sequence < sequence) {
        free.set(agent, { sequence, bytes: receipt.freeBytes });
      }
      for (const [i, holding] of (await ledger.holdings(received)).entries()) {
        const segment = segments[i]?.hash;
        if (segment === undefined) continue;
        const ofSegment = words.get(segment) ?? new Map<AgentKey, Word>();
        words.set(segment, ofSegment);
        const known = ofSegment.get(agent);
        if (known === undefined || known.sequence < sequence) {
          ofSegment.set(agent, { sequence, holding });
        }
      }
    }
  }
  const gathered = new Gathered();
  let missingLists = 0;
  for (const [segment, records] of users) {
    const isHere = await gathered.add(segment, records, words.get(segment) ?? new Map(), facts);
    if (!isHere) missingLists++;
  }
  return {
    packs: gathered.packs,
    records: needed,
    missingLists,
    missingFacts: gathered.missing,
    freeBytes: new Map([...free].map(([agent, { bytes }]) => [agent, bytes])),
    usersOf: (pack) => [
      ...new Set((gathered.segmentsOf.get(pack) ?? []).flatMap((one) => users.get(one) ?? [])),
    ],
  };
}

/** Puts what is said of segments together by packs: neighbouring snapshots list one pack in different segments. */
class Gathered {
  readonly packs = new Map<PackId, SurveyedPack & { words: Map<AgentKey, HeardWord> }>();
  readonly segmentsOf = new Map<PackId, FactHash[]>();
  readonly missing: FactHash[] = [];

  async add(
    segment: FactHash,
    records: readonly ManifestRecord[],
    words: ReadonlyMap<AgentKey, Word>,
    facts: FactStore,
  ): Promise<boolean> {
    const [first, record] = [records[0], records.at(-1)];
    const fact = await facts.get(idBytes(segment));
    if (first === undefined || record === undefined) return false;
    if (fact === undefined) {
      this.#lack(segment);
      return false;
    }
    const entries = decodePackSegment(fact);
    for (const entry of entries) this.#note(segment, entry, { first, record });
    for (const [agent, { sequence, holding }] of words) {
      const fact = await facts.get(idBytes(holding));
      if (fact === undefined) this.#lack(holding);
      const said = holdingIn(fact, segment, entries.length);
      for (const [i, { pack }] of entries.entries()) {
        const heard = this.packs.get(pack)?.words;
        const known = heard?.get(agent);
        if (known !== undefined && known.sequence >= sequence) continue;
        const extraMask = said?.extras?.[i] ?? 0;
        const extra = extraMask === 0 ? {} : { extraMask };
        heard?.set(agent, { sequence, mask: said?.masks[i], ...extra });
      }
    }
    return true;
  }

  #lack(fact: FactHash): void {
    if (this.missing.length < missingFactsMax) this.missing.push(fact);
  }

  #note(
    segment: FactHash,
    entry: PackEntry,
    { first, record }: Pick<SurveyedPack, 'first' | 'record'>,
  ): void {
    const { pack } = entry;
    listIn(this.segmentsOf, pack).push(segment);
    const known = this.packs.get(pack);
    if (known === undefined) {
      this.packs.set(pack, { entry, first, record, words: new Map() });
      return;
    }
    const isOlder = first.statement.timeMs < known.first.statement.timeMs;
    const isNewer = record.statement.timeMs > known.record.statement.timeMs;
    if (!isOlder && !isNewer) return;
    const all = { first: isOlder ? first : known.first, record: isNewer ? record : known.record };
    this.packs.set(pack, { entry: isNewer ? entry : known.entry, ...all, words: known.words });
  }
}

function listIn<Key, Item>(lists: Map<Key, Item[]>, key: Key): Item[] {
  const known = lists.get(key);
  if (known !== undefined) return known;
  const list: Item[] = [];
  lists.set(key, list);
  return list;
}

/** Undefined when the fact is not here, or speaks of something else: that is one peer's mistake. */
function holdingIn(
  fact: Uint8Array | undefined,
  segment: FactHash,
  count: number,
): Holding | undefined {
  if (fact === undefined) return undefined;
  try {
    const holding = decodeHolding(fact);
    const isOfSegment = equal(holding.segment, idBytes(segment));
    return isOfSegment && holding.masks.length === count ? holding : undefined;
  } catch (error) {
    if (codeOf(error) === 'bad-encoding') return undefined;
    throw error;
  }
}
