/** How long something stays: by locks that nobody shortens, and by those that operators may. */
export type LockEnds = { readonly complianceMs: number; readonly governanceMs: number };

/** Nothing is locked. */
export const noLock: LockEnds = { complianceMs: 0, governanceMs: 0 };

/** The lock that a rule of the policy asks for. */
export type LockRule = { readonly mode: 'governance' | 'compliance'; readonly forMs: number };

/** What a rule makes of a snapshot that was first seen committed then. */
export function lockEnds(rule: LockRule | undefined, sinceMs: number): LockEnds {
  if (rule === undefined) return noLock;
  const endMs = sinceMs + rule.forMs;
  const isCompliance = rule.mode === 'compliance';
  return { complianceMs: isCompliance ? endMs : 0, governanceMs: isCompliance ? 0 : endMs };
}

/** Whether `wanted` asks for more than stands. */
export function isLonger(wanted: LockEnds, standing: LockEnds): boolean {
  return wanted.complianceMs > standing.complianceMs || wanted.governanceMs > standing.governanceMs;
}

/** The longer of both, each for itself: a lock is only ever extended. */
export function longest(a: LockEnds, b: LockEnds): LockEnds {
  return {
    complianceMs: Math.max(a.complianceMs, b.complianceMs),
    governanceMs: Math.max(a.governanceMs, b.governanceMs),
  };
}

/** When a snapshot's packs may go, as far as its locks are concerned; `isUnlocked`: operators have ended what they may end. */
export function lockEnd(ends: LockEnds, isUnlocked: boolean): number {
  return isUnlocked ? ends.complianceMs : Math.max(ends.complianceMs, ends.governanceMs);
}
