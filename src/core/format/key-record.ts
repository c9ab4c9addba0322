import { toHex, utf8 } from '../../base/bytes.ts';
import { hash } from '../crypto/hash.ts';
import { HoldfastError } from '../errors.ts';
import { type AgentKey, type DatasetId, type FactHash, idBytes, idOf } from '../ids.ts';
import { limits } from '../limits.ts';
import { LayoutReader, LayoutWriter } from './byte-layout.ts';
import { factHash } from './facts.ts';
import { integer, malformed } from './field.ts';

declare const brand: unique symbol;

/** Hash of an age recipient's text, 64 hexadecimal characters. */
export type RecipientId = string & { readonly [brand]: 'RecipientId' };

/** One epoch of one writer's dataset. */
export type EpochName = {
  readonly writer: AgentKey;
  readonly dataset: DatasetId;
  /** From 1. */
  readonly epoch: number;
};

/** What opens an epoch, for those who may: a fact that all members hold, and that can be deleted. */
export type KeyRecord = EpochName & {
  /** Of the recovery kit that it is for. */
  readonly kitVersion: number;
  /** Beside the kit, ascending. */
  readonly recipients: readonly RecipientId[];
  /** age files, each with the epoch's identity; hybrid and classical recipients never share one. */
  readonly files: readonly Uint8Array[];
};

const recordType = 4;
const fixedSize = 60;
const filesMax = 2;

/** How keyless members tell recipients apart. */
export function recipientId(recipient: string): RecipientId {
  return toHex(hash('recipient', utf8(recipient))) as RecipientId;
}

/** @throws HoldfastError limit-exceeded (over limits.factSizeMax) */
export function encodeKeyRecord(record: KeyRecord): { hash: FactHash; bytes: Uint8Array } {
  const { recipients, files } = record;
  const size =
    fixedSize + recipients.length * 32 + files.reduce((sum, { length }) => sum + 4 + length, 0);
  if (size > limits.factSizeMax) {
    throw new HoldfastError('limit-exceeded', 'a key record has too many recipients', {
      details: { recipients: recipients.length },
    });
  }
  const writer = new LayoutWriter(size).byte(recordType).byte(1);
  writer.put(idBytes(record.writer)).put(idBytes(record.dataset)).uint32(record.epoch);
  writer.uint32(record.kitVersion).byte(recipients.length).byte(files.length);
  for (const id of recipients) writer.put(idBytes(id as never));
  for (const file of files) writer.uint32(file.length).put(file);
  const bytes = writer.done();
  return { hash: idOf<FactHash>(factHash(bytes)), bytes };
}

/** The record in these bytes, copied. @throws HoldfastError bad-encoding */
export function decodeKeyRecord(bytes: Uint8Array): KeyRecord {
  integer(bytes.length, { min: 1, max: limits.factSizeMax }, 'size of a key record');
  const reader = new LayoutReader(bytes, 'a key record');
  if (reader.byte() !== recordType) throw malformed('the fact is no key record');
  reader.versionOne();
  const writer = idOf<AgentKey>(reader.take(32));
  const dataset = idOf<DatasetId>(reader.take(16));
  const epoch = integer(reader.uint32(), { min: 1, max: limits.keyEpochsMax }, 'key epoch');
  const kitVersion = integer(reader.uint32(), { min: 1, max: 0xffff_ffff }, 'kit version');
  const bounds = { min: 0, max: limits.keyRecipientsMax };
  const count = integer(reader.byte(), bounds, 'count of recipients');
  const fileCount = integer(reader.byte(), { min: 1, max: filesMax }, 'count of files');
  const recipients = Array.from({ length: count }, () => toHex(reader.take(32)) as RecipientId);
  if (recipients.some((id, i) => i > 0 && id <= (recipients[i - 1] as string))) {
    throw malformed('the recipients of a key record do not ascend');
  }
  const files = Array.from({ length: fileCount }, () => reader.take(reader.uint32()).slice());
  reader.end();
  return { writer, dataset, epoch, kitVersion, recipients, files };
}

/** True for recipients of age's hybrid kind, which no quantum computer opens. */
export function isHybrid(recipient: string): boolean {
  return recipient.startsWith('age1pq1');
}

/** By kind: age refuses to mix them in one file, since the weaker one would open it. */
export function byKind(recipients: readonly string[]): readonly (readonly string[])[] {
  const hybrid = recipients.filter(isHybrid);
  const classical = recipients.filter((one) => !isHybrid(one));
  return [hybrid, classical].filter((some) => some.length > 0);
}

/** A name of an epoch for maps. */
export function epochKey({ writer, dataset, epoch }: EpochName): string {
  return `${writer}/${dataset}/${epoch}`;
}
