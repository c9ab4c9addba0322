import { hourMs, minuteMs } from '../../base/units.ts';
import { shardSizeOf } from '../../core/format/shard.ts';
import { receiptStream } from '../../core/format/statement.ts';
import type { AgentKey, PackId, StatementHash } from '../../core/ids.ts';
import {
  type PackCondition,
  planRepair,
  type RepairSite,
  type RepairTask,
} from '../../core/policy/repair-plan.ts';
import { bitCount } from '../../core/policy/durability.ts';
import type { Member } from '../../core/protocol/roster.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { FactStore } from '../../ports/statement-log.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import { residencyObjection, storageMembers } from '../residency.ts';
import type { Standing } from '../standing.ts';
import { type Survey, type SurveyedPack, surveyPacks } from './pack-survey.ts';
import { TakenBack } from './taken-back.ts';

export type RepairViewOptions = {
  readonly ledger: Ledger;
  readonly facts: FactStore;
  readonly peers: Pick<Peers, 'isReachable'>;
  readonly self: AgentKey;
  readonly standing: Standing;
  /** Caught without what it has signed for. */
  readonly isFailing: (agent: AgentKey) => boolean;
  readonly isDiscarded: (record: ManifestRecord) => boolean;
  readonly clock: Clock;
};

export type Judgement = {
  readonly survey: Survey;
  readonly tasks: readonly RepairTask[];
  /** Fewer than k shards of them are said to be anywhere. */
  readonly lost: readonly { readonly pack: PackId; readonly had: number; readonly k: number }[];
  /** Packs of which shards may be on their way from their source. */
  readonly awaited: ReadonlySet<PackId>;
  /** Shards in all, those that are missing included. */
  readonly shardCount: number;
};

/** A snapshot this fresh is still being delivered by its source. */
const graceMs = 2 * minuteMs;
/** A source that cannot be reached, and is not known to be lost, may keep shards for others for so long. */
const silentSourceMs = 6 * hourMs;

/** What is missing where, of all packs that snapshots need, as this host knows it. */
export class RepairView {
  readonly #options: RepairViewOptions;
  /** When a snapshot was met here first; clocks of others count for nothing. */
  readonly #metMs = new Map<StatementHash, number>();
  readonly #takenBack = new TakenBack();

  constructor(options: RepairViewOptions) {
    this.#options = options;
  }

  async judge(): Promise<Judgement> {
    const survey = await surveyPacks(this.#options);
    this.#meet(survey);
    this.#takenBack.note(survey.packs);
    return this.#judged(survey, this.#options.standing);
  }

  /** What would be missing if these sites were lost. Nothing is waited for: what has not arrived may be lost as well. */
  async suppose(lost: ReadonlySet<string>): Promise<Judgement> {
    const survey = await surveyPacks(this.#options);
    return this.#judged(survey, this.#supposing(lost), { isPatient: false });
  }

  /** Its word would count if these sites were lost. */
  countsWithout(lost: ReadonlySet<string>, member: Member): boolean {
    return this.#placeOf(member.agentKey, member, this.#supposing(lost)) === 'stays';
  }

  #supposing(lost: ReadonlySet<string>): Standing {
    const { standing } = this.#options;
    return {
      isLost: (site) => lost.has(site) || standing.isLost(site),
      isLeaving: (member) => standing.isLeaving(member),
    };
  }

  #judged(survey: Survey, standing: Standing, { isPatient } = { isPatient: true }): Judgement {
    const { ledger } = this.#options;
    const sites = new SitesByDataset({ ...this.#options, standing }, survey.freeBytes);
    const { surviveSites } = ledger.roster.policy;
    const tasks: RepairTask[] = [];
    const lost: { pack: PackId; had: number; k: number }[] = [];
    const awaited = new Set<PackId>();
    let shardCount = 0;
    for (const [pack, surveyed] of survey.packs) {
      const known = this.#condition(surveyed, standing);
      const condition = isPatient ? known : { ...known, isAwaited: false };
      for (const { mask } of condition.words) shardCount += bitCount(mask);
      const { entry, record } = surveyed;
      const verdict = planRepair(condition, {
        surviveSites,
        sites: sites.of(record, shardSizeOf({ k: entry.k, packSize: entry.size })),
      });
      if (verdict.state === 'awaited') awaited.add(pack);
      else if (verdict.state === 'lost') lost.push({ pack, had: verdict.had, k: entry.k });
      else if (verdict.state === 'short') tasks.push(...verdict.tasks);
    }
    shardCount += tasks.length;
    return { survey, tasks, lost, awaited, shardCount };
  }

  #meet({ packs }: Survey): void {
    const nowMs = this.#options.clock.monotonicMs();
    const current = new Set([...packs.values()].map(({ record }) => record.hash));
    for (const hash of current) if (!this.#metMs.has(hash)) this.#metMs.set(hash, nowMs);
    for (const hash of this.#metMs.keys()) if (!current.has(hash)) this.#metMs.delete(hash);
  }

  #condition({ entry, record, words }: SurveyedPack, standing: Standing): PackCondition {
    const staying: PackCondition['words'][number][] = [];
    const departing: PackCondition['departing'][number][] = [];
    let isAwaited = this.#isOnItsWay(record);
    for (const [agent, { mask }] of words) {
      const member = this.#options.ledger.roster.member(agent);
      const place = this.#placeOf(agent, member, standing);
      if (mask === undefined && place === 'stays') isAwaited = true;
      if (mask === undefined || mask === 0) continue;
      const word = { agent, site: member?.site ?? 'a former site', mask };
      if (place === 'stays') staying.push(word);
      else departing.push({ ...word, isGone: place === 'gone' });
    }
    const takenBackMask = this.#takenBack.maskOf(entry.pack);
    return { entry, words: staying, departing, takenBackMask, isAwaited };
  }

  #placeOf(
    agent: AgentKey,
    member: Member | undefined,
    standing: Standing,
  ): 'stays' | 'leaves' | 'gone' {
    const { isFailing } = this.#options;
    if (member === undefined || standing.isLost(member.site)) return 'gone';
    const isKept = member.hasRole('storage') && !standing.isLeaving(member) && !isFailing(agent);
    return isKept ? 'stays' : 'leaves';
  }

  #isOnItsWay({ hash, statement: { writer } }: ManifestRecord): boolean {
    const { ledger, peers, self, standing, clock } = this.#options;
    const source = ledger.roster.member(writer);
    const ageMs = clock.monotonicMs() - (this.#metMs.get(hash) ?? clock.monotonicMs());
    if (source === undefined || standing.isLost(source.site)) return false;
    const isHere = writer === self || peers.isReachable(source.peerKey);
    return ageMs < (isHere ? graceMs : silentSourceMs);
  }
}

/** Where shards may go, for each dataset. */
class SitesByDataset {
  readonly #options: RepairViewOptions;
  readonly #freeBytes: ReadonlyMap<AgentKey, number>;
  readonly #known = new Map<string, readonly RepairSite[]>();

  constructor(options: RepairViewOptions, freeBytes: ReadonlyMap<AgentKey, number>) {
    this.#options = options;
    this.#freeBytes = freeBytes;
  }

  of({ statement, manifest }: ManifestRecord, shardSize: number): readonly RepairSite[] {
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
    const { ledger, isFailing } = this.#options;
    const freeBytes = this.#freeBytes.get(agent);
    const isBelieved = !ledger.isFrozen(agent, receiptStream) && !isFailing(agent);
    return {
      agent,
      // Coarse: what is signed at different moments must not change the order of turns.
      weight: 2 ** Math.floor(Math.log2(Math.max(1, freeBytes ?? 1))),
      canTake: isBelieved && (freeBytes === undefined || freeBytes > shardSize),
    };
  }
}
