import { describe, expect, test } from 'vitest';
import { MiB } from '../../../src/base/units.ts';
import { noChanges } from '../../../src/core/format/manifest.ts';
import type { Changes } from '../../../src/core/format/records.ts';
import { type AgentKey, idOf, type StatementHash } from '../../../src/core/ids.ts';
import { defaultTripwires } from '../../../src/core/policy/tripwire.ts';
import { ClearedBook } from '../../../src/core/protocol/control/cleared-book.ts';
import type { ManifestRecord } from '../../../src/services/ledger.ts';
import { Suspicion } from '../../../src/services/suspicion.ts';
import { sampleDataset, sampleManifest } from '../../support/sample-cluster.ts';

const web = sampleDataset('web').id;
const ada = idOf<AgentKey>(new Uint8Array(32).fill(1));
const bob = idOf<AgentKey>(new Uint8Array(32).fill(2));

const text = { bytesNew: 4 * MiB };
const attack = { filesCompared: 100, canariesBroken: 1, bytesNew: 4 * MiB, bytesDense: 4 * MiB };

class Line {
  readonly records: ManifestRecord[] = [];
  readonly cleared = new ClearedBook();
  readonly suspicion = new Suspicion({
    ledger: { manifests: () => [...this.records] },
    cleared: () => this.cleared,
    ruleOf: () => defaultTripwires,
    isUsable: ({ hash }) => !this.gone.has(hash),
  });
  /** Expired, or without keys. */
  readonly gone = new Set<StatementHash>();

  add(changes: Partial<Changes>, writer = ada): StatementHash {
    const sequence = this.records.filter(({ statement }) => statement.writer === writer).length + 1;
    const hash = idOf<StatementHash>(new Uint8Array(32).fill(16 * this.records.length + 3));
    const manifest = sampleManifest(web, undefined, {
      sequence,
      changes: { ...noChanges, ...changes },
    });
    // Only these parts are looked at.
    this.records.push({ hash, manifest, statement: { writer } } as unknown as ManifestRecord);
    return hash;
  }

  clear(manifest: StatementHash): void {
    const envelope = new Uint8Array();
    const place = { generation: 1, index: 9, timeMs: 5, envelope, evidence: [envelope] };
    const authors = [ada];
    const body = { kind: 'clear-suspect', manifest, reason: 'known' } as const;
    this.cleared.check(body, authors, { ...place, signers: new Set(authors) })();
  }

  states(): string[] {
    const verdicts = this.suspicion.verdicts();
    return this.records.map(({ hash }) => verdicts.get(hash)?.state ?? '');
  }
}

describe('suspicion', () => {
  test('falls on a snapshot and on all that follow it, until an operator clears it', () => {
    const line = new Line();
    line.add(text);
    const clean = line.add({});
    const bad = line.add(attack);
    line.add({});
    expect(line.states()).toEqual(['clean', 'clean', 'suspect', 'after-suspect']);
    expect(line.suspicion.lastClean(web, ada)?.hash).toBe(clean);
    expect(line.suspicion.suspects().map(({ record }) => record.hash)).toEqual([bad]);
    line.clear(bad);
    expect(line.states()).toEqual(['clean', 'clean', 'cleared', 'clean']);
    expect(line.suspicion.lastClean(web, ada)).toBeUndefined();
  });

  test('keeps what was clean before the first of several', () => {
    const line = new Line();
    const clean = line.add(text);
    line.add(attack);
    const second = line.add(attack);
    line.clear(second);
    expect(line.states()).toEqual(['clean', 'suspect', 'cleared']);
    expect(line.suspicion.lastClean(web, ada)?.hash).toBe(clean);
  });

  test('judges each writer by what it wrote itself', () => {
    const line = new Line();
    line.add(text);
    line.add(attack, bob);
    line.add(attack);
    // The first snapshot of bob's line has nothing before it to compare with.
    expect(line.states()).toEqual(['clean', 'clean', 'suspect']);
  });

  test('does not take an attack for the measure of what is usual', () => {
    const line = new Line();
    line.add(text);
    for (let i = 0; i < 5; i++) line.add({ ...attack, canariesBroken: 0, filesDeleted: 60 });
    expect(line.states()).toEqual(['clean', ...Array(5).fill('suspect')]);
  });

  test('tells who restores a snapshot what is wrong with it, and which one to take', () => {
    const line = new Line();
    line.add(text);
    line.add(attack);
    line.add({});
    const notices = line.records.map((record) => line.suspicion.noticeOf(record));
    const [first, second] = line.records.map(({ hash }) => hash.slice(0, 8));
    expect(notices).toEqual([
      undefined,
      `snapshot ${second} looks suspect (1 canary file was changed or deleted); the last one from before it is ${first}`,
      `snapshot ${line.records[2]?.hash.slice(0, 8)} was made after ${second}, which looks suspect; the last one from before it is ${first}`,
    ]);
  });

  test('names no snapshot that has expired or whose keys were destroyed', () => {
    const line = new Line();
    const older = line.add(text);
    const newer = line.add({});
    line.add(attack);
    line.gone.add(newer);
    expect(line.suspicion.lastClean(web, ada)?.hash).toBe(older);
    line.gone.add(older);
    expect(line.suspicion.lastClean(web, ada)).toBeUndefined();
    const [, , bad] = line.records;
    expect(bad && line.suspicion.noticeOf(bad)).not.toContain('the last one from before it');
  });

  test('has nothing to say of a line without snapshots', () => {
    expect(new Line().suspicion.lastClean(web, ada)).toBeUndefined();
    expect(new Line().suspicion.suspects()).toEqual([]);
  });
});
