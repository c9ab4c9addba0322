import { hourMs, minuteMs } from '../../base/units.ts';
import { shardSizeOf } from '../../core/format/shard.ts';
import type { AgentKey, PackId, StatementHash } from '../../core/ids.ts';
import { bitCount } from '../../core/policy/durability.ts';
import { type PackCondition, planRepair, type RepairTask } from '../../core/policy/repair-plan.ts';
import type { Member } from '../../core/protocol/roster.ts';
import type { Clock } from '../../ports/runtime.ts';
import type { FactStore } from '../../ports/statement-log.ts';
import type { Ledger, ManifestRecord } from '../ledger.ts';
import type { Peers } from '../peers.ts';
import type { Standing } from '../standing.ts';
import { FreshSurvey } from './fresh-survey.ts';
import { keptMask, type Survey, type SurveyedPack } from './pack-survey.ts';
import { SitesByDataset } from './repair-sites.ts';
import { TakenBack } from './taken-back.ts';

export type RepairViewOptions = {
  readonly ledger: Ledger;
  readonly facts: FactStore;
  readonly peers: Pick<Peers, 'isReachable'>;
  readonly self: AgentKey;
  readonly standing: Standing;
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
  /** On the steady clock: when time alone may change something, since a source has been waited for long enough. */
  readonly changesMs: number;
};

/** A snapshot this fresh is still being delivered by its source. */
const graceMs = 2 * minuteMs;
/** A source that cannot be reached, and is not known to be lost, may keep shards for others for so long. */
const silentSourceMs = 6 * hourMs;
/** Others have their turn after so much work: with a million packs a host would else miss its heartbeats. */
const workPerTurn = 3000;
/** Of a pack that lacks something, by one that lacks nothing. */
const shortWork = 50;

/** What is missing where, of all packs that snapshots need, as this host knows it. */
export class RepairView {
  readonly #options: RepairViewOptions;
  /** On the steady clock: when a snapshot was met here first. Clocks of others count for nothing, but see `#recall`. */
  readonly #metMs = new Map<StatementHash, number>();
  readonly #takenBack = new TakenBack();
  readonly #survey: FreshSurvey;
  #basis: string | undefined;

  constructor(options: RepairViewOptions) {
    this.#options = options;
    this.#survey = new FreshSurvey(options);
    this.#recall();
  }

  /**
   * What was here when this agent started has been met before; how long ago, only the snapshots themselves say.
   * Where that is wrong, a shard is made that is on its way as well, or one is waited for as if it were new.
   */
  #recall(): void {
    const { ledger, clock } = this.#options;
    const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
    for (const { hash, statement } of ledger.manifests()) {
      this.#metMs.set(hash, monotonicMs - Math.max(0, nowMs - statement.timeMs));
    }
  }

  async judge(): Promise<Judgement> {
    this.#basis = this.#basisNow();
    const survey = await this.#survey.get();
    this.#meet(survey);
    this.#takenBack.note(survey.packs);
    return this.#judged(survey, this.#options.standing);
  }

  /** Nothing has changed since this judgement, the last one, but the time. */
  async isCurrent({ survey }: Judgement): Promise<boolean> {
    return this.#basis === this.#basisNow() && (await this.#survey.isCurrent(survey));
  }

  /** What would be missing if these sites were lost. Nothing is waited for: what has not arrived may be lost as well. */
  async suppose(lost: ReadonlySet<string>): Promise<Judgement> {
    const survey = await this.#survey.get();
    return this.#judged(survey, this.#supposing(lost), { isPatient: false });
  }

  /** What a judgement rests on beside the survey. */
  #basisNow(): string {
    const { ledger, standing, peers } = this.#options;
    const { roster } = ledger;
    const members = roster.members().map((member) => {
      const place = this.#placeOf(member.agentKey, member, standing);
      const isThere = peers.isReachable(member.peerKey);
      return `${member.agentKey} ${place} ${standing.isFailing(member.agentKey)} ${isThere}`;
    });
    return [roster.revision, roster.policy.version, ledger.forks().length, ...members].join('\n');
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
      isFailing: (agent) => standing.isFailing(agent),
    };
  }

  async #judged(
    survey: Survey,
    standing: Standing,
    { isPatient } = { isPatient: true },
  ): Promise<Judgement> {
    const { ledger, clock } = this.#options;
    const sites = new SitesByDataset({ ...this.#options, standing }, survey.freeBytes);
    const { surviveSites } = ledger.roster.policy;
    const tasks: RepairTask[] = [];
    const lost: { pack: PackId; had: number; k: number }[] = [];
    const awaited = new Set<PackId>();
    let shardCount = 0;
    let changesMs = Number.POSITIVE_INFINITY;
    let work = 0;
    for (const [pack, surveyed] of survey.packs) {
      if (work >= workPerTurn) {
        await clock.sleep(0);
        work = 0;
      }
      const known = this.#condition(surveyed, standing);
      const condition = isPatient ? known : { ...known, isAwaited: false };
      for (const { mask } of condition.words) shardCount += bitCount(mask);
      const { entry, record } = surveyed;
      const verdict = planRepair(condition, {
        surviveSites,
        sites: sites.of(record, shardSizeOf({ k: entry.k, packSize: entry.size })),
      });
      work += verdict.state === 'short' ? shortWork : 1;
      if (verdict.state === 'awaited') {
        awaited.add(pack);
        // Behind that time it is a fact that has not arrived, and time brings nothing.
        if (this.#isOnItsWay(surveyed))
          changesMs = Math.min(changesMs, this.#awaitedUntilMs(surveyed));
      } else if (verdict.state === 'lost') lost.push({ pack, had: verdict.had, k: entry.k });
      else if (verdict.state === 'short') tasks.push(...verdict.tasks);
    }
    shardCount += tasks.length;
    return { survey, tasks, lost, awaited, shardCount, changesMs };
  }

  #meet({ records }: Survey): void {
    const nowMs = this.#options.clock.monotonicMs();
    const current = new Set(records.map(({ hash }) => hash));
    for (const hash of current) if (!this.#metMs.has(hash)) this.#metMs.set(hash, nowMs);
    for (const hash of this.#metMs.keys()) if (!current.has(hash)) this.#metMs.delete(hash);
  }

  #condition(surveyed: SurveyedPack, standing: Standing): PackCondition {
    const { entry, words } = surveyed;
    const staying: PackCondition['words'][number][] = [];
    const extras: PackCondition['words'][number][] = [];
    const departing: PackCondition['departing'][number][] = [];
    let isAwaited = this.#isOnItsWay(surveyed);
    for (const [agent, heard] of words) {
      const { mask, extraMask = 0 } = heard;
      const member = this.#options.ledger.roster.member(agent);
      const place = this.#placeOf(agent, member, standing);
      if (mask === undefined && place === 'stays') isAwaited = true;
      if (mask === undefined || mask === 0) continue;
      const word = { agent, site: member?.site ?? 'a former site', mask };
      if (place === 'stays') {
        const kept = keptMask(heard);
        if (kept !== 0) staying.push({ ...word, mask: kept });
        if (extraMask !== 0) extras.push({ ...word, mask: extraMask });
      } else departing.push({ ...word, isGone: place === 'gone' });
    }
    const takenBackMask = this.#takenBack.maskOf(entry.pack);
    return { entry, words: staying, departing, extras, takenBackMask, isAwaited };
  }

  #placeOf(
    agent: AgentKey,
    member: Member | undefined,
    standing: Standing,
  ): 'stays' | 'leaves' | 'gone' {
    if (member === undefined || standing.isLost(member.site)) return 'gone';
    const isGoing = standing.isLeaving(member) || standing.isFailing(agent);
    return member.hasRole('storage') && !isGoing ? 'stays' : 'leaves';
  }

  #isOnItsWay(surveyed: SurveyedPack): boolean {
    return this.#options.clock.monotonicMs() < this.#awaitedUntilMs(surveyed);
  }

  /**
   * Until then its source may bring what nobody has signed for. By the oldest snapshot that names the pack: where one
   * follows the other within minutes, what the newest names would be on its way for ever.
   */
  #awaitedUntilMs({ first, record }: SurveyedPack): number {
    const { writer } = record.statement;
    const { ledger, peers, self, standing, clock } = this.#options;
    const source = ledger.roster.member(writer);
    if (source === undefined || standing.isLost(source.site)) return Number.NEGATIVE_INFINITY;
    const isHere = writer === self || peers.isReachable(source.peerKey);
    const metMs = this.#metMs.get(first.hash) ?? clock.monotonicMs();
    return metMs + (isHere ? graceMs : silentSourceMs);
  }
}
