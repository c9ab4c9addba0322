import { beforeAll, describe, expect, test } from 'vitest';
import { utf8 } from '../../../../src/base/bytes.ts';
import {
  auditCheckpoint,
  auditCosigner,
  auditLogOf,
  auditOrigin,
  auditSigner,
} from '../../../../src/core/format/audit-checkpoint.ts';
import {
  type AuditEntry,
  auditEntrySizeMax,
  decodeAuditEntry,
  encodeAuditEntry,
} from '../../../../src/core/format/audit-entry.ts';
import { auditExport, verifyAuditExport } from '../../../../src/core/format/audit-export.ts';
import {
  cosignCheckpoint,
  encodeSignedCheckpoint,
  signCheckpoint,
} from '../../../../src/core/format/checkpoint.ts';
import { bundlePath, entriesIn } from '../../../../src/core/format/log-tile.ts';
import { leafHashOf, logRoot } from '../../../../src/core/format/merkle-log.ts';
import { type ClusterId, idOf } from '../../../../src/core/ids.ts';
import { sampleAgent } from '../../../support/sample-cluster.ts';

const [ada, bob] = [sampleAgent('ada'), sampleAgent('bob')];
const cluster = idOf<ClusterId>(new Uint8Array(32).fill(9));
const name = { cluster, agent: ada.agentKey, number: 1 };

const entry: AuditEntry = {
  ...{ timeMs: 5, kind: 'refusal', actor: 'eve', action: 'asked for: raft' },
  ...{ subject: '', outcome: 'refused', detail: 'no member', count: 1 },
};

function encoded(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => encodeAuditEntry({ ...entry, timeMs: i }));
}

function signed(entries: readonly Uint8Array[]): string {
  const leaves = entries.map(leafHashOf);
  const root = logRoot(leaves.length, (i) => leaves[i] as Uint8Array);
  const text = auditCheckpoint(name, { size: leaves.length, root });
  const own = signCheckpoint(text, auditSigner(ada.agentKey), ada.statementSecret);
  const other = cosignCheckpoint(text, {
    ...{ by: auditCosigner(bob.agentKey), secret: bob.statementSecret, timeSeconds: 7 },
  });
  return encodeSignedCheckpoint(text, [own, other]);
}

describe('an entry of an audit log', () => {
  test('has one form', () => {
    expect(decodeAuditEntry(encodeAuditEntry(entry))).toEqual(entry);
  });

  test('is cut where it is too long, and stays well-formed', () => {
    const long = encodeAuditEntry({ ...entry, detail: '\u{1f512}'.repeat(9999), actor: '\ud83d' });
    expect(long.length).toBeLessThan(auditEntrySizeMax);
    expect(decodeAuditEntry(long).detail.isWellFormed()).toBe(true);
  });

  test.each([
    '{}',
    'nothing',
    JSON.stringify({ ...entry, extra: 1 }),
    ` ${JSON.stringify(entry)}`,
    JSON.stringify({ ...entry, kind: 'gossip' }),
  ])('is not %s', (text) => {
    expect(() => decodeAuditEntry(utf8(text))).toThrow('one form');
  });
});

describe('an exported audit log', () => {
  const files = new Map<string, Uint8Array>();
  const verdict = (change: ReadonlyMap<string, Uint8Array | undefined> = new Map()) =>
    verifyAuditExport(
      (path) => (change.has(path) ? change.get(path) : files.get(path)),
      [bob.agentKey],
    );

  beforeAll(() => {
    // More than a full tile of tiles would be 65536 entries: one full tile and a partial one are enough.
    const entries = encoded(300);
    for (const { path, bytes } of auditExport(entries, signed(entries))) files.set(path, bytes);
  });

  test('is laid out as C2SP has it', () => {
    expect([...files.keys()].sort()).toEqual([
      ...['checkpoint', 'tile/0/000', 'tile/0/001.p/44', 'tile/1/000.p/1'],
      ...['tile/entries/000', 'tile/entries/001.p/44'],
    ]);
    expect(files.get('tile/0/000')).toHaveLength(256 * 32);
    expect(bundlePath(1234067, 256)).toBe('tile/entries/x001/x234/067');
    expect(entriesIn(files.get('tile/entries/001.p/44') as Uint8Array)).toHaveLength(44);
  });

  test('verifies with nothing but itself, and says who has cosigned', () => {
    expect(verdict()).toMatchObject({
      ...{ kind: 'verified', agent: ada.agentKey, number: 1, cosigners: [bob.agentKey] },
    });
  });

  test.each([...['tile/entries/000', 'tile/0/001.p/44', 'tile/1/000.p/1', 'checkpoint']])(
    'does not verify with one bit of %s changed',
    (path) => {
      const bytes = (files.get(path) as Uint8Array).slice();
      bytes[20] = (bytes[20] as number) ^ 1;
      expect(verdict(new Map([[path, bytes]])).kind).toBe('bad');
    },
  );

  test('does not verify without a file', () => {
    for (const path of files.keys()) {
      expect(verdict(new Map([[path, undefined]])).kind, path).toBe('bad');
    }
  });

  test('does not verify with a shorter history of its own making, unless the agent has signed that too', () => {
    const shorter = encoded(300).slice(0, 299);
    const other = new Map<string, Uint8Array>();
    const note = new TextDecoder().decode(files.get('checkpoint'));
    for (const { path, bytes } of auditExport(shorter, note)) other.set(path, bytes);
    expect(verifyAuditExport((path) => other.get(path), []).kind).toBe('bad');
  });

  test('names its log in the first line', () => {
    expect(auditLogOf(auditOrigin(name))).toEqual(name);
    expect(auditLogOf('holdfast/control/ab/1')).toBeUndefined();
    expect(auditLogOf(`${auditOrigin(name)}0x`)).toBeUndefined();
  });
});
