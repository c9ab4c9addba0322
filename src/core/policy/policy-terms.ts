import type { PlanHash } from '../format/control-records.ts';
import type { DatasetId } from '../ids.ts';
import type { DrillKind } from './drill-report.ts';
import { type Hours, hoursOf } from './load-window.ts';
import { isNameLike } from './name-pattern.ts';
import type { Objectives } from './objectives.ts';
import {
  type DatasetRuleText,
  type DrillRuleText,
  type KeepCounts,
  type ObjectivesText,
  type PolicyDocument,
  policyDefaults,
  type RestoreRule,
  type TierRuleText,
  type TripwireRule,
  type WriterRuleText,
} from './policy-document.ts';
import { durationOf, sizeOf } from './policy-quantity.ts';
import type { Probe } from './restore-plan.ts';

/** A policy document in numbers, with what holds where it says nothing. */
export type PolicyTerms = {
  readonly surviveSites: number;
  readonly failover: Failover;
  /** How long a decree must be announced before it counts. */
  readonly decreeNoticeMs: number;
  /** Of log time: how long commands that cannot be undone wait. */
  readonly destructiveDelayMs: number;
  readonly expiry: { readonly vetoMs: number; readonly trashMs: number };
  readonly reads: ReadAllowances;
  /** In their order: the first that fits counts, see `ruleFor`. */
  readonly rules: readonly DatasetRule[];
  /** In their order: the first that fits counts, see `writerBudgetFor`. */
  readonly writers: readonly WriterRule[];
};

/** Bytes of one storage peer's shards that a member may read in a day, beside what it was granted. */
export type ReadAllowances = { readonly ungrantedPerDay: number; readonly repairPerDay: number };

/** When a site counts as lost, and what follows. */
export type Failover = {
  /** Silence after which voters report a site as lost. */
  readonly siteLostAfterMs: number;
  readonly action: 'alert' | 'repair' | 'restore';
  readonly rules: readonly FailoverRule[];
};

/** Where a dataset goes when its site is lost, and by which plan. */
export type FailoverRule = {
  readonly dataset: DatasetId;
  readonly standbySite: string;
  readonly plan: PlanHash | undefined;
  /** Undefined: silence proves nothing, and a person must say that the live copy is off. */
  readonly leaseMs: number | undefined;
};

/** What holds for the datasets whose name fits. What is undefined is not asked for. */
export type DatasetRule = {
  readonly match: string;
  /** Undefined: every snapshot is kept. */
  readonly retention?: Retention;
  readonly lock?: { readonly mode: 'governance' | 'compliance'; readonly forMs: number };
  readonly budget?: Budget;
  /** Patterns of the regions where its shards may lie; undefined: anywhere. */
  readonly regions?: readonly string[];
  readonly restore?: RestoreRule & { readonly expiresMs?: number };
  readonly tripwire?: TripwireRule;
  /** Undefined parts are not asked for. */
  readonly objectives?: Objectives;
  readonly drill?: DrillRule;
  readonly tiers?: TierRule;
};

/** Where what is held lies. */
export type TierRule = {
  /** When it moves to the cold store; undefined: never. */
  readonly coldAfterMs?: number;
  readonly hot?: HotRule;
};

/** Sites with a full copy; `forMs` undefined: as long as a snapshot is kept. */
export type HotRule = { readonly sites: readonly string[]; readonly forMs?: number };

export type DrillRule = {
  /** Undefined: nobody asks for drills. */
  readonly everyMs?: number;
  readonly sampleBytes?: number;
  readonly window?: Hours;
  readonly checks: readonly Probe[];
  readonly runsCommands: boolean;
  readonly scenarios: Partial<Record<DrillKind, Objectives>>;
  readonly agents: readonly string[];
};

export type Retention = KeepCounts & { readonly keepWithinMs?: number };

export type Budget = {
  readonly perDay?: number;
  readonly total?: number;
  readonly over: 'refuse' | 'quarantine';
};

/** What members of this name may have others keep. */
export type WriterRule = { readonly match: string; readonly budget: WriterBudget };

export type WriterBudget = {
  /** Bytes of packs; undefined: no bound but the disk's. */
  readonly perDay?: number;
  readonly total?: number;
  readonly statementsPerDay: number;
  readonly statementBytesPerDay: number;
};

const { statementsPerDay, statementBytesPerDay } = policyDefaults;
const plainBudget: WriterBudget = { statementsPerDay, statementBytesPerDay };

const noRule: DatasetRule = { match: '*' };

/** What a document means. `surviveSites`: what the genesis says, where the document does not. */
export function termsOf(document: PolicyDocument, surviveSites: number): PolicyTerms {
  const { survive, failover, expiry, reads, datasets = [], writers = [] } = document;
  return {
    surviveSites: survive?.sites ?? surviveSites,
    failover: {
      siteLostAfterMs: spanOf(document.siteLostAfter) ?? policyDefaults.siteLostAfterMs,
      action: failover?.action ?? policyDefaults.failoverAction,
      rules: (failover?.standby ?? []).map(({ dataset, site, plan, lease }) => ({
        dataset: dataset as DatasetId,
        standbySite: site,
        plan: plan as PlanHash | undefined,
        leaseMs: spanOf(lease),
      })),
    },
    decreeNoticeMs: spanOf(document.decreeNotice) ?? policyDefaults.decreeNoticeMs,
    destructiveDelayMs: spanOf(document.destructiveDelay) ?? policyDefaults.destructiveDelayMs,
    expiry: {
      vetoMs: spanOf(expiry?.veto) ?? policyDefaults.vetoMs,
      trashMs: spanOf(expiry?.trash) ?? policyDefaults.trashMs,
    },
    reads: {
      ungrantedPerDay: bytesOf(reads?.ungrantedPerDay) ?? policyDefaults.ungrantedPerDay,
      repairPerDay: bytesOf(reads?.repairPerDay) ?? policyDefaults.repairPerDay,
    },
    rules: datasets.map(ruleOf),
    writers: writers.map(writerRuleOf),
  };
}

/** The budget of a member, by its name: that of the first rule that fits. */
export function writerBudgetFor(
  { writers }: Pick<PolicyTerms, 'writers'>,
  name: string,
): WriterBudget {
  return writers.find(({ match }) => isNameLike(name, match))?.budget ?? plainBudget;
}

function writerRuleOf({ match, budget }: WriterRuleText): WriterRule {
  const { perDay, total, statementBytesPerDay: bytes } = budget;
  return {
    match,
    budget: {
      ...(perDay !== undefined && { perDay: sizeOf(perDay) ?? 0 }),
      ...(total !== undefined && { total: sizeOf(total) ?? 0 }),
      statementsPerDay: budget.statementsPerDay ?? statementsPerDay,
      statementBytesPerDay: bytes === undefined ? statementBytesPerDay : (sizeOf(bytes) ?? 0),
    },
  };
}

/** The rule of a dataset, by its name: the first that fits; one that asks for nothing where none does. */
export function ruleFor({ rules }: Pick<PolicyTerms, 'rules'>, name: string): DatasetRule {
  return rules.find(({ match }) => isNameLike(name, match)) ?? noRule;
}

/** What a drill of this kind must reach: what the rule says of the scenario goes before what it says of all restores. */
export function objectivesFor(rule: DatasetRule, kind: DrillKind): Objectives {
  return { ...rule.objectives, ...rule.drill?.scenarios[kind] };
}

/** Whether a dataset of this rule may lie in a region. */
export function isRegionAllowed({ regions }: DatasetRule, region: string): boolean {
  return regions === undefined || regions.some((pattern) => isNameLike(region, pattern));
}

function ruleOf(text: DatasetRuleText): DatasetRule {
  const { match, retention, lock, budget, restore, objectives, drill, tiers, ...rest } = text;
  const forMs = spanOf(lock?.for);
  return {
    match,
    ...rest,
    ...(retention === undefined ? {} : { retention: retentionOf(retention) }),
    ...(lock === undefined || lock.mode === 'none' || forMs === undefined
      ? {}
      : { lock: { mode: lock.mode, forMs } }),
    ...(budget === undefined ? {} : { budget: budgetOf(budget) }),
    ...(objectives === undefined ? {} : { objectives: objectivesOf(objectives) }),
    ...(drill === undefined ? {} : { drill: drillOf(drill) }),
    ...(restore === undefined ? {} : { restore: restoreOf(restore) }),
    ...(tiers === undefined ? {} : { tiers: tiersOf(tiers) }),
  };
}

function retentionOf({
  keepWithin,
  ...counts
}: NonNullable<DatasetRuleText['retention']>): Retention {
  const keepWithinMs = spanOf(keepWithin);
  return { ...counts, ...(keepWithinMs === undefined ? {} : { keepWithinMs }) };
}

function budgetOf({ perDay, total, over }: NonNullable<DatasetRuleText['budget']>): Budget {
  const [day, all] = [perDay, total].map((text) => (text === undefined ? text : sizeOf(text)));
  return {
    over: over ?? 'refuse',
    ...(day === undefined ? {} : { perDay: day }),
    ...(all === undefined ? {} : { total: all }),
  };
}

function objectivesOf({ rpo, rto, detect, contain }: ObjectivesText): Objectives {
  const [rpoMs, rtoMs] = [spanOf(rpo), spanOf(rto)];
  const [detectMs, containMs] = [spanOf(detect), spanOf(contain)];
  return {
    ...(rpoMs === undefined ? {} : { rpoMs }),
    ...(rtoMs === undefined ? {} : { rtoMs }),
    ...(detectMs === undefined ? {} : { detectMs }),
    ...(containMs === undefined ? {} : { containMs }),
  };
}

function drillOf(text: DrillRuleText): DrillRule {
  const { every, sample, window, checks, scenarios, commands, agents } = text;
  const everyMs = spanOf(every);
  const sampleBytes = sample === undefined ? undefined : sizeOf(sample);
  const hours = window === undefined ? undefined : hoursOf(window);
  return {
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(sampleBytes === undefined ? {} : { sampleBytes }),
    ...(hours === undefined ? {} : { window: hours }),
    checks: checks ?? [],
    runsCommands: commands === 'run',
    scenarios: Object.fromEntries(
      Object.entries(scenarios ?? {}).map(([kind, asked]) => [kind, objectivesOf(asked)]),
    ),
    agents: agents ?? [],
  };
}

function tiersOf({ cold, hot }: TierRuleText): TierRule {
  const coldAfterMs = spanOf(cold?.after);
  const forMs = spanOf(hot?.for);
  return {
    ...(coldAfterMs === undefined ? {} : { coldAfterMs }),
    ...(hot === undefined
      ? {}
      : { hot: { sites: hot.sites, ...(forMs === undefined ? {} : { forMs }) } }),
  };
}

function restoreOf({ expires, ...rule }: NonNullable<DatasetRuleText['restore']>) {
  const expiresMs = spanOf(expires);
  return { ...rule, ...(expiresMs === undefined ? {} : { expiresMs }) };
}

function bytesOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : sizeOf(text);
}

function spanOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : durationOf(text);
}
