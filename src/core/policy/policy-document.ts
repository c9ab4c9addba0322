import type { DrillKind } from './drill-report.ts';
import type { Probe } from './restore-plan.ts';
import { dayMs, GiB, hourMs, KiB, minuteMs, secondMs } from '../../base/units.ts';

/** Bounds of a policy document. A person must be able to read what is signed. */
export const policyLimits = {
  sizeMax: 48 * KiB,
  rulesMax: 256,
  standbyMax: 256,
  /** Of the texts of one list: regions, tags, names, paths. */
  listMax: 64,
  patternLengthMax: 128,
  /** Shorter silences are everyday: a restart, a route that changes. */
  siteLostAfterMinMs: 30 * secondMs,
  noticeMaxMs: 30 * dayMs,
  /** Shorter ones would end with every restart of an agent. */
  leaseMinMs: 20 * secondMs,
  leaseMaxMs: dayMs,
  /** How long operators may make themselves wait. */
  delayMaxMs: 366 * dayMs,
  /** Of locks and retention: longer than any archive law asks. */
  spanMaxMs: 100 * 365 * dayMs,
  keepMax: 100_000,
  /** Fewer than a member says when it is well would cut it off. */
  statementsPerDayMin: 100,
  statementsPerDayMax: 10_000_000,
  /** Operators of a cluster: more approvals could never come. */
  approvalsMax: 16,
  /** Of one drill: each may take a minute. */
  checksMax: 16,
  grantMinMs: secondMs,
  grantMaxMs: 90 * dayMs,
} as const;

/** What holds where a document says nothing: nothing happens by itself before a person has looked. */
export const policyDefaults = {
  siteLostAfterMs: 15 * minuteMs,
  failoverAction: 'alert',
  decreeNoticeMs: 30 * minuteMs,
  destructiveDelayMs: 72 * hourMs,
  vetoMs: 7 * dayMs,
  trashMs: 7 * dayMs,
  /** Hourly backups of 50 datasets are 1200 a day. */
  statementsPerDay: 5000,
  statementBytesPerDay: GiB,
  grantMs: dayMs,
  ungrantedPerDay: 1 * GiB,
  repairPerDay: 1024 * GiB,
} as const;

/** A whole number and one of s, m, h, d, w, y: "72h". */
export type DurationText = string;
/** A whole number and one of B, KiB, MiB, GiB, TiB: "50GiB". */
export type SizeText = string;

/** What operators sign: what the cluster promises, and what it does by itself. Everything may be left out. */
export type PolicyDocument = {
  readonly survive?: { readonly sites: number };
  readonly siteLostAfter?: DurationText;
  readonly failover?: {
    readonly action?: 'alert' | 'repair' | 'restore';
    readonly standby?: readonly StandbyRule[];
  };
  readonly decreeNotice?: DurationText;
  /** How long commands that cannot be undone wait for an auditor's veto. */
  readonly destructiveDelay?: DurationText;
  readonly expiry?: { readonly veto?: DurationText; readonly trash?: DurationText };
  /** What a member may read of another's shards in a day without a grant, and for repair. */
  readonly reads?: { readonly ungrantedPerDay?: SizeText; readonly repairPerDay?: SizeText };
  /** The first whose `match` fits a dataset's name counts. */
  readonly datasets?: readonly DatasetRuleText[];
  /** The first whose `match` fits a member's name counts. */
  readonly writers?: readonly WriterRuleText[];
};

/** What a member may have others keep, whatever its datasets are called. */
export type WriterRuleText = {
  /** `*` stands for any text, `?` for one character. */
  readonly match: string;
  readonly budget: {
    /** Of packs, all its datasets together: what lies over it is refused. */
    readonly perDay?: SizeText;
    readonly total?: SizeText;
    /** Signed statements that a peer takes in a day, and their bytes with the lists that they name. */
    readonly statementsPerDay?: number;
    readonly statementBytesPerDay?: SizeText;
  };
};

/** Where a dataset goes when its site is lost, and by which plan. */
export type StandbyRule = {
  /** Id, hexadecimal: names are not unique. */
  readonly dataset: string;
  readonly site: string;
  /** Hash of a restore plan, hexadecimal. */
  readonly plan?: string;
  /** So long after it was last heard of, the live copy has stopped itself: only then a plan may promote by itself. */
  readonly lease?: DurationText;
};

export type DatasetRuleText = {
  /** `*` stands for any text, `?` for one character. */
  readonly match: string;
  readonly retention?: KeepCounts & { readonly keepWithin?: DurationText };
  readonly lock?: {
    readonly mode: 'governance' | 'compliance' | 'none';
    readonly for?: DurationText;
  };
  readonly budget?: {
    readonly perDay?: SizeText;
    readonly total?: SizeText;
    readonly over?: 'refuse' | 'quarantine';
  };
  /** Patterns like `match`; the dataset lies nowhere else. */
  readonly regions?: readonly string[];
  readonly restore?: RestoreRule & { readonly expires?: DurationText };
  readonly tripwire?: TripwireRule;
  readonly objectives?: ObjectivesText;
  readonly drill?: DrillRuleText;
  readonly tiers?: TierRuleText;
};

/** Where hosts keep what they hold of a dataset. */
export type TierRuleText = {
  /** Into the cold store of each host that has one, so long after the last snapshot that needs it was made. */
  readonly cold?: { readonly after: DurationText };
  /** A full copy at each of these sites, as long as a snapshot is younger than `for`; without: as long as it is kept. */
  readonly hot?: { readonly sites: readonly string[]; readonly for?: DurationText };
};

/** How much may be lost, and how long a restore may take; of scenarios, how long until a fault is seen and does no more harm. */
export type ObjectivesText = {
  readonly rpo?: DurationText;
  readonly rto?: DurationText;
  readonly detect?: DurationText;
  readonly contain?: DurationText;
};

/** How restores of a dataset are rehearsed. */
export type DrillRuleText = {
  /** Older than this, the newest successful drill is overdue. */
  readonly every?: DurationText;
  /** How much a drill without a person restores. */
  readonly sample?: SizeText;
  /** Hours in which drills begin by themselves, UTC: "22:00-06:00". */
  readonly window?: string;
  /** What must hold of what was restored; files are paths in the snapshot. */
  readonly checks?: readonly Probe[];
  /** What a scenario must reach, where that is not what every restore must. */
  readonly scenarios?: Partial<Record<DrillKind, ObjectivesText>>;
  /** Whether a drill without a person runs commands among the checks. */
  readonly commands?: 'run' | 'skip';
  /** Members, by their names, that drill without a person. */
  readonly agents?: readonly string[];
};

/** How many snapshots of each kind are kept. */
export type KeepCounts = {
  readonly keepLast?: number;
  readonly keepHourly?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  readonly keepTags?: readonly string[];
};

/** How many of these operators (any, when none is named) must approve a restore. */
export type RestoreRule = { readonly approvals?: number; readonly by?: readonly string[] };

/** When a snapshot is suspect. */
export type TripwireRule = {
  readonly changedPercent?: number;
  readonly deletedPercent?: number;
  readonly entropyPercent?: number;
  /** Absolute paths of files that nobody ever changes. */
  readonly canaries?: readonly string[];
};
