import { beforeEach, describe, expect, test } from 'vitest';
import { dayMs, hourMs, minuteMs } from '../../../src/base/units.ts';
import type { DatasetRuleText } from '../../../src/core/policy/policy-document.ts';
import { encodePolicy } from '../../../src/core/policy/policy-text.ts';
import { type JudgedStream, RetentionView } from '../../../src/services/retention-view.ts';
import { dbId, KeepingSample } from '../../support/keeping-sample.ts';
import { startMs } from '../../support/sample-cluster.ts';
import { bergen, riga, turku } from '../core/protocol/control/sample-control.ts';

type Retention = NonNullable<DatasetRuleText['retention']>;

let host: KeepingSample;
let shredded: Set<number>;
let suspect: Set<number>;

beforeEach(() => {
  host = new KeepingSample();
  shredded = new Set();
  suspect = new Set();
  retention({ keepLast: 1 });
});

function retention(rule: Retention): void {
  const document = encodePolicy({ datasets: [{ match: 'db', retention: rule }] });
  const base = host.state.policy.current.version;
  const word = host.control.byOperator({ kind: 'policy', version: base + 1, base, document });
  expect(word).toBe('applied');
}

/** Made so many days after the start, and first signed for by riga and turku then. */
async function snapshot(day: number, tags: string[] = []): Promise<void> {
  const { hash } = await host.snapshot([[]], { tags });
  const timeMs = startMs + day * dayMs;
  host.pass(Math.max(0, timeMs - host.nowMs) / hourMs);
  host.witnesses.set(hash, new Map([riga, turku].map(({ agentKey }) => [agentKey, timeMs])));
}

async function judged(): Promise<JudgedStream> {
  const view = new RetentionView({
    ...{ ledger: host.ledger, view: host.view, locks: host.locks, packUse: host.packUse },
    state: () => host.state,
    isShredded: ({ manifest }) => shredded.has(manifest.sequence),
    suspicion: {
      verdicts: () =>
        new Map(
          host.records.map(({ hash, manifest }) => [
            hash,
            { state: suspect.has(manifest.sequence) ? 'suspect' : 'clean' } as never,
          ]),
        ),
    },
  });
  const [stream] = await view.streams(dbId);
  if (stream === undefined) throw new Error('there is a stream');
  return stream;
}

/** Sequence and first reason of what is kept. */
async function kept(): Promise<string[]> {
  const { snapshots } = await judged();
  return snapshots
    .filter(({ decision }) => decision.isKept)
    .map(({ decision }) => `${decision.sequence}: ${decision.reasons[0]}`);
}

describe('retention at a host', () => {
  test('asks the rule for the first name of the dataset, and says why', async () => {
    for (const day of [0, 1, 2]) await snapshot(day);
    retention({ keepDaily: 2 });
    expect(await kept()).toEqual([
      '2: first of day 2026-01-02 (2 of 2 daily)',
      '3: the newest that is committed',
    ]);
    const { snapshots } = await judged();
    expect(snapshots[0]?.decision.reasons).toEqual(['no rule keeps it']);
  });

  test('goes by what others have witnessed: their lower median', async () => {
    for (const day of [0, 1]) await snapshot(day);
    const [first, second] = host.records;
    if (first === undefined || second === undefined) throw new Error('there are two');
    // One that lies among three, and the source itself, which is not asked.
    host.witnesses.set(
      first.hash,
      new Map([
        [host.writer, 0],
        [riga.agentKey, startMs],
        [turku.agentKey, startMs + hourMs],
        [bergen.agentKey, startMs + 900 * dayMs],
      ]),
    );
    host.pass(48);
    retention({ keepWithin: '3d' });
    expect(await kept()).toEqual(['1: within 3 days', '2: the newest that is committed']);
    host.pass(2);
    expect(await kept()).toEqual(['2: the newest that is committed']);
  });

  test('keeps the first snapshot of a new day while log time is behind', async () => {
    for (const day of [0, 23 / 24]) await snapshot(day);
    const behindMs = host.state.time.nowMs;
    for (const minutes of [70, 75]) {
      const { hash } = await host.snapshot([[]], {});
      const timeMs = startMs + 23 * hourMs + minutes * minuteMs;
      host.witnesses.set(hash, new Map([[riga.agentKey, timeMs]]));
    }
    retention({ keepDaily: 2 });
    expect(host.state.time.nowMs).toBe(behindMs);
    expect(await kept()).toEqual([
      '1: first of day 2026-01-01 (1 of 2 daily)',
      '3: first of day 2026-01-02 (1 of 2 daily)',
      '4: the newest that is committed',
    ]);
  });

  test('keeps tags, what is held, what is undeleted, and what has not become complete', async () => {
    await snapshot(0, ['gold']);
    for (const day of [1, 2, 3, 4]) await snapshot(day);
    host.anchor();
    retention({ keepLast: 1, keepTags: ['gold'] });
    expect(host.say('undelete', 2)).toBe('applied');
    host.control.byOperator({
      ...{ kind: 'hold', dataset: dbId, reason: 'case 12' },
      snapshot: { writer: host.writer, sequence: 3 },
    });
    const [, , , , last] = host.records;
    if (last !== undefined) host.committed.delete(last.hash);
    expect(await kept()).toEqual([
      '1: tag gold',
      '2: undeleted',
      '3: held: case 12',
      '4: the newest that is committed',
      '5: not committed yet',
    ]);
  });

  test('lets what was forgotten and then undeleted stay, until it is forgotten again', async () => {
    for (const day of [0, 1]) await snapshot(day);
    host.anchor();
    retention({ keepLast: 2 });
    expect(host.say('forget', 1)).toBe('applied');
    expect((await judged()).snapshots[0]).toMatchObject({
      stage: 'forgotten',
      decision: { isKept: false, reasons: ['forgotten'] },
    });
    host.say('undelete', 1);
    expect((await kept())[0]).toBe('1: undeleted');
    host.say('forget', 1);
    expect(await kept()).toEqual(['2: the newest that is committed']);
  });

  test('keeps what is suspect, and the newest that is not and that somebody can still open', async () => {
    for (const day of [0, 1, 2, 3]) await snapshot(day);
    suspect.add(3).add(4);
    shredded.add(2);
    expect(await kept()).toEqual([
      '1: the newest that is not suspect',
      '3: suspect: an operator decides',
      '4: the newest that is committed',
    ]);
  });

  test('counts as committed what this host has locked, whatever has become of the receipts', async () => {
    for (const day of [0, 1]) await snapshot(day);
    host.committed.clear();
    await host.lock(2, { complianceMs: startMs + dayMs });
    const { snapshots } = await judged();
    expect(snapshots[1]).toMatchObject({ lockedUntilMs: startMs + dayMs });
    expect((await kept())[0]).toBe('1: not committed yet');
    expect((await kept())[1]).toBe('2: the newest that is committed');
  });

  test('is halted by an equivocation, a quarantine, or a hold on everything', async () => {
    await snapshot(0);
    expect((await judged()).haltedBecause).toBeUndefined();
    host.holdAll();
    expect((await judged()).haltedBecause).toBe('all of it is held: case 12');
    const sequence = 1;
    const mark = { kind: 'quarantine', dataset: dbId, writer: host.writer, sequence } as const;
    host.control.by(bergen, { ...mark, reason: 'over its budget' });
    expect((await judged()).haltedBecause).toBe('it is in quarantine: over its budget');
    host.forks.push({ writer: host.writer });
    expect((await judged()).haltedBecause).toBe('its writer has signed two histories');
  });

  test('says nothing any more of what is gone', async () => {
    for (const day of [0, 1]) await snapshot(day);
    host.trash(1);
    expect((await judged()).snapshots.map(({ stage }) => stage)).toEqual(['trash', 'live']);
    host.empty();
    expect((await judged()).snapshots.map(({ stage }) => stage)).toEqual(['live']);
  });
});
