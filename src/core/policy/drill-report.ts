import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { HoldfastError } from '../errors.ts';
import type { Objectives } from './objectives.ts';
import { canonicalJson } from './plan-json.ts';

// Every member keeps every report, and most hold no key: so a report has no names of files, no content, and
// nothing that a program has printed.

export const drillKinds = [
  'dataset',
  'file',
  'site-loss',
  'key-loss',
  'ransomware',
  'partition',
  'slow-network',
] as const;

export type DrillKind = (typeof drillKinds)[number];

/** Passed: everything came back, and in time. Missed: it came back, not as fast or not as new as the policy asks. */
export type DrillOutcome = 'passed' | 'missed' | 'failed';

/** How long what took, milliseconds. What was not measured is left out. */
export type DrillTimes = {
  /** Until the members were met, and the snapshot was found and opened. */
  readonly findMs?: number;
  /** From the beginning until the first byte of content was there. */
  readonly firstByteMs?: number;
  readonly restoreMs?: number;
  readonly verifyMs?: number;
  readonly checksMs?: number;
  /** From the beginning until everything asked for was restored, verified and found well. */
  readonly rtoMs?: number;
  /** Age of the newest committed snapshot when the drill began. */
  readonly rpoMs?: number;
  /** Of scenarios: until the fault was seen, could do no more harm, and was made good. */
  readonly detectMs?: number;
  readonly containMs?: number;
  readonly recoverMs?: number;
};

export type DrillFidelity = {
  readonly entries: number;
  readonly chunks: number;
  readonly bytes: number;
  /** Entries whose content or metadata is not that of the snapshot. */
  readonly mismatches: number;
  /** Entries whose owner or attributes this user may not set: they were not compared in these. */
  readonly limited: number;
  /** Compared with live files as well: how many differ. */
  readonly liveDifferences?: number;
};

export type DrillCriterion = {
  readonly name: string;
  readonly isMet: boolean;
  readonly detail: string;
};

/** What a member without any key has looked at, and found. */
export type ValidationFacts = {
  readonly snapshots: number;
  readonly statements: number;
  readonly packs: number;
  /** As many members as it takes have each shown a leaf. */
  readonly packsProven: number;
  /** Read whole, and decoded. */
  readonly packsDecoded: number;
  /** Who holds them was not there. */
  readonly packsUnseen: number;
  /** Signed for, and not shown. */
  readonly shardsMissing: number;
  readonly locks: number;
  /** Lists of packs that had not arrived. */
  readonly missingLists: number;
  /** The newest snapshots that were looked at, in one hash. */
  readonly heads: string;
  readonly peersAsked: readonly string[];
  readonly peersSilent: readonly string[];
  readonly findingCount: number;
  /** The first of them. */
  readonly findings: readonly {
    readonly check: string;
    readonly subject: string;
    readonly detail: string;
  }[];
};

export type DrillReport = {
  readonly version: 1;
  /** A validation restores nothing: a member without any key has looked at everything. */
  readonly kind: DrillKind | 'validation';
  /** `sandbox`: agents on one machine with made-up data; `cluster`: the real one. */
  readonly where: 'cluster' | 'sandbox';
  readonly cluster: { readonly id: string; readonly name: string };
  /** Of whose host has run it. */
  readonly agent: { readonly name: string; readonly site: string; readonly key: string };
  /** What opened the data: the recovery kit of a person, shares of it, or a grant without either. */
  readonly authority: 'kit' | 'shares' | 'grant' | 'none';
  readonly startedMs: number;
  readonly endedMs: number;
  readonly dataset?: {
    readonly name: string;
    readonly id: string;
    readonly source: string;
    readonly sourceSite: string;
  };
  readonly snapshot?: {
    readonly id: string;
    readonly timeMs: number;
    readonly files: number;
    readonly bytes: number;
  };
  /** `path`: a part that a person has named. */
  readonly scope: 'all' | 'path' | 'sample' | 'shape';
  readonly objectives: Objectives;
  readonly policyVersion: number;
  /** What the policy asks before a restore of this dataset. */
  readonly approvals: { readonly needed: number; readonly by: readonly string[] };
  readonly times: DrillTimes;
  /** The time for the whole was reckoned from the throughput of a part. */
  readonly isRtoReckoned: boolean;
  readonly restored?: {
    readonly files: number;
    readonly directories: number;
    readonly others: number;
    readonly bytes: number;
    readonly bytesFetched: number;
    readonly packsDecoded: number;
    readonly bytesPerSecond: number;
    readonly lost: number;
    readonly problems: number;
  };
  /** Where bytes came from. */
  readonly sites: readonly string[];
  /** Sites that the drill did without, as if they were lost. */
  readonly without?: readonly string[];
  readonly fidelity?: DrillFidelity;
  readonly criteria: readonly DrillCriterion[];
  readonly outcome: DrillOutcome;
  /** Of a validation alone. */
  readonly validation?: ValidationFacts;
  /** Where it was staged, in words: what kept it apart from what is in use. */
  readonly isolation: string;
};

/** The canonical bytes: what is signed. The caller's report is whole numbers and plain data. */
export function encodeDrillReport(report: DrillReport): Uint8Array {
  return utf8(canonicalJson(report));
}

/**
 * The report in these bytes, as far as this version understands it: a later one may say more.
 * @throws HoldfastError bad-encoding
 */
export function decodeDrillReport(bytes: Uint8Array): DrillReport {
  const text = fromUtf8(bytes);
  if (text === undefined) throw refused('it is not UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refused('it is not JSON', cause);
  }
  if (!isReport(value)) throw refused('it lacks what every report has');
  return value;
}

function isReport(value: unknown): value is DrillReport {
  if (typeof value !== 'object' || value === null) return false;
  const { version, kind, startedMs, endedMs, times, criteria, outcome, sites, objectives } =
    value as Partial<DrillReport>;
  return (
    version === 1 &&
    (kind === 'validation' || drillKinds.some((known) => known === kind)) &&
    Number.isSafeInteger(startedMs) &&
    Number.isSafeInteger(endedMs) &&
    typeof times === 'object' &&
    typeof objectives === 'object' &&
    Array.isArray(criteria) &&
    Array.isArray(sites) &&
    ['passed', 'missed', 'failed'].includes(outcome ?? '')
  );
}

function refused(why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('bad-encoding', `a drill report cannot be read: ${why}`, { cause });
}
