/**
 * Writes formats.json: bytes of every format, and what a decoder must say of them. Run it only when a format
 * changes on purpose (proto/README.md changes in the same commit): `node test/vectors/make-formats.ts`.
 */
import { writeFileSync } from 'node:fs';
import { concat, toHex, utf8 } from '../../src/base/bytes.ts';
import { sealEnvelope } from '../../src/core/format/envelope.ts';
import { encodeHolding, encodePackSegments, factHash } from '../../src/core/format/facts.ts';
import { clusterIdOf, encodeDescriptor, encodeGenesis } from '../../src/core/format/genesis.ts';
import { encodePolicy } from '../../src/core/policy/policy-text.ts';
import { encodeIndexSegment } from '../../src/core/format/index-segment.ts';
import { formatInvite } from '../../src/core/format/invite-code.ts';
import { encodeFooter, encodePackHeader } from '../../src/core/format/pack.ts';
import { formatKit } from '../../src/core/format/recovery-kit.ts';
import { encodeRoot } from '../../src/core/format/root.ts';
import {
  encodeShardFileHead,
  encodeShardHead,
  type ShardHead,
} from '../../src/core/format/shard.ts';
import { encodeStatement } from '../../src/core/format/statement.ts';
import { encodeEntry, encodeExtent } from '../../src/core/format/tree.ts';
import * as sample from '../unit/core/format/samples.ts';

type Vector = { decoder: string; what: string; bytes: string; outcome: string; id?: string };

const vectors: Vector[] = [];

function add(
  decoder: string,
  what: string,
  bytes: Uint8Array,
  expected: { outcome?: string; id?: string } = {},
): void {
  vectors.push({ decoder, what, bytes: toHex(bytes), outcome: 'ok', ...expected });
}

/** The bytes with one bit changed; a negative place counts from the end. */
function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const place = at < 0 ? bytes.length + at : at;
  return bytes.with(place, (bytes[place] as number) ^ 1);
}

const badEncoding = { outcome: 'bad-encoding' };
const badSignature = { outcome: 'bad-signature' };
const corrupt = { outcome: 'corrupt' };

const genesis = encodeGenesis(sample.genesis);
const cluster = clusterIdOf(genesis);
add('genesis', 'with one operator', genesis, { id: cluster });
const custodians = ['Ada', 'Ben'].map((name) => ({ name, recipient: '' }));
const founded = encodeGenesis({
  ...sample.genesis,
  policy: { ...sample.genesis.policy, document: encodePolicy({ destructiveDelay: '3s' }) },
  custody: { threshold: 2, custodians },
});
add('genesis', 'with a policy and custodians', founded, { id: clusterIdOf(founded) });
add('genesis', 'cut short', genesis.subarray(0, -3), badEncoding);
add('descriptor', 'of a source that stores', encodeDescriptor(sample.descriptor));

for (const body of Object.values(sample.bodies)) {
  const payload = encodeStatement(sample.statementOf(body));
  const envelope = { type: 'statement', cluster, generation: 1n, payload } as const;
  const secrets = [sample.agentSecret, sample.operatorSecret];
  const { bytes, hash } = sealEnvelope({ ...envelope, secrets });
  add('statement', `${body.kind}`, bytes, { id: toHex(hash) });
  if (body.kind !== 'address') continue;
  const payloadAt = toHex(bytes).indexOf(toHex(payload)) / 2;
  add('statement', 'a signature changed', flipped(bytes, -1), badSignature);
  add('statement', 'the payload changed', flipped(bytes, payloadAt + 50), badSignature);
  add('statement', 'a field added outside', concat([bytes, Uint8Array.of(48, 1)]), badEncoding);
  add('statement', 'cut short', bytes.subarray(0, -1), badEncoding);
  const elsewhere = { ...envelope, cluster: sample.inviteCode.cluster, secrets };
  add('statement', 'of another cluster', sealEnvelope(elsewhere).bytes, badSignature);
  add('statement', 'unsigned', sealEnvelope({ ...envelope, secrets: [] }).bytes, badSignature);
  const twice = [sample.agentSecret, sample.agentSecret];
  add(
    'statement',
    'signed twice',
    sealEnvelope({ ...envelope, secrets: twice }).bytes,
    badSignature,
  );
}

const annotations = [
  { key: 'change', value: 'CHG 4711' },
  { key: 'deploy', value: 'v1.2' },
];
const annotated = encodeStatement(sample.statementOf({ ...sample.manifestBody, annotations }));
const said = { type: 'statement', cluster, generation: 1n, secrets: [sample.agentSecret] } as const;
const sealed = sealEnvelope({ ...said, payload: annotated });
add('statement', 'manifest with annotations', sealed.bytes, { id: toHex(sealed.hash) });
const keyAt = toHex(annotated).indexOf(toHex(utf8('change'))) / 2;
const unsorted = annotated.with(keyAt, 'x'.charCodeAt(0));
const wrong = sealEnvelope({ ...said, payload: unsorted }).bytes;
add('statement', 'manifest with annotations out of order', wrong, badEncoding);

const coded = sample.codedPack({ k: 2, m: 1, packSize: 200_000 });
for (const head of coded.heads) {
  add('shard head', `index ${head.index}`, encodeShardHead(head), { id: head.pack });
}
const head = coded.heads[2] as ShardHead;
const leaves = flipped(head.leaves, 0);
add('shard head', 'a leaf changed', encodeShardHead({ ...head, leaves }), corrupt);
add('shard head', 'another size', encodeShardHead({ ...head, packSize: 200_001 }), corrupt);
add('shard head', 'too wide a code', encodeShardHead({ ...head, k: 9 }), badEncoding);
add('shard file', 'its first page', encodeShardFileHead(head), { id: head.pack });
add('shard file', 'no shard file', flipped(encodeShardFileHead(head), 0), badEncoding);

const entries = coded.heads.map(({ k, m, packSize, type }, i) => ({
  ...{ k, m, type, size: packSize },
  pack: sample.packIdAt(i),
}));
for (const { bytes, hash } of encodePackSegments(entries)) {
  add('pack segment', 'three packs', bytes, { id: toHex(hash) });
  add('pack segment', 'a spare byte set', flipped(bytes, 36), badEncoding);
  add('pack segment', 'half an entry', bytes.subarray(0, -20), badEncoding);
  const holding = encodeHolding({ segment: hash, masks: [1, 0x80000000, 0] });
  add('holding', 'of three packs', holding, { id: toHex(factHash(holding)) });
  add('holding', 'half a mask', holding.subarray(0, -2), badEncoding);
  const hot = encodeHolding({ segment: hash, masks: [3, 0x80000000, 0], extras: [2, 0, 0] });
  add('holding', 'of three packs, one with a hot copy', hot, { id: toHex(factHash(hot)) });
  add('holding', 'an extra shard that is not held', flipped(hot, 46), badEncoding);
}

const packHeader = {
  ...({ type: 'metadata', dataset: head.dataset } as const),
  ...{ salt: sample.filled(1, 16), sealedKey: sample.filled(2, 64) },
};
add('pack header', 'of a metadata pack', encodePackHeader(packHeader));
add('pack header', 'of another version', flipped(encodePackHeader(packHeader), 4), badEncoding);
const footer = encodeFooter([{ sealedSize: 99, chunks: [{ id: sample.filled(1), length: 50 }] }]);
add('footer', 'one frame', footer);
add('footer', 'a byte too many', concat([footer, Uint8Array.of(0)]), badEncoding);
const segment = encodeIndexSegment([{ ...sample.blob, id: sample.filled(1) }]);
add('index segment', 'one record', segment);
add('index segment', 'of an unknown pack', flipped(segment, -11), badEncoding);
const directory = encodeEntry(sample.entry);
add('directory', 'one file with a hole', directory);
add('directory', 'a name twice', concat([directory, directory]), badEncoding);
add(
  'directory',
  'a name that leaves',
  encodeEntry({ ...sample.entry, name: utf8('..') }),
  badEncoding,
);
add('extents', 'a hole', encodeExtent({ id: undefined, length: 2 ** 40 }));
add('root', 'with a path that is not UTF-8', encodeRoot(sample.root));
const code = formatInvite(sample.inviteCode);
add('invite code', 'in one word', utf8(code));
add('invite code', 'cut short', utf8(code.slice(0, -8)), { outcome: 'usage' });
const kit = formatKit(sample.kit);
add('recovery kit', 'as printed', utf8(kit));
add('recovery kit', 'a letter changed', utf8(kit.replace('QQ\n', 'ZQ\n')), {
  outcome: 'wrong-key',
});

const text = JSON.stringify(vectors, undefined, 2);
writeFileSync(new URL('formats.json', import.meta.url), `${text}\n`);
