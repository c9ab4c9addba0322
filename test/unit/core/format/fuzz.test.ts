import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromUtf8, utf8 } from '../../../../src/base/bytes.ts';
import { openEnvelope, sealEnvelope } from '../../../../src/core/format/envelope.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  failureResponse,
} from '../../../../src/core/format/exchange.ts';
import {
  decodeHolding,
  decodePackSegment,
  encodeHolding,
  encodePackSegments,
} from '../../../../src/core/format/facts.ts';
import { ResponseSchema } from '../../../../src/core/format/gen/holdfast/v1/exchange_pb.js';
import {
  clusterIdOf,
  decodeDescriptor,
  decodeGenesis,
  encodeDescriptor,
  encodeGenesis,
} from '../../../../src/core/format/genesis.ts';
import {
  decodeIndexSegment,
  encodeIndexSegment,
} from '../../../../src/core/format/index-segment.ts';
import { formatInvite, parseInvite } from '../../../../src/core/format/invite-code.ts';
import {
  decodeFooter,
  decodePackHeader,
  encodeFooter,
  encodePackHeader,
  findFooter,
} from '../../../../src/core/format/pack.ts';
import { formatKit, parseKit } from '../../../../src/core/format/recovery-kit.ts';
import { decodeRoot, encodeRoot } from '../../../../src/core/format/root.ts';
import {
  decodeShardFileHead,
  decodeShardHead,
  encodeShardFileHead,
  encodeShardHead,
  type ShardHead,
} from '../../../../src/core/format/shard.ts';
import { decodeStatement, encodeStatement } from '../../../../src/core/format/statement.ts';
import {
  decodeEntries,
  decodeExtents,
  encodeEntry,
  encodeExtent,
} from '../../../../src/core/format/tree.ts';
import * as sample from './samples.ts';

const cluster = clusterIdOf(encodeGenesis(sample.genesis));
const payload = encodeStatement(sample.statementOf(sample.bodies.manifest));
const envelope = sealEnvelope({
  type: 'statement',
  cluster,
  generation: 1n,
  payload,
  secrets: [sample.agentSecret],
});
const head = sample.codedPack({ k: 2, m: 1, packSize: 200_000 }).heads[1] as ShardHead;
const packEntry = { pack: head.pack, k: 2, m: 1, type: 'data', size: 200_000 } as const;
const segment = encodePackSegments([packEntry])[0] as { bytes: Uint8Array };
const packHeader = {
  type: 'metadata',
  dataset: head.dataset,
  salt: sample.filled(1, 16),
  sealedKey: sample.filled(2, 300),
} as const;

/** Every decoder of bytes that come from elsewhere, with valid bytes for it. */
const decoders: [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
  ['envelope', envelope.bytes, (bytes) => openEnvelope(bytes, { cluster })],
  ['manifest', payload, decodeStatement],
  ['invite', encodeStatement(sample.statementOf(sample.bodies.invite)), decodeStatement],
  ['address', encodeStatement(sample.statementOf(sample.bodies.address)), decodeStatement],
  ['dataset', encodeStatement(sample.statementOf(sample.bodies.dataset)), decodeStatement],
  ['admission', encodeStatement(sample.statementOf(sample.bodies.admission)), decodeStatement],
  ['receipt', encodeStatement(sample.statementOf(sample.bodies.receipt)), decodeStatement],
  ['genesis', encodeGenesis(sample.genesis), decodeGenesis],
  ['descriptor', encodeDescriptor(sample.descriptor), decodeDescriptor],
  ['root', encodeRoot(sample.root), decodeRoot],
  ['shard head', encodeShardHead(head), decodeShardHead],
  ['shard file', encodeShardFileHead(head), decodeShardFileHead],
  ['pack segment', segment.bytes, decodePackSegment],
  ['holding', encodeHolding({ segment: sample.filled(1), masks: [1, 0xffff_ffff] }), decodeHolding],
  [
    'hot holding',
    encodeHolding({ segment: sample.filled(1), masks: [1, 7], extras: [0, 3] }),
    decodeHolding,
  ],
  ['pack header', encodePackHeader(packHeader), decodePackHeader],
  [
    'footer',
    encodeFooter([{ sealedSize: 99, chunks: [{ id: sample.filled(1), length: 50 }] }]),
    decodeFooter,
  ],
  ['pack end', utf8('....HFPE'), (bytes) => findFooter(bytes, 1_000_000_000)],
  [
    'index segment',
    encodeIndexSegment([{ ...sample.blob, id: sample.filled(1) }]),
    decodeIndexSegment,
  ],
  ['directory', encodeEntry(sample.entry), decodeEntries],
  ['extents', encodeExtent({ id: sample.filled(1), length: 5 }), decodeExtents],
  [
    'request',
    encodeRequest({ body: { case: 'head', value: { pack: sample.filled(1) } } }),
    decodeRequest,
  ],
  ['response', toBinary(ResponseSchema, failureResponse(new Error('x'))), decodeResponse],
  ['invite code', utf8(formatInvite(sample.inviteCode)), (bytes) => parseInvite(textOf(bytes))],
  ['recovery kit', utf8(formatKit(sample.kit)), (bytes) => parseKit(textOf(bytes))],
];

function textOf(bytes: Uint8Array): string {
  return fromUtf8(bytes) ?? '';
}

describe.each(decoders)('the decoder of a %s', (_name, valid, decode) => {
  test('takes what the encoder gives', () => {
    expect(sample.outcomeOf(() => decode(valid))).toBe('ok');
  });

  test('takes damaged bytes or refuses them, and does nothing else', () => {
    const check = (bytes: Uint8Array): void => void sample.outcomeOf(() => decode(bytes));
    fc.assert(fc.property(sample.mutationsOf(valid), check), { numRuns: 200 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check), { numRuns: 100 });
  });
});
