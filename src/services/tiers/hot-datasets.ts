import { decodePackSegment, type PackEntry } from '../../core/format/facts.ts';
import {
  type AgentKey,
  type DatasetId,
  type FactHash,
  idBytes,
  type PackId,
} from '../../core/ids.ts';
import { isHot } from '../../core/policy/hot-copy.ts';
import type { DatasetRule } from '../../core/policy/policy-terms.ts';
import type { FactStore } from '../../ports/statement-log.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';

export type HotDatasetsOptions = {
  readonly ledger: Pick<Ledger, 'manifests' | 'packSegments' | 'roster'>;
  readonly facts: Pick<FactStore, 'get'>;
  /** In the trash, or gone. */
  readonly isDiscarded: (record: ManifestRecord) => boolean;
  /** What the signed policy says of datasets with this name. */
  readonly ruleFor: (name: string) => DatasetRule;
  /** When a snapshot was seen committed; undefined: not yet, which is as young as can be. */
  readonly sinceMs: (record: ManifestRecord) => number | undefined;
  /** Of this host; undefined: not known, and then nothing has grown old. */
  readonly nowMs: () => number | undefined;
};

/** A dataset of which the policy wants full copies, with the packs of its young snapshots. */
export type HotDataset = {
  readonly writer: AgentKey;
  readonly dataset: DatasetId;
  readonly sites: readonly string[];
  /** Those of the newest snapshots first. */
  readonly packs: ReadonlyMap<PackId, PackEntry>;
  /** Lists of packs that have not arrived: what they name is not known to be hot. */
  readonly missingLists: number;
};

/** All datasets that are hot somewhere. A pack is as young as the newest snapshot that needs it. */
export async function hotDatasets(options: HotDatasetsOptions): Promise<HotDataset[]> {
  const { ledger, isDiscarded, ruleFor } = options;
  const live = ledger.manifests().filter((record) => !isDiscarded(record));
  const byLine = Map.groupBy(live, ({ statement, manifest }) => {
    return `${statement.writer}/${manifest.dataset}`;
  });
  const found: HotDataset[] = [];
  for (const records of byLine.values()) {
    const [{ statement, manifest }] = records as [ManifestRecord];
    const { writer } = statement;
    const { dataset } = manifest;
    const rule = ruleFor(ledger.roster.datasetOf(writer, dataset)?.ruleName ?? '');
    const sites = rule.tiers?.hot?.sites;
    if (sites === undefined) continue;
    const young = records.filter((record) => isHot(rule, ageOf(options, record)));
    found.push({ writer, dataset, sites, ...(await packsOf(options, young)) });
  }
  return found;
}

function ageOf({ sinceMs, nowMs }: HotDatasetsOptions, record: ManifestRecord): number | undefined {
  const [since, now] = [sinceMs(record), nowMs()];
  return since === undefined || now === undefined ? undefined : now - since;
}

async function packsOf(
  { ledger, facts }: HotDatasetsOptions,
  records: readonly ManifestRecord[],
): Promise<Pick<HotDataset, 'packs' | 'missingLists'>> {
  const packs = new Map<PackId, PackEntry>();
  const seen = new Set<FactHash>();
  let missingLists = 0;
  for (const record of records.toReversed()) {
    for (const { hash } of await ledger.packSegments(record)) {
      if (seen.has(hash)) continue;
      seen.add(hash);
      const fact = await facts.get(idBytes(hash));
      if (fact === undefined) missingLists++;
      for (const entry of fact === undefined ? [] : decodePackSegment(fact)) {
        if (!packs.has(entry.pack)) packs.set(entry.pack, entry);
      }
    }
  }
  return { packs, missingLists };
}
