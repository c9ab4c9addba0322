import { dayMs } from '../../base/units.ts';
import type { Retention } from './policy-terms.ts';
import { type Bucket, bucketKinds, bucketOf } from './time-bucket.ts';

/** What retention looks at of one snapshot. Nothing in it but the tags is the source's word. */
export type SnapshotFacts = {
  readonly sequence: number;
  /** When other members first signed for it; undefined: nobody has. */
  readonly witnessedMs: number | undefined;
  readonly isCommitted: boolean;
  /** It, or one before it, looks like ransomware's work, and nobody has cleared it. */
  readonly isSuspect: boolean;
  readonly tags: readonly string[];
  /** Why it is kept whatever retention says: a hold, a pin. */
  readonly keptBecause: string | undefined;
  /** Operators want it to go. */
  readonly isForgotten: boolean;
  /** Its keys were destroyed: nobody can restore it any more. */
  readonly isShredded?: boolean;
};

export type RetentionDecision = {
  readonly sequence: number;
  readonly isKept: boolean;
  /** For people, at least one. */
  readonly reasons: readonly string[];
};

/** What never became complete may be a delivery that is still under way. */
const incompleteMs = 7 * dayMs;

/**
 * Which snapshots of one writer's dataset a rule keeps, and why. `snapshots`: by sequence, ascending; `nowMs`: log
 * time. Order and time are those that others have witnessed, and of several snapshots in one hour, day or month
 * the first one counts: so whoever takes over the source can push nothing out by making many, or by lying about
 * when they were made.
 *
 * Log time may be an hour behind the witnesses, and the first snapshot of a new day must not be taken for one more of
 * the old day meanwhile; but witnesses that are ahead must not push the past out with days to come. So a rule is
 * asked by both, and what it keeps by one of them stays.
 */
export function retain(
  snapshots: readonly SnapshotFacts[],
  { rule, nowMs }: { readonly rule: Retention | undefined; readonly nowMs: number },
): RetentionDecision[] {
  const line = inOrder(snapshots.map((one) => notAfter(one, nowMs)));
  const reasons = new Map<number, string[]>(line.map(({ sequence }) => [sequence, []]));
  const keep = (snapshot: SnapshotFacts, reason: string): void => {
    reasons.get(snapshot.sequence)?.push(reason);
  };
  keepWhateverRules(line, keep, nowMs);
  if (rule === undefined) {
    for (const one of line) if (!one.isForgotten) keep(one, 'the policy has no retention for it');
  } else {
    keepByRule(line, rule, { keep, nowMs });
    const open = new Set([...reasons].flatMap(([one, found]) => (found.length > 0 ? [] : [one])));
    const keepToo: Keep = (one, reason) => {
      if (open.has(one.sequence)) keep(one, reason);
    };
    keepByRule(inOrder(snapshots), rule, { keep: keepToo, nowMs });
  }
  return line.map((one) => {
    const { sequence } = one;
    const found = reasons.get(sequence) ?? [];
    if (found.length > 0) return { sequence, isKept: true, reasons: found };
    return { sequence, isKept: false, reasons: [whyNot(one)] };
  });
}

function whyNot({ isForgotten, isShredded, isCommitted }: SnapshotFacts): string {
  if (isForgotten) return 'forgotten';
  if (isShredded === true) return 'its keys were destroyed';
  return isCommitted ? 'no rule keeps it' : 'it never became complete';
}

/** Somebody could want it back, and get it. */
function isUsable({ isCommitted, isShredded }: SnapshotFacts): boolean {
  return isCommitted && isShredded !== true;
}

type Keep = (snapshot: SnapshotFacts, reason: string) => void;

/** Witnessed at a time that has come by log time; 0: no majority has told one. */
function notAfter(snapshot: SnapshotFacts, nowMs: number): SnapshotFacts {
  const { witnessedMs } = snapshot;
  if (nowMs === 0 || witnessedMs === undefined) return snapshot;
  return { ...snapshot, witnessedMs: Math.min(witnessedMs, nowMs) };
}

/** A later snapshot was not witnessed before an earlier one, whatever a clock has said. */
function inOrder(snapshots: readonly SnapshotFacts[]): SnapshotFacts[] {
  let latestMs = 0;
  return snapshots.map((one) => {
    if (one.witnessedMs === undefined) return one;
    latestMs = Math.max(latestMs, one.witnessedMs);
    return { ...one, witnessedMs: latestMs };
  });
}

function keepWhateverRules(line: readonly SnapshotFacts[], keep: Keep, nowMs: number): void {
  const newest = line.findLast(isUsable);
  if (newest !== undefined) keep(newest, 'the newest that is committed');
  const clean = line.findLast((one) => isUsable(one) && !one.isSuspect);
  if (clean !== undefined && clean !== newest) keep(clean, 'the newest that is not suspect');
  for (const one of line) {
    if (one.keptBecause !== undefined) keep(one, one.keptBecause);
    if (one.isSuspect && !one.isForgotten) keep(one, 'suspect: an operator decides');
    if (!one.isCommitted && isFresh(one, line, nowMs)) keep(one, 'not committed yet');
  }
}

/** Nothing that is complete came after it, or not long ago. */
function isFresh(one: SnapshotFacts, line: readonly SnapshotFacts[], nowMs: number): boolean {
  const next = line.find((other) => other.isCommitted && other.sequence > one.sequence);
  return next?.witnessedMs === undefined || nowMs - next.witnessedMs < incompleteMs;
}

function keepByRule(
  line: readonly SnapshotFacts[],
  rule: Retention,
  { keep, nowMs }: { keep: Keep; nowMs: number },
): void {
  // What is forgotten neither counts for a rule nor is kept by one; nor does what may be a thief's.
  const counted = line.filter(
    (one) => isUsable(one) && !one.isSuspect && !one.isForgotten && one.witnessedMs !== undefined,
  );
  keepLast(counted, rule, keep);
  keepBuckets(counted, rule, keep);
  keepWithin(counted, rule, { keep, nowMs });
  keepTagged(counted, rule, keep);
}

/**
 * The newest n, and with them the first of each of the n newest hours that have any: a count alone would let one
 * busy minute push everything out.
 */
function keepLast(
  counted: readonly SnapshotFacts[],
  { keepLast: count }: Retention,
  keep: Keep,
): void {
  if (count === undefined || count === 0) return;
  for (const [i, one] of counted.slice(-count).reverse().entries()) {
    keep(one, `last ${i + 1} of ${count}`);
  }
  const firsts = firstOfEach(counted, 'hour').slice(-count);
  const newest = new Set(counted.slice(-count));
  for (const [one, name] of firsts) {
    if (!newest.has(one)) keep(one, `first of hour ${name}, within last ${count}`);
  }
}

function keepBuckets(counted: readonly SnapshotFacts[], rule: Retention, keep: Keep): void {
  for (const { bucket, field, word } of bucketKinds) {
    const count = rule[field] ?? 0;
    if (count === 0) continue;
    for (const [i, [one, name]] of firstOfEach(counted, bucket).slice(-count).reverse().entries()) {
      keep(one, `first of ${bucket} ${name} (${i + 1} of ${count} ${word})`);
    }
  }
}

/** The first snapshot of each span of time that has one, oldest first, with the span's name. */
function firstOfEach(
  counted: readonly SnapshotFacts[],
  bucket: Bucket,
): (readonly [SnapshotFacts, string])[] {
  const firsts = new Map<string, SnapshotFacts>();
  for (const one of counted) {
    const name = bucketOf(one.witnessedMs ?? 0, bucket);
    if (!firsts.has(name)) firsts.set(name, one);
  }
  return [...firsts].map(([name, one]) => [one, name] as const);
}

function keepWithin(
  counted: readonly SnapshotFacts[],
  { keepWithinMs: withinMs }: Retention,
  { keep, nowMs }: { keep: Keep; nowMs: number },
): void {
  if (withinMs === undefined) return;
  for (const one of counted) {
    const ageMs = nowMs - (one.witnessedMs ?? 0);
    if (ageMs < withinMs) keep(one, `within ${Math.round(withinMs / dayMs)} days`);
  }
}

function keepTagged(
  counted: readonly SnapshotFacts[],
  { keepTags = [] }: Retention,
  keep: Keep,
): void {
  for (const one of counted) {
    const tag = keepTags.find((wanted) => one.tags.includes(wanted));
    if (tag !== undefined) keep(one, `tag ${tag}`);
  }
}
