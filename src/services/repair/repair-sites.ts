import { receiptStream } from '../../core/format/statement.ts';
import type { AgentKey } from '../../core/ids.ts';
import type { RepairSite } from '../../core/policy/repair-plan.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import { residencyObjection, storageMembers } from '../residency.ts';
import type { Standing } from '../standing.ts';

export type RepairSitesOptions = {
  readonly ledger: Pick<Ledger, 'roster' | 'isFrozen'>;
  readonly standing: Standing;
};

/** Where shards may go, for each dataset. */
export class SitesByDataset {
  readonly #options: RepairSitesOptions;
  readonly #freeBytes: ReadonlyMap<AgentKey, number>;
  readonly #known = new Map<string, readonly RepairSite[]>();

  constructor(options: RepairSitesOptions, freeBytes: ReadonlyMap<AgentKey, number>) {
    this.#options = options;
    this.#freeBytes = freeBytes;
  }

  of({ statement, manifest }: ManifestRecord, size: number): readonly RepairSite[] {
    // Hardly two packs are of one size: without classes everything would be thought out anew for each of them.
    const shardSize = 2 ** Math.ceil(Math.log2(Math.max(1, size)));
    const name = `${statement.writer}/${manifest.dataset}/${shardSize}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const { ledger, standing } = this.#options;
    const of = { writer: statement.writer, dataset: manifest.dataset };
    const members = storageMembers(ledger.roster).filter(
      (member) =>
        !standing.isLost(member.site) &&
        !standing.isLeaving(member) &&
        residencyObjection(ledger.roster, of, member) === undefined,
    );
    const bySite = Map.groupBy(members, ({ site }) => site);
    const sites = [...bySite].map(
      ([site, hosts]): RepairSite => ({
        site,
        region: hosts[0]?.region ?? '',
        hosts: hosts.map(({ agentKey }) => this.#host(agentKey, shardSize)),
      }),
    );
    this.#known.set(name, sites);
    return sites;
  }

  #host(agent: AgentKey, shardSize: number): RepairSite['hosts'][number] {
    const { ledger, standing } = this.#options;
    const freeBytes = this.#freeBytes.get(agent);
    const isBelieved = !ledger.isFrozen(agent, receiptStream) && !standing.isFailing(agent);
    return {
      agent,
      // Coarse: what is signed at different moments must not change the order of turns.
      weight: 2 ** Math.floor(Math.log2(Math.max(1, freeBytes ?? 1))),
      canTake: isBelieved && (freeBytes === undefined || freeBytes > shardSize),
    };
  }
}
