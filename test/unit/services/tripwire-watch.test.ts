import { expect, test } from 'vitest';
import { MiB } from '../../../src/base/units.ts';
import { noChanges } from '../../../src/core/format/manifest.ts';
import type { Changes } from '../../../src/core/format/records.ts';
import { type AgentKey, idOf, type StatementHash } from '../../../src/core/ids.ts';
import { defaultTripwires } from '../../../src/core/policy/tripwire.ts';
import { ClearedBook } from '../../../src/core/protocol/control/cleared-book.ts';
import { AlarmBook } from '../../../src/services/alarm-book.ts';
import { Alarms } from '../../../src/services/alarms.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import { Suspicion } from '../../../src/services/suspicion.ts';
import { TripwireWatch } from '../../../src/services/tripwire-watch.ts';
import { collectingLog } from '../../support/collecting-log.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryKeyValue } from '../../support/memory-key-value.ts';
import { sampleDataset, sampleManifest } from '../../support/sample-cluster.ts';

const { id } = sampleDataset('web');
const ada = idOf<AgentKey>(new Uint8Array(32).fill(1));
const first = idOf<StatementHash>(new Uint8Array(32).fill(2));
const hash = idOf<StatementHash>(new Uint8Array(32).fill(3));

/** Only these parts of it are looked at. */
function snapshot(sequence: number, hash: StatementHash, changes: Partial<Changes>) {
  const manifest = sampleManifest(id, undefined, {
    sequence,
    changes: { ...noChanges, ...changes },
  });
  return { hash, manifest, statement: { writer: ada } } as unknown as ManifestRecord;
}

test('a suspect snapshot is told of with why, and not any more when operators have cleared it', async () => {
  const attack = { filesCompared: 100, canariesBroken: 1, bytesNew: 4 * MiB, bytesDense: 4 * MiB };
  const records = [snapshot(1, first, { bytesNew: 4 * MiB }), snapshot(2, hash, attack)];
  const cleared = new ClearedBook();
  const suspicion = new Suspicion({
    ledger: { manifests: () => [...records] },
    cleared: () => cleared,
    ruleOf: () => defaultTripwires,
    isUsable: () => true,
  });
  const parts = { clock: new ManualClock(), log: collectingLog() };
  const book = await AlarmBook.open(new MemoryKeyValue(), parts.log);
  const alarms = new Alarms({ ...parts, book });
  const ledger = { roster: { datasetOf: () => ({ name: 'web' }) } } as never;
  const watch = new TripwireWatch({ ...parts, ledger, suspicion, alarms });
  await watch.look();
  await watch.look();
  expect(alarms.all()).toMatchObject([
    { kind: 'suspect-snapshot', subject: hash, runbook: 'docs/runbooks/ransomware.md' },
  ]);
  expect(alarms.all()[0]?.text).toMatch(/^snapshot 03030303 of web is suspect: .*canar/);
  const envelope = new Uint8Array();
  const place = { generation: 1, index: 9, timeMs: 5, envelope, evidence: [envelope] };
  const body = { kind: 'clear-suspect', manifest: hash, reason: 'a test' } as const;
  cleared.check(body, [ada], { ...place, signers: new Set([ada]) })();
  await watch.look();
  expect(alarms.stands('suspect-snapshot', hash)).toBe(false);
});
