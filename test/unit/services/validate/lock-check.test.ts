import { beforeEach, describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../../../src/base/units.ts';
import { type AgentKey, idBytes, type StatementHash } from '../../../../src/core/ids.ts';
import type { LockRule } from '../../../../src/core/policy/lock.ts';
import type { ManifestRecord } from '../../../../src/services/ledger.ts';
import { LockCheck, type LockCheckOptions } from '../../../../src/services/validate/lock-check.ts';
import type { ValidationFinding } from '../../../../src/services/validate/validation.ts';

const [self, other] = ['a1'.repeat(32), 'a2'.repeat(32)] as AgentKey[] as [AgentKey, AgentKey];
const snapshot = { hash: 'cc'.repeat(32) as StatementHash } as ManifestRecord;
const signedMs = 1_000_000_000;
const rule: LockRule = { mode: 'compliance', forMs: 30 * dayMs };

let findings: ValidationFinding[];
let answer: { locks: object[]; isDamaged: boolean } | undefined;
let options: LockCheckOptions;

beforeEach(() => {
  findings = [];
  answer = { locks: [], isDamaged: false };
  const members = [self, other].map((agentKey, i) => ({
    ...{ agentKey, peerKey: agentKey, name: `host-${i}` },
    hasRole: () => true,
  }));
  options = {
    ledger: {
      self,
      roster: { members: () => members },
      witnessed: () => new Map([[other, signedMs]]),
    } as unknown as LockCheckOptions['ledger'],
    peers: {
      isReachable: () => answer !== undefined,
      ask: async () => answer,
    } as unknown as LockCheckOptions['peers'],
    locks: { of: () => undefined, isDamaged: false },
    ruleOf: () => rule,
    isUnlocked: () => false,
    snapshotName: () => 'home cccccccc',
    nowMs: signedMs + dayMs,
  };
});

async function check(change: Partial<LockCheckOptions> = {}) {
  const progress = {
    onFinding: (finding: ValidationFinding) => findings.push(finding),
    onStep: () => undefined,
    signal: new AbortController().signal,
  };
  return new LockCheck({ ...options, ...change }).run([snapshot], progress);
}

function lockedFor(ms: number, mode: 'compliance' | 'governance' = 'compliance'): void {
  const untilMs = BigInt(signedMs + ms);
  const [complianceMs, governanceMs] = mode === 'compliance' ? [untilMs, 0n] : [0n, untilMs];
  const manifest = idBytes(snapshot.hash);
  answer = { isDamaged: false, locks: [{ manifest, complianceMs, governanceMs }] };
}

describe('a lock', () => {
  test('that is as long as the policy asks is fine, clocks aside', async () => {
    lockedFor(30 * dayMs - hourMs / 2);
    expect(await check()).toEqual({ locks: 1, peersSilent: [] });
    expect(findings).toEqual([]);
  });

  test('that a member has signed for and does not have is found', async () => {
    await check();
    expect(findings).toEqual([
      {
        ...{ check: 'locks', subject: 'home cccccccc' },
        detail: 'host-1 has signed for it and has no lock on it',
      },
    ]);
  });

  test('that ends too early, or that operators could end, is found', async () => {
    lockedFor(10 * dayMs);
    await check();
    lockedFor(30 * dayMs, 'governance');
    await check();
    expect(findings.map(({ detail }) => detail)).toEqual([
      "the lock of host-1 ends 19 d 23 h before the policy's",
      expect.stringContaining('the lock of host-1 ends'),
    ]);
  });

  test('that operators have ended is not missed, unless nobody may end it', async () => {
    const ruleOf = (): LockRule => ({ mode: 'governance', forMs: 30 * dayMs });
    await check({ isUnlocked: () => true, ruleOf });
    expect(findings).toEqual([]);
    await check({ isUnlocked: () => true });
    expect(findings).toHaveLength(1);
  });

  test('is not asked for where no rule asks, and not at once', async () => {
    expect(await check({ ruleOf: () => undefined })).toMatchObject({ locks: 0 });
    expect(await check({ nowMs: signedMs + minuteMs })).toMatchObject({ locks: 0 });
    expect(findings).toEqual([]);
  });

  test('of who has lost some, or is not there, is not known', async () => {
    answer = { locks: [], isDamaged: true };
    await check();
    answer = undefined;
    expect(await check()).toEqual({ locks: 0, peersSilent: ['host-1'] });
    expect(findings).toEqual([]);
  });
});
