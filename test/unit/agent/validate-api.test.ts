import { expect, test } from 'vitest';
import type { Agent } from '../../../src/agent/agent.ts';
import { validateApi } from '../../../src/agent/validate-api.ts';
import type { ValidateEvent } from '../../../src/agent/validate-types.ts';
import { limits } from '../../../src/core/limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const key = 'aa'.repeat(32);
const cluster = 'cc'.repeat(32);

/** An auditor whose validation finds so much, each in long words. */
function auditor(findings: number, signed: Uint8Array[]): Agent {
  const words = 'é'.repeat(1000);
  const result = {
    ...{ snapshots: 1, statements: 1, packs: 1, packsProven: 1, packsDecoded: 1, packsUnseen: 0 },
    ...{ shardsMissing: 0, locks: 0, missingLists: 0, heads: '', peersAsked: [], peersSilent: [] },
    findings: Array.from({ length: findings }, () => ({
      ...{ check: 'locks', subject: words, detail: words },
    })),
    findingCounts: { continuity: 0, signatures: 0, decodability: 0, locks: findings },
  };
  return {
    clock: new ManualClock(),
    member: () => ({ name: 'audit', site: 'bergen', agentKey: key, hasRole: () => true }),
    validator: {
      run: async function* () {
        yield { kind: 'done', result };
      },
    },
    ledger: {
      cluster,
      roster: { genesis: { name: 'home' }, policy: { version: 1 } },
      append: async (_: string, { report }: { report: Uint8Array }) => {
        signed.push(report);
        return { hash: 'dd'.repeat(32) };
      },
    },
    audit: { log: { note: () => {} } },
  } as unknown as Agent;
}

test('a report fits a statement, however long its findings are, and says how many there were', async () => {
  const signed: Uint8Array[] = [];
  const events: ValidateEvent[] = [];
  for await (const event of validateApi(auditor(40, signed)).validate({ decodeShare: 1 })) {
    events.push(event);
  }
  expect(signed[0]?.length).toBeLessThanOrEqual(limits.drillReportSizeMax);
  const [event] = events;
  if (event?.type !== 'report') throw new Error('there is no report');
  expect(event.report.validation?.findingCount).toBe(40);
  expect(event.report.validation?.findings.length).toBeGreaterThan(10);
  expect(event).toHaveProperty('id');
});
