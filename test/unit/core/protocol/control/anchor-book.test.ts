import { beforeEach, describe, expect, test } from 'vitest';
import type { BodyOf } from '../../../../../src/core/format/control-records.ts';
import { sealEnvelope } from '../../../../../src/core/format/envelope.ts';
import { encodeStatement, streamOf } from '../../../../../src/core/format/statement.ts';
import type { AgentKey } from '../../../../../src/core/ids.ts';
import { generation } from '../../../../../src/core/protocol/opened-statement.ts';
import {
  SampleCluster,
  sampleAgent,
  sampleDataset,
  sampleManifest,
  secretOf,
  startMs,
} from '../../../../support/sample-cluster.ts';
import { bergen, dbId, riga, SampleControl, turku } from './sample-control.ts';

let log: SampleControl;

beforeEach(() => {
  log = SampleControl.full();
});

describe('anchors', () => {
  const anchor = (sequence: number, ...change: Parameters<SampleControl['manifest']>[1][]) =>
    log.manifest(sequence, ...change).body;
  const anchored = () => log.state.anchors.of(log.oslo.agentKey, dbId)?.head;

  test('a newer head replaces an older one, never the other way round', () => {
    expect(log.by(bergen, anchor(3))).toBe('applied');
    expect(log.by(bergen, anchor(2))).toBe('every head in it is anchored already');
    expect(log.by(turku, anchor(3))).toBe('every head in it is anchored already');
    expect(log.by(turku, anchor(4))).toBe('applied');
    expect(anchored()).toEqual(log.manifest(4).head);
  });

  test('another hash at one sequence is void and kept as evidence of a fork', () => {
    log.by(bergen, anchor(3));
    expect(log.by(bergen, anchor(3, { host: 'another' }))).toContain('has two manifests 3');
    expect(anchored()).toEqual(log.manifest(3).head);
    expect(log.state.findings.equivocations).toMatchObject([
      { agent: log.oslo.agentKey, index: log.index },
    ]);
  });

  test('only voters anchor, and only heads of members', () => {
    expect(log.by(riga, anchor(1))).toBe('"riga-host" is not a voter');
    const stranger = sampleAgent('nowhere');
    expect(log.by(bergen, anchor(1, { of: stranger }))).toContain('is no member');
  });

  test('a voter can neither fix a snapshot that its writer has not signed, nor accuse it of two', () => {
    log.by(bergen, anchor(3));
    const inTheNameOf = { writer: log.oslo.agentKey, secret: bergen.statementSecret };
    for (const sequence of [3, 4, 2 ** 47]) {
      expect(log.by(bergen, forged(sequence, inTheNameOf))).toContain('not signed by its writer');
    }
    const [envelope] = anchor(4).manifests as [Uint8Array];
    const flipped = envelope.with(-1, (envelope.at(-1) ?? 0) ^ 1);
    expect(log.by(bergen, { kind: 'anchor', manifests: [flipped] })).toContain('is wrong');
    const elsewhere = new SampleCluster('elsewhere').manifestAt(log.oslo.statementSecret, {
      ...{ dataset: dbId, sequence: 4 },
    });
    expect(log.by(bergen, { kind: 'anchor', manifests: [elsewhere.envelope] })).toContain(
      'for another cluster',
    );
    expect(anchored()).toEqual(log.manifest(3).head);
    expect(log.state.findings.equivocations).toEqual([]);
  });

  test('what is no manifest, says two sequences, or is out of order anchors nothing', () => {
    const { envelope: dataset } = log.cluster.sign(log.oslo.statementSecret, sampleDataset('db'));
    expect(log.by(bergen, { kind: 'anchor', manifests: [dataset] })).toBe(
      'only manifests are anchored',
    );
    const secret = log.oslo.statementSecret;
    const twofold = forged(4, { writer: log.oslo.agentKey, secret, inside: 5 });
    expect(log.by(bergen, twofold)).toContain('differ in their sequence');
    const both = [...anchor(4).manifests, ...anchor(5).manifests];
    expect(log.by(bergen, { kind: 'anchor', manifests: both })).toContain('not sorted');
    expect(anchored()).toBeUndefined();
  });

  /** A manifest of "db" at a place of somebody's sequence, signed by whoever has the secret. */
  function forged(
    sequence: number,
    {
      writer,
      secret,
      inside = sequence,
    }: { writer: AgentKey; secret: Uint8Array; inside?: number },
  ): BodyOf<'anchor'> {
    const before = { sequence: inside - 1, hash: secretOf('before') };
    const body = sampleManifest(dbId, before);
    const place = { writer, stream: streamOf(body), sequence, previous: before.hash };
    const payload = encodeStatement({ ...place, timeMs: startMs, body });
    const sealed = { type: 'statement', cluster: log.cluster.id, generation, payload } as const;
    return { kind: 'anchor', manifests: [sealEnvelope({ ...sealed, secrets: [secret] }).bytes] };
  }
});
