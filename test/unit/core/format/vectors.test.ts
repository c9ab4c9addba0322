import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromHex, fromUtf8, toHex } from '../../../../src/base/bytes.ts';
import { openEnvelope } from '../../../../src/core/format/envelope.ts';
import { decodeHolding, decodePackSegment, factHash } from '../../../../src/core/format/facts.ts';
import {
  clusterIdOf,
  decodeDescriptor,
  decodeGenesis,
} from '../../../../src/core/format/genesis.ts';
import { decodeIndexSegment } from '../../../../src/core/format/index-segment.ts';
import { parseInvite } from '../../../../src/core/format/invite-code.ts';
import { decodeFooter, decodePackHeader } from '../../../../src/core/format/pack.ts';
import { parseKit } from '../../../../src/core/format/recovery-kit.ts';
import { decodeRoot } from '../../../../src/core/format/root.ts';
import { decodeShardFileHead, decodeShardHead } from '../../../../src/core/format/shard.ts';
import { decodeStatement } from '../../../../src/core/format/statement.ts';
import { decodeEntries, decodeExtents } from '../../../../src/core/format/tree.ts';
import type { ClusterId } from '../../../../src/core/ids.ts';
import { outcomeOf } from './samples.ts';

type Vector = { decoder: string; what: string; bytes: string; outcome: string; id?: string };

const file = new URL('../../../vectors/formats.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vector[];
const cluster = vectors.find(({ decoder }) => decoder === 'genesis')?.id as ClusterId;

function statementHashOf(bytes: Uint8Array): string {
  const { payload, hash } = openEnvelope(bytes, { cluster });
  decodeStatement(payload);
  return toHex(hash);
}

function factIdOf(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): string {
  decode(bytes);
  return toHex(factHash(bytes));
}

function clusterOf(bytes: Uint8Array): string {
  decodeGenesis(bytes);
  return clusterIdOf(bytes);
}

/** Each gives the id that the bytes have, where they have one. */
const decoders: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  genesis: clusterOf,
  descriptor: decodeDescriptor,
  statement: statementHashOf,
  'shard head': (bytes) => decodeShardHead(bytes).pack,
  'shard file': (bytes) => decodeShardFileHead(bytes).head.pack,
  'pack segment': (bytes) => factIdOf(bytes, decodePackSegment),
  holding: (bytes) => factIdOf(bytes, decodeHolding),
  'pack header': decodePackHeader,
  footer: decodeFooter,
  'index segment': decodeIndexSegment,
  directory: decodeEntries,
  extents: decodeExtents,
  root: decodeRoot,
  'invite code': (bytes) => parseInvite(fromUtf8(bytes) ?? ''),
  'recovery kit': (bytes) => parseKit(fromUtf8(bytes) ?? ''),
};

describe.each(Object.keys(decoders))('the vectors of "%s"', (decoder) => {
  const own = vectors.filter((vector) => vector.decoder === decoder);

  test('are there', () => {
    expect(own.some(({ outcome }) => outcome === 'ok')).toBe(true);
  });

  test.each(own)('$what: $outcome', ({ bytes, outcome, id }) => {
    const decode = decoders[decoder] as (bytes: Uint8Array) => unknown;
    let found: unknown;
    const run = (): void => {
      found = decode(fromHex(bytes) as Uint8Array);
    };
    expect(outcomeOf(run)).toBe(outcome);
    if (id !== undefined) expect(found).toBe(id);
  });
});

test('every vector has a decoder', () => {
  const names = new Set(vectors.map(({ decoder }) => decoder));
  expect([...names].sort()).toEqual(Object.keys(decoders).sort());
});
