import type { MessageInitShape } from '@bufbuild/protobuf';
import { type FactHash, idBytes, type StatementHash } from '../ids.ts';
import { limits } from '../limits.ts';
import { blobRefFrom, blobRefMessage } from './blob-ref.ts';
import { atMost, idField, integer, malformed, printableText, required, textLike } from './field.ts';
import {
  type Changes as ChangesMessage,
  type ChangesSchema,
  Kind,
  type ManifestSchema,
  type Manifest as Message,
  type Receipt as ReceiptMessage,
  type ReceiptSchema,
  type Totals as TotalsMessage,
  type TotalsSchema,
} from './gen/holdfast/v1/manifest_pb.js';
import type { Annotation, Changes, FactRef, Manifest, Receipt, Totals } from './records.ts';

/** Tags of one snapshot: people choose them by hand. */
export const tagsMax = 32;

// As restic's tags without the comma, which separates them on command lines.
const tagPattern = /^[A-Za-z0-9][A-Za-z0-9._:=@+/-]{0,62}$/;

/** True when a snapshot may carry the tag. */
export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/** Annotations of one snapshot, and what one may be. */
export const annotationsMax = 16;
const annotationKey = /^[a-z0-9][a-z0-9._-]{0,31}$/;
const annotationValue = { min: 1, max: 128 };

/** What people gave, in the order of a manifest. @throws HoldfastError bad-encoding, which names what is wrong */
export function annotationsOf(given: Readonly<Record<string, string>>): readonly Annotation[] {
  const pairs = Object.entries(given).map(([key, value]) => ({ key, value }));
  pairs.sort((one, other) => (one.key < other.key ? -1 : 1));
  return annotationsFrom(pairs);
}

function annotationsFrom(pairs: readonly Annotation[]): readonly Annotation[] {
  return atMost([...pairs], annotationsMax, 'annotations').map(({ key, value }, i) => {
    if (i > 0 && (pairs[i - 1]?.key ?? '') >= key) {
      throw malformed('the annotations of a manifest do not ascend by key');
    }
    return {
      key: textLike(key, annotationKey, 'annotation key'),
      value: printableText(value, annotationValue, 'annotation value'),
    };
  });
}

const uint32 = { min: 0, max: 0xffff_ffff };
const anyCount = { min: 0, max: Number.MAX_SAFE_INTEGER };
const snapshotSequence = { min: 1, max: 2 ** 48 };

/** The message of a manifest. */
export function manifestMessage(manifest: Manifest): MessageInitShape<typeof ManifestSchema> {
  return {
    dataset: idBytes(manifest.dataset),
    writerEpoch: manifest.writerEpoch,
    sequence: BigInt(manifest.sequence),
    previous: manifest.previous === undefined ? new Uint8Array() : idBytes(manifest.previous),
    kind: manifest.snapshotKind === 'full' ? Kind.FULL : Kind.INCREMENT,
    policyVersion: manifest.policyVersion,
    keyEpoch: manifest.keyEpoch,
    root: blobRefMessage(manifest.root),
    packSegments: manifest.packSegments.map(({ hash, count }) => ({ hash: idBytes(hash), count })),
    totals: totalsMessage(manifest.totals),
    sourceTimeMs: BigInt(manifest.sourceTimeMs),
    nextByMs: BigInt(manifest.nextByMs),
    tags: [...manifest.tags],
    host: manifest.host,
    program: manifest.program,
    surviveSites: manifest.surviveSites,
    ...(isChanged(manifest.changes) && { changes: changesMessage(manifest.changes) }),
    keyEpochs: [...(manifest.keyEpochs ?? [])],
    annotations: [...(manifest.annotations ?? [])],
  };
}

/** The manifest in a message. @throws HoldfastError bad-encoding */
export function manifestFrom(message: Message): Manifest {
  const sequence = integer(message.sequence, snapshotSequence, 'snapshot sequence');
  const tags = atMost(message.tags, tagsMax, 'tags');
  return {
    dataset: idField(message.dataset, 16, 'dataset'),
    writerEpoch: integer(message.writerEpoch, uint32, 'writer epoch'),
    sequence,
    previous: previousFrom(message.previous, sequence),
    snapshotKind: snapshotKindFrom(message.kind),
    policyVersion: integer(message.policyVersion, uint32, 'policy version'),
    keyEpoch: integer(message.keyEpoch, uint32, 'key epoch'),
    root: blobRefFrom(required(message.root, 'root')),
    packSegments: message.packSegments.map(factRefFrom),
    totals: totalsFrom(required(message.totals, 'totals')),
    sourceTimeMs: integer(message.sourceTimeMs, anyCount, 'source time'),
    nextByMs: integer(message.nextByMs, anyCount, 'next by'),
    tags: tags.map((tag) => textLike(tag, tagPattern, 'tag')),
    host: printableText(message.host, { min: 0, max: 255 }, 'host'),
    program: printableText(message.program, { min: 0, max: 64 }, 'program'),
    surviveSites: integer(message.surviveSites, { min: 0, max: limits.shardsMax - 1 }, 'sites'),
    changes: message.changes === undefined ? noChanges : changesFrom(message.changes),
    ...keyEpochsFrom(message),
    ...(message.annotations.length > 0 && { annotations: annotationsFrom(message.annotations) }),
  };
}

function keyEpochsFrom({ keyEpoch, keyEpochs }: Message): Pick<Manifest, 'keyEpochs'> {
  if (keyEpochs.length === 0) return {};
  atMost(keyEpochs, limits.keyEpochsMax, 'key epochs');
  const isAscending = keyEpochs.every((epoch, i) => epoch > (keyEpochs[i - 1] ?? 0));
  // The root is new, so it is sealed to the newest.
  if (!isAscending || keyEpochs.at(-1) !== keyEpoch) {
    throw malformed('the key epochs of a manifest do not ascend to its own');
  }
  return { keyEpochs };
}

/** Every epoch whose identity opens packs of the snapshot, ascending. */
export function keyEpochsOf({
  keyEpoch,
  keyEpochs,
}: Pick<Manifest, 'keyEpoch' | 'keyEpochs'>): readonly number[] {
  return keyEpochs ?? [keyEpoch];
}

function previousFrom(bytes: Uint8Array, sequence: number): StatementHash | undefined {
  if ((bytes.length === 0) !== (sequence === 1)) {
    throw malformed('previous must be empty for the first snapshot and only for it');
  }
  return sequence === 1 ? undefined : idField(bytes, 32, 'previous snapshot');
}

function snapshotKindFrom(kind: Kind): Manifest['snapshotKind'] {
  if (kind === Kind.FULL) return 'full';
  if (kind === Kind.INCREMENT) return 'increment';
  throw malformed(`kind of snapshot ${kind} is unknown`);
}

function factRefFrom({ hash, count }: { hash: Uint8Array; count: number }): FactRef {
  return {
    hash: idField(hash, 32, 'pack segment'),
    count: integer(count, { min: 1, max: limits.packSegmentEntriesMax }, 'packs of a segment'),
  };
}

const totalNames = [
  'files',
  'directories',
  'others',
  'bytes',
  'bytesRead',
  'bytesAdded',
  'filesNew',
  'filesChanged',
  'filesUnmodified',
  'filesUnstable',
  'chunksNew',
  'durationMs',
] as const satisfies readonly (keyof Totals)[];

function totalsMessage(totals: Totals): MessageInitShape<typeof TotalsSchema> {
  return Object.fromEntries(totalNames.map((name) => [name, BigInt(totals[name])]));
}

function totalsFrom(message: TotalsMessage): Totals {
  const counts = totalNames.map((name) => [name, integer(message[name], anyCount, name)] as const);
  return Object.fromEntries(counts) as Totals;
}

const changeNames = [
  'filesCompared',
  'filesDeleted',
  'namesSuspect',
  'canariesBroken',
  'bytesNew',
  'bytesDense',
] as const satisfies readonly (keyof Changes)[];

/** Of snapshots from before there were counts, and of those that differ in nothing. */
export const noChanges: Changes = {
  filesCompared: 0,
  filesDeleted: 0,
  namesSuspect: 0,
  canariesBroken: 0,
  bytesNew: 0,
  bytesDense: 0,
};

function isChanged(changes: Changes): boolean {
  return changeNames.some((name) => changes[name] !== 0);
}

function changesMessage(changes: Changes): MessageInitShape<typeof ChangesSchema> {
  return Object.fromEntries(changeNames.map((name) => [name, BigInt(changes[name])]));
}

function changesFrom(message: ChangesMessage): Changes {
  const counts = changeNames.map((name) => [name, integer(message[name], anyCount, name)] as const);
  return Object.fromEntries(counts) as Changes;
}

/** The message of a receipt. */
export function receiptMessage(receipt: Receipt): MessageInitShape<typeof ReceiptSchema> {
  return {
    manifest: idBytes(receipt.manifest),
    holdings: receipt.holdings.map(idBytes),
    freeBytes: BigInt(receipt.freeBytes),
    shardCount: BigInt(receipt.shardCount),
  };
}

/** The receipt in a message. @throws HoldfastError bad-encoding */
export function receiptFrom(message: ReceiptMessage): Receipt {
  return {
    manifest: idField(message.manifest, 32, 'manifest'),
    holdings: message.holdings.map((hash) => idField<FactHash>(hash, 32, 'holding')),
    freeBytes: integer(message.freeBytes, anyCount, 'free bytes'),
    shardCount: integer(message.shardCount, anyCount, 'shard count'),
  };
}
