import { beforeEach, describe, expect, test } from 'vitest';
import {
  auditCheckpoint,
  auditCosigner,
  auditOrigin,
  auditSigner,
} from '../../../../src/core/format/audit-checkpoint.ts';
import {
  encodeSignedCheckpoint,
  signCheckpoint,
  verifyCheckpoint,
} from '../../../../src/core/format/checkpoint.ts';
import { consistencyProof, leafHashOf, logRoot } from '../../../../src/core/format/merkle-log.ts';
import { type ClusterId, idOf } from '../../../../src/core/ids.ts';
import { AuditWitness } from '../../../../src/services/audit/audit-witness.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryRecords } from '../../../support/memory-audit-store.ts';
import { type SampleAgent, sampleAgent } from '../../../support/sample-cluster.ts';

const [ada, bob] = [sampleAgent('ada'), sampleAgent('bob')];
const cluster = idOf<ClusterId>(new Uint8Array(32).fill(9));

/** A log of ada's, as she says that it is. */
class Claimed {
  readonly leaves: Uint8Array[];
  readonly number: number;

  constructor(texts: readonly string[], number = 1) {
    this.leaves = texts.map((text) => leafHashOf(new TextEncoder().encode(text)));
    this.number = number;
  }

  note(by: SampleAgent = ada): string {
    const size = this.leaves.length;
    const root = logRoot(size, (i) => this.leaves[i] as Uint8Array);
    const text = auditCheckpoint(this.name, { size, root });
    return encodeSignedCheckpoint(text, [
      signCheckpoint(text, auditSigner(ada.agentKey), by.statementSecret),
    ]);
  }

  get name() {
    return { cluster, agent: ada.agentKey, number: this.number };
  }

  proof(oldSize: number) {
    const at = (i: number): Uint8Array => this.leaves[i] as Uint8Array;
    return { oldSize, proof: consistencyProof(oldSize, this.leaves.length, at) };
  }
}

const fromStart = { oldSize: 0, proof: [] };
let records: MemoryRecords;
let told: string[];

function witness(): AuditWitness {
  return new AuditWitness({
    ...{ cluster, self: bob.agentKey, statementSecret: bob.statementSecret, records },
    clock: new ManualClock(),
    onContradiction: (agent) => told.push(agent),
  });
}

beforeEach(() => {
  records = new MemoryRecords();
  told = [];
});

describe('a witness of an audit log', () => {
  test('signs a log that goes on, and remembers it over a restart', async () => {
    const log = new Claimed(['a', 'b', 'c']);
    const answer = await witness().cosign(ada.agentKey, log.note(), fromStart);
    const note = answer.kind === 'signed' ? answer.note : '';
    const keys = [auditCosigner(bob.agentKey)];
    const origin = auditOrigin(log.name);
    expect(verifyCheckpoint(note, { origin, keys, threshold: 1 }).kind).toBe('verified');
    const longer = new Claimed(['a', 'b', 'c', 'd', 'e']);
    const next = await witness().cosign(ada.agentKey, longer.note(), longer.proof(3));
    expect(next.kind).toBe('signed');
    expect((await witness().of(ada.agentKey))?.size).toBe(5);
  });

  test('says from which size the proof must lead', async () => {
    await witness().cosign(ada.agentKey, new Claimed(['a', 'b']).note(), fromStart);
    const longer = new Claimed(['a', 'b', 'c']);
    const answer = await witness().cosign(ada.agentKey, longer.note(), longer.proof(1));
    expect(answer).toEqual({ kind: 'stale', size: 2 });
  });

  test.each([
    ['was truncated', new Claimed(['a', 'b']), 2],
    ['was edited', new Claimed(['a', 'x', 'c', 'd']), 3],
    ['has another end at the same size', new Claimed(['a', 'b', 'x']), 3],
  ])('keeps proof that a log %s, and tells once', async (_, forged, oldSize) => {
    const first = new Claimed(['a', 'b', 'c']).note();
    await witness().cosign(ada.agentKey, first, fromStart);
    const attempt = () =>
      witness().cosign(ada.agentKey, forged.note(), forged.proof(Math.min(oldSize, 2)));
    const claim = forged.leaves.length > 3 ? forged.proof(3) : fromStart;
    await expect(witness().cosign(ada.agentKey, forged.note(), claim)).rejects.toMatchObject({
      code: 'rollback',
    });
    await attempt().catch(() => undefined);
    const kept = await witness().of(ada.agentKey);
    const proof = { number: 1, first, second: forged.note() };
    expect(kept).toMatchObject({ note: first, proof, size: 3 });
    expect(told).toEqual([ada.agentKey]);
  });

  test('follows a log that begins anew under the next number, and none that goes back', async () => {
    await witness().cosign(ada.agentKey, new Claimed(['a', 'b']).note(), fromStart);
    const anew = new Claimed(['z'], 2);
    expect((await witness().cosign(ada.agentKey, anew.note(), fromStart)).kind).toBe('signed');
    const old = new Claimed(['a', 'b', 'c'], 1);
    await expect(witness().cosign(ada.agentKey, old.note(), old.proof(2))).rejects.toMatchObject({
      code: 'rollback',
    });
  });

  test('keeps its proof when the log begins anew', async () => {
    await witness().cosign(ada.agentKey, new Claimed(['a', 'b']).note(), fromStart);
    await expect(
      witness().cosign(ada.agentKey, new Claimed(['a', 'x']).note(), fromStart),
    ).rejects.toThrow('contradicts itself');
    await witness().cosign(ada.agentKey, new Claimed(['z'], 2).note(), fromStart);
    expect(await witness().of(ada.agentKey)).toMatchObject({ number: 2, proof: { number: 1 } });
  });

  test('does not take a head that another has signed, or of another’s log', async () => {
    const log = new Claimed(['a']);
    const forged = log.note(bob);
    await expect(witness().cosign(ada.agentKey, forged, fromStart)).rejects.toMatchObject({
      code: 'bad-signature',
    });
    await expect(witness().cosign(bob.agentKey, log.note(), fromStart)).rejects.toMatchObject({
      code: 'bad-encoding',
    });
    expect(records.records.size).toBe(0);
  });
});
